import ArgumentParser
import EdgeProxy
import EdgeRuntime

struct Calls: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the last calls of a running edge, with the quality of their media.",
        discussion: """
            MOS by the E-model (ITU-T G.107): what came from the phone and from the PBX, and behind a slash what they say \
            they heard. 4.3 and above is good, below 3.6 many people complain.
            """)

    @OptionGroup var option: SiteOption

    @Flag(name: .long, help: "Print one JSON array instead of a table.")
    var json = false

    @Option(name: .long, help: ArgumentHelp("How many calls, the newest first.", valueName: "number"))
    var last = 20

    func validate() throws {
        guard (1...ControlRequest.maximumCalls).contains(last) else {
            throw ValidationError("--last is between 1 and \(ControlRequest.maximumCalls)")
        }
    }

    func run() throws {
        let reply = try ControlSession.ask(ControlRequest(command: .calls, last: last), site: option.site)
        guard let calls = reply.calls else {
            Console.complain("edgeproxy: the edge answered without calls")
            throw ExitCode.unavailable
        }
        if json {
            print(String(decoding: ControlCodec.line(calls).dropLast(), as: UTF8.self))
        } else {
            print(CallList(calls).text)
        }
    }
}

/// Calls that are over as a person reads them.
struct CallList {
    let text: String

    init(_ calls: [ControlCall]) {
        let header = ["BEGAN", "WHO", "EXTENSION", "FROM", "TO", "TALKED", "ENDED", "MOS PHONE", "MOS PBX"]
        text = StatusTable.aligned([header] + calls.map(Self.row)).joined(separator: "\n")
    }

    private static func row(_ call: ControlCall) -> [String] {
        [
            Console.localTime(call.began), call.party.isEmpty ? "-" : call.party, call.extension.isEmpty ? "-" : call.extension,
            call.from, call.to, call.answered == nil ? "-" : length(call.talked),
            call.emergency ? "\(call.reason) (emergency)" : call.reason, opinion(call.phone), opinion(call.pbx),
        ]
    }

    /// `1:02:03` or `2:03`.
    static func length(_ seconds: Int64) -> String {
        func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60)
        return hours > 0 ? "\(hours):\(two(minutes)):\(two(seconds % 60))" : "\(minutes):\(two(seconds % 60))"
    }

    /// `4.41/4.2`: what came from the far end of the leg, and what that says it heard.
    static func opinion(_ leg: ControlLeg?) -> String {
        guard let leg else { return "-" }
        let heard = leg.reportedMOS.map { "/\($0)" } ?? ""
        return (leg.mos.map { "\($0)" } ?? "-") + heard
    }
}
