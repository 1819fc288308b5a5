import ArgumentParser
import Capture
import CoreTypes
import HotDeskPolicy
import Replay
import SiteFile

struct Replay: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print the verdict on every request of a capture: why was this call refused?",
        discussion: """
            The requests of the capture are run through the site file as it is now. PINs are masked in captures of the edge: \
            what follows in the capture tells whether a login was right.
            """)

    @Argument(help: "A pcap or pcapng file with the phones' side of some calls.")
    var file: String

    @OptionGroup var option: SiteOption

    @Option(
        name: .long,
        help: ArgumentHelp("The edge's SIP address in the capture, where it is not the site's.", valueName: "address:port"))
    var edge: [String] = []

    @Option(name: .long, help: ArgumentHelp("Who was logged in when the capture began.", valueName: "device=extension"))
    var session: [String] = []

    @Flag(name: .long, help: "Replay without a PBX that can be reached.")
    var noPBX = false

    func validate() throws {
        _ = try endpoints()
        _ = try sessions()
    }

    func run() throws {
        let result = SiteLoader.load(path: option.site)
        for problem in result.problems { Console.complain(problem.description) }
        guard let site = result.site else { throw ExitCode.refused }
        var replayer = Replayer(configuration: site.configuration, trunkUp: !noPBX)
        replayer.edge = try endpoints()
        replayer.sessions = try sessions()
        do throws(CaptureError) {
            let contents = try PacketReader.contents(path: file)
            for line in describe(replayer.run(contents.packets)) { print(line) }
            if let problem = contents.problem { Console.complain("edgeproxy: \(file): \(problem)") }
        } catch {
            Console.complain("edgeproxy: \(file): \(error)")
            throw ExitCode.refused
        }
    }

    private func endpoints() throws -> [Endpoint] {
        try edge.map { text in
            guard let endpoint = Endpoint(text) else {
                throw ValidationError("\"\(text)\" is no address and port, as in 192.0.2.10:5060.")
            }
            return endpoint
        }
    }

    private func sessions() throws -> [DeviceName: ExtensionNumber] {
        var sessions: [DeviceName: ExtensionNumber] = [:]
        for text in session {
            let parts = text.split(separator: "=", omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2, let device = DeviceName(parts[0]), let number = ExtensionNumber(parts[1]) else {
                throw ValidationError("\"\(text)\" is no device and extension, as in HD0001=100.")
            }
            sessions[device] = number
        }
        return sessions
    }
}
