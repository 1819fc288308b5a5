import ArgumentParser
import SiteFile

struct Replay: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print the verdict on every request of a capture: why was this call refused?")

    @Argument(help: "A pcap file with the phones' side of some calls.")
    var file: String

    @OptionGroup var option: SiteOption

    func run() throws {
        let result = SiteLoader.load(path: option.site)
        for problem in result.problems { Console.complain(problem.description) }
        guard let site = result.site else { throw ExitCode.refused }
        do {
            try ReplayRunner.run(capture: file, site: site) { print($0) }
        } catch {
            Console.complain("edgeproxy: \(file): \(error)")
            throw ExitCode.refused
        }
    }
}

/// Where the command meets the runtime: reads the capture, drives the core with it, gives one line per verdict.
enum ReplayRunner {
    struct Unavailable: Error, CustomStringConvertible {
        var description: String { "replay is not in this build" }
    }

    static func run(capture: String, site: Site, print line: (String) -> Void) throws {
        throw Unavailable()
    }
}
