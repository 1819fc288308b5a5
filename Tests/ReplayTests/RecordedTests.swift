import Capture
import CoreTypes
import EdgeProxy
import FoundationEssentials
import HotDeskPolicy
import Replay
import SIPMessage
import SiteFile
import Testing

/// What a recorded scenario must come to: `captures/NAME.json`, described in captures/README.md.
struct Expectation: Decodable {
    struct Typed: Decodable {
        var device: String
        var digits: String
    }

    struct Verdict: Decodable, Equatable {
        var device: String
        var method: String
        var target: String
        var verdict: String
        var status: Int?
    }

    struct Request: Decodable, Equatable {
        var method: String
        var from: String
        var target: String?
    }

    var scenario: String
    var typed: [Typed]
    var verdicts: [Verdict]
    /// Key `reaches_pbx`.
    var reachesPBX: [Request]

    enum CodingKeys: String, CodingKey {
        case scenario, typed, verdicts
        case reachesPBX = "reaches_pbx"
    }
}

/// The project's own captures, replayed with the site they were recorded with.
@Suite struct RecordedTests {
    static let folder = Folders.root.map { $0 + "/captures" }
    static let names = folder.map { Folders.names(in: $0, endingIn: [".pcap"]).map { String($0.dropLast(5)) } } ?? []

    @Test func thereAreRecordings() {
        if Self.names.isEmpty { print("captures/ holds no recording yet: nothing to replay") }
    }

    @Test(arguments: names) func comesToWhatItMust(name: String) throws {
        let base = (Self.folder ?? "") + "/" + name
        let expected = try JSONDecoder().decode(Expectation.self, from: Data(contentsOf: URL(filePath: base + ".json")))
        let site = try #require(DemoSite.load().site)
        let replayer = Replayer(configuration: site.configuration, pins: expected.typed.map(\.digits))
        let result = replayer.run(try PacketReader.read(path: base + ".pcap"))
        #expect(verdicts(result) == expected.verdicts)
        let crossed = crossings(result)
        #expect(Array(crossed.prefix(expected.reachesPBX.count)) == expected.reachesPBX)
        #expect(describe(result).count > result.requests.count)
    }

    /// An admin has no PINs: the same verdicts come of the capture alone.
    @Test(arguments: names) func needsNoPIN(name: String) throws {
        let base = (Self.folder ?? "") + "/" + name
        let expected = try JSONDecoder().decode(Expectation.self, from: Data(contentsOf: URL(filePath: base + ".json")))
        let site = try #require(DemoSite.load().site)
        let result = Replayer(configuration: site.configuration).run(try PacketReader.read(path: base + ".pcap"))
        #expect(verdicts(result) == expected.verdicts)
    }

    /// On each call a phone began, without the challenges.
    private func verdicts(_ result: ReplayResult) -> [Expectation.Verdict] {
        result.requests.compactMap { row in
            guard row.origin == .phone, row.method == "INVITE", !row.isInDialog, let word = word(row.verdict) else { return nil }
            let status: Int? = if case .refuse(let status, _) = row.verdict { status } else { nil }
            return Expectation.Verdict(device: row.party, method: row.method, target: row.target, verdict: word, status: status)
        }
    }

    private func word(_ verdict: ReplayVerdict) -> String? {
        switch verdict {
        case .emergency: return "emergency"
        case .login: return "login"
        case .logout: return "logout"
        case .forward: return "forward"
        case .refuse: return "refuse"
        case .challenge, .repeated: return nil
        case .forwardInside, .deliver, .answered, .absorbed, .dropped, .elsewhere: return verdict.text
        }
    }

    /// What crossed to or from the PBX, in the words of the expectations: an ACK or BYE counts for the dialog's caller.
    private func crossings(_ result: ReplayResult) -> [Expectation.Request] {
        var callers: [CallID: String] = [:]
        return result.crossed.compactMap { item in
            let request = item.request
            let from = request.headers.from.uri.user
            switch request.method {
            case .notify, .options: return nil
            case .register: return Expectation.Request(method: "REGISTER", from: request.headers.to.uri.user)
            case .invite where request.headers.to.tag == nil:
                callers[request.headers.callID] = from
                return Expectation.Request(method: "INVITE", from: from, target: request.uri.user)
            case .invite, .ack, .bye, .cancel, .info, .update, .prack, .subscribe, .refer, .message, .publish, .other:
                return Expectation.Request(method: request.method.name, from: callers[request.headers.callID] ?? from)
            }
        }
    }
}
