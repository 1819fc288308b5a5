import ArgumentParser
import EdgeProxy
import EdgeRuntime
import Logging
import SiteFile
import Tunnel

struct Headend: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "The PBX-side end of the tunnel.",
        subcommands: [HeadendRun.self, HeadendCheck.self, HeadendInit.self, HeadendAddSite.self, HeadendRevokeSite.self, HeadendShow.self,
            HeadendReload.self],
        defaultSubcommand: HeadendRun.self)
}

/// Which headend a command is about.
struct HeadendOption: ParsableArguments {
    @Option(name: .long, help: ArgumentHelp("The headend's file.", valueName: "file"))
    var config: String

    func settings() throws -> HeadendSettings {
        let result = HeadendLoader.load(path: config)
        for problem in result.problems { Console.complain(problem.description) }
        guard let settings = result.settings else { throw ExitCode.refused }
        return settings
    }
}

struct HeadendRun: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run the headend.",
        discussion: "Ends cleanly on SIGTERM and SIGINT. On SIGHUP it reads certificates and sites again.")

    @OptionGroup var option: HeadendOption

    func run() throws {
        let settings = try option.settings()
        ProcessTuning.keepFilesPrivate()
        let signals = SignalWatch()
        LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
        var logger = Logger(label: "headend")
        logger.logLevel = Logger.Level(rawValue: settings.logLevel.rawValue) ?? .info
        do {
            let server = HeadendServer(settings: settings, logger: logger)
            try server.start()
            signals.watch { signal in
                switch signal {
                case .reload: server.reload()
                case .stop: server.stop()
                }
            }
            server.waitUntilStopped()
        } catch {
            Console.complain("edgeproxy: cannot start: \(error)")
            throw ExitCode.notStarted
        }
    }
}

struct HeadendCheck: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "check", abstract: "Check a headend's file and say everything that is wrong with it.")

    @OptionGroup var option: HeadendOption

    func run() throws {
        let settings = try option.settings()
        print("\(option.config): good: \(settings.nodes.count) PBX nodes, media ports \(settings.media.ports.lowerBound)-\(settings.media.ports.upperBound)")
    }
}

struct HeadendInit: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Make the authority of the tunnel and the headend's certificate.",
        discussion: "What is there already stays. For a second headend copy ca.pem and ca.key into its folder first.")

    @Argument(help: "How edges reach the headend: host names and addresses.")
    var names: [String]

    @Option(name: .long, help: ArgumentHelp("The folder of the files.", valueName: "folder"))
    var pki: String

    func run() throws {
        guard !names.isEmpty, names.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x2C } }) else {
            throw ValidationError("Name the headend as edges will.")
        }
        do {
            let made = try HeadendOffice.initialize(
                authority: "\(pki)/ca.pem", authorityKey: "\(pki)/ca.key", certificate: "\(pki)/headend.pem", key: "\(pki)/headend.key", names: names)
            for path in made { print("made \(path)") }
            if made.isEmpty { print("all is there already; nothing was made") }
        } catch {
            Console.complain("edgeproxy: \(error)")
            throw ExitCode.refused
        }
    }
}

struct HeadendAddSite: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add-site", abstract: "Print a one-time token by which the edge of a site gets its certificate.")

    @Argument(help: "The site's name, as in its site file.")
    var name: String

    @OptionGroup var option: HeadendOption

    func run() throws {
        let settings = try option.settings()
        do {
            print(try HeadendOffice.addSite(name, settings))
        } catch {
            Console.complain("edgeproxy: \(error)")
            throw ExitCode.refused
        }
    }
}

struct HeadendRevokeSite: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke-site", abstract: "Void a site's certificates and end its connection at once.",
        discussion: "With several headends, do this beside each. A site that is added again afterwards needs a new token.")

    @Argument(help: "The site's name.")
    var name: String

    @OptionGroup var option: HeadendOption

    func run() throws {
        let settings = try option.settings()
        do {
            try HeadendOffice.revokeSite(name, settings)
        } catch {
            Console.complain("edgeproxy: \(error)")
            throw ExitCode.refused
        }
        do throws(ControlClient.Failure) {
            let reply = try ControlClient(path: settings.controlPath).ask(ControlRequest(command: .reload))
            print("\(name) is revoked; \(reply.message ?? reply.error ?? "the headend was told")")
        } catch {
            print("\(name) is revoked; no headend runs here that would have to be told")
        }
    }
}

