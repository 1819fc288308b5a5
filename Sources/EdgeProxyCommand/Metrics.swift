import ArgumentParser
import EdgeRuntime

struct Metrics: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print the metrics of a running edge in the text format of Prometheus.",
        discussion: "For the textfile collector of the node exporter, or for a look. Names no person, number or call.")

    @OptionGroup var option: SiteOption

    func run() throws {
        let reply = try ControlSession.ask(ControlRequest(command: .metrics), site: option.site)
        guard let metrics = reply.metrics else {
            Console.complain("edgeproxy: the edge answered without metrics")
            throw ExitCode.unavailable
        }
        print(metrics, terminator: "")
    }
}
