import ArgumentParser
import EdgeRuntime
import SiteFile

struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show the devices, sessions and PBX nodes of a running edge.")

    @OptionGroup var option: SiteOption

    @Flag(name: .long, help: "Print one JSON object instead of a table.")
    var json = false

    func run() throws {
        let reply = try ControlSession.ask(ControlRequest(command: .status), site: option.site)
        guard let status = reply.status else {
            Console.complain("edgeproxy: the edge answered without a status")
            throw ExitCode.unavailable
        }
        if json {
            print(String(decoding: ControlCodec.line(status).dropLast(), as: UTF8.self))
        } else {
            print(StatusTable(status).text)
        }
    }
}

struct Logout: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "End the session of a device.",
        discussion: "The device becomes idle at once. A call it is in goes on to its end.")

    @Argument(help: "The device, as in HD0001.")
    var device: String

    @OptionGroup var option: SiteOption

    func run() throws {
        let reply = try ControlSession.ask(ControlRequest(command: .logout, device: device), site: option.site)
        print(reply.message ?? "\(device) is logged out")
    }
}

struct Unlock: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Let a device, or an extension, try its PIN again after a lock-out.",
        discussion: "A desk that is locked after wrong PINs for several people needs the device unlocked, a person everywhere their extension.")

    @Argument(help: "The device, as in HD0001, or the extension, as in 100.")
    var subject: String

    @OptionGroup var option: SiteOption

    func run() throws {
        let reply = try ControlSession.ask(ControlRequest(command: .unlock, device: subject), site: option.site)
        print(reply.message ?? "\(subject) may try again")
    }
}

struct Arm: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Let a phone ask for its configuration by its MAC alone: after a factory reset, or with another handset.",
        discussion: "A device that is newly listed in the site file is armed by itself. It is armed no more once its phone has its own address.")

    @Argument(help: "The device, as in HD0001.")
    var device: String

    @OptionGroup var option: SiteOption

    func run() throws {
        let reply = try ControlSession.ask(ControlRequest(command: .arm, device: device), site: option.site)
        print(reply.message ?? "\(device) is armed")
    }
}

struct Reload: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Have a running edge read its site file again.",
        discussion: "A file with an error changes nothing, and the answer says so. The same as SIGHUP, with an answer.")

    @OptionGroup var option: SiteOption

    func run() throws {
        let reply = try ControlSession.ask(ControlRequest(command: .reload), site: option.site)
        print(reply.message ?? "the site file is in force")
    }
}

/// One question to the running edge of a site, its failures told on standard error.
enum ControlSession {
    static func ask(_ request: ControlRequest, site: String) throws -> ControlReply {
        let path: String
        switch SiteLoader.controlPath(siteFile: site) {
        case .success(let found): path = found
        case .failure(let unreadable):
            for problem in unreadable.problems { Console.complain(problem.description) }
            throw ExitCode.refused
        }
        do {
            let reply = try ControlClient(path: path).ask(request)
            guard reply.ok else {
                Console.complain("edgeproxy: \(reply.error ?? "the edge refused without a reason")")
                throw ExitCode.refused
            }
            return reply
        } catch let failure as ControlClient.Failure {
            Console.complain("edgeproxy: \(failure)")
            throw ExitCode.unavailable
        }
    }
}
