import ArgumentParser
import EdgeRuntime

/// Exit codes: 0 all is well; 1 the site file has errors, or what was asked for was refused; 64 wrong usage;
/// 69 no edge answers; 70 the edge could not start.
@main
struct EdgeProxyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "edgeproxy",
        abstract: "The SIP edge of a branch office: hot desks, emergency calls, a TLS trunk to the central PBX.",
        version: EdgeVersion.text,
        subcommands: [
            Run.self, Check.self, Status.self, Calls.self, Metrics.self, Logout.self, Unlock.self, Arm.self, Reload.self, HashPIN.self,
            Replay.self, Models.self, Render.self, DHCPOptionsCommand.self, DeviceCommand.self, RedirectCommand.self, ExtensionCommand.self, Headend.self,
            Enroll.self,
        ])
}

/// Which site a command is about.
struct SiteOption: ParsableArguments {
    @Option(name: .long, help: ArgumentHelp("The site file.", valueName: "file"))
    var site: String
}

extension ExitCode {
    /// The site file has errors, or what was asked for was refused.
    static let refused = ExitCode(1)
    /// sysexits(3) `EX_UNAVAILABLE`: no edge answers.
    static let unavailable = ExitCode(69)
    /// sysexits(3) `EX_SOFTWARE`: the edge could not start.
    static let notStarted = ExitCode(70)
}