struct HeadendReload: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "reload", abstract: "Have a running headend read certificates and sites again.")

    @OptionGroup var option: HeadendOption

    func run() throws {
        let reply = try HeadendSession.ask(.reload, option)
        print(reply.message ?? "done")
    }
}

struct HeadendShow: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "status", abstract: "Show the sites of a running headend.")

    @OptionGroup var option: HeadendOption

    @Flag(name: .long, help: "Print one JSON object instead of a table.")
    var json = false

    func run() throws {
        guard let status = try HeadendSession.ask(.status, option).headend else { throw ExitCode.unavailable }
        guard !json else { return print(String(decoding: ControlCodec.line(status).dropLast(), as: UTF8.self)) }
        var rows = [["SITE", "STATE", "FROM", "CALLS", "STREAMS", "LANE", "ROUND TRIP", "LOSS", "WAYS TO THE PBX"]]
        for site in status.sites {
            rows.append([
                site.name, site.state, site.address ?? "-", "\(site.calls)", "\(site.streams)", site.lane,
                (site.datagramRoundTrip ?? site.streamRoundTrip).map { "\($0) ms" } ?? "-",
                site.datagramLoss.map { "\(Double($0) / 10) %" + (site.isRepeating ? ", twice" : "") } ?? "-", site.ways.joined(separator: " "),
            ])
        }
        print("headend \(status.name): \(status.sites.count) sites, \(status.freeMediaPorts) media ports ready\n")
        print(StatusTable.aligned(rows).joined(separator: "\n"))
        if !status.degraded.isEmpty { print("\nDegraded:\n" + status.degraded.map { "  \($0)" }.joined(separator: "\n")) }
    }
}

enum HeadendSession {
    static func ask(_ command: ControlRequest.Command, _ option: HeadendOption) throws -> ControlReply {
        let settings = try option.settings()
        do throws(ControlClient.Failure) {
            let reply = try ControlClient(path: settings.controlPath).ask(ControlRequest(command: command))
            guard reply.ok else {
                Console.complain("edgeproxy: \(reply.error ?? "the headend refused without a reason")")
                throw ControlClient.Failure.silent(path: settings.controlPath)
            }
            return reply
        } catch {
            Console.complain("edgeproxy: \(error)")
            throw ExitCode.unavailable
        }
    }
}

struct Enroll: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Fetch the site's certificate for the tunnel from a headend.",
        discussion: "The key is made here and stays here. The token is that of \"edgeproxy headend add-site\"; it proves each end to the other.")

    @Argument(help: "The headend, as in headend.example or headend.example:5090.")
    var host: String

    @Argument(help: "The token.")
    var token: String

    @Option(name: .long, help: ArgumentHelp("The folder for the files.", valueName: "folder"))
    var pki: String = "pki"

    func run() throws {
        guard let token = TunnelEnrolment.Token(token) else { throw ValidationError("That is no token of \"edgeproxy headend add-site\".") }
        let parts = host.split(separator: ":")
        guard parts.count <= 2, let name = parts.first, let port = parts.count == 2 ? UInt16(parts[1]) : 5090 else {
            throw ValidationError("Write the headend as host or host:port.")
        }
        ProcessTuning.keepFilesPrivate()
        do {
            let result = try EnrolmentClient.enrol(host: String(name), port: port, token: token)
            let files = try EnrolmentClient.store(result, in: pki)
            print("\(result.site) is enrolled. In [pbx] of its site file:\n")
            print("via = \"tunnel\"\nheadends = [\"\(name):\(port)\"]\nca = \"\(files.authority)\"\ncertificate = \"\(files.certificate)\"\nkey = \"\(files.key)\"")
        } catch {
            Console.complain("edgeproxy: \(error)")
            throw ExitCode.refused
        }
    }
}
