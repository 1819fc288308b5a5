import Foundation
import Testing

/// The table as it is sent to the real process: `Tests/RealPeers/data/abuse.jsonl`, one attack a line. With
/// ABUSE_TABLE=write in the environment it is written, else it must be this table.
@Suite struct AbuseTableFileTests {
    private static let place = URL(filePath: #filePath).appending(path: "../../RealPeers/data/abuse.jsonl").standardized

    private struct Row: Encodable {
        struct Line: Encodable { var name: String, value: String? }
        struct Expected: Encodable { var what: String, value: String }

        var name, method, uri, version, lineEnd, body: String
        var headers: [Line]
        var lines: [String]
        var idle, seated: Expected

        init(_ attack: Attack) {
            let request = attack.request
            (name, method, uri, version, lineEnd) = (attack.name, request.method, request.uri, request.version, request.lineEnd)
            body = String(decoding: request.body, as: UTF8.self)
            headers = request.headers.map { Line(name: $0.name, value: $0.value) }
            lines = request.lines
            (idle, seated) = (Self.expected(attack.idle), Self.expected(attack.seated))
        }

        private static func expected(_ outcome: Outcome) -> Expected {
            switch outcome {
            case .emergency(let number): return Expected(what: "emergency", value: number)
            case .forwarded(let user): return Expected(what: "forwarded", value: user)
            case .refused(let status): return Expected(what: "refused", value: String(status))
            case .answered(let status): return Expected(what: "answered", value: String(status))
            case .unread(let status): return Expected(what: "unread", value: String(status))
            case .silence: return Expected(what: "silence", value: "")
            }
        }
    }

    @Test func theProcessIsSentThisTable() throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let rows = try Attack.all.map { String(decoding: try encoder.encode(Row($0)), as: UTF8.self) + "\n" }.joined()
        if ProcessInfo.processInfo.environment["ABUSE_TABLE"] == "write" {
            try rows.write(to: Self.place, atomically: true, encoding: .utf8)
        }
        let committed = try String(contentsOf: Self.place, encoding: .utf8)
        #expect(committed == rows, "run: ABUSE_TABLE=write swift test --filter AbuseTableFileTests")
    }
}
