import Foundation
import SIPMessage
import Testing

/// Data that is read by path and never part of the project.
enum SharedData {
    /// `EDGE_SHARED`, or the folder "shared" beside the one that holds Package.swift.
    static let folder: URL? = {
        if let path = ProcessInfo.processInfo.environment["EDGE_SHARED"] { return URL(fileURLWithPath: path) }
        var place = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        while place.path != "/" {
            if FileManager.default.fileExists(atPath: place.appendingPathComponent("Package.swift").path) {
                let shared = place.deletingLastPathComponent().appendingPathComponent("shared")
                return FileManager.default.fileExists(atPath: shared.path) ? shared : nil
            }
            place.deleteLastPathComponent()
        }
        return nil
    }()

    static func bytes(_ path: String) -> [UInt8]? {
        guard let folder, let data = try? Data(contentsOf: folder.appendingPathComponent("data").appendingPathComponent(path)) else {
            print("shared data not found, its cases are skipped: \(path)")
            return nil
        }
        return [UInt8](data)
    }

    static func names(_ path: String) -> [String] {
        guard let folder else { return [] }
        let place = folder.appendingPathComponent("data").appendingPathComponent(path).path
        return ((try? FileManager.default.contentsOfDirectory(atPath: place)) ?? []).filter { $0.hasSuffix(".dat") }.sorted()
    }
}

/// Lines with CRLF ends; the empty line is part of `lines`.
func wire(_ lines: [String], body: String = "") -> [UInt8] {
    lines.flatMap { Array($0.utf8) + [13, 10] } + Array(body.utf8)
}

/// A request with everything that must be there, some of its lines changed, and more of them.
func request(
    _ start: String = "OPTIONS sip:100@pbx.example SIP/2.0", cseq: String = "CSeq: 7 OPTIONS", from: String = "From: <sip:a@pbx.example>;tag=f1",
    to: String = "To: <sip:b@pbx.example>", via: String = "Via: SIP/2.0/UDP 192.0.2.7:5062;branch=z9hG4bKx1;rport",
    callID: String = "Call-ID: c1@192.0.2.7", hops: String = "Max-Forwards: 70", more: [String] = [], body: String = ""
) -> [UInt8] {
    let lines = [start, via, hops, from, to, callID, cseq] + more
    return wire(lines.filter { !$0.isEmpty } + [""], body: body)
}

func parse(_ bytes: [UInt8], _ framing: Framing = .datagram) -> ParseResult { SIPMessage.parse(bytes, framing: framing) }

extension ParseResult {
    var message: SIPMessage? {
        if case .message(let message) = self { return message }
        return nil
    }

    var request: SIPRequest? {
        if case .message(.request(let request)) = self { return request }
        return nil
    }

    var response: SIPResponse? {
        if case .message(.response(let response)) = self { return response }
        return nil
    }

    /// The status of the refusal, 0 for what is ignored, nil for what is taken.
    var refusal: Int? {
        switch self {
        case .message: return nil
        case .reject(let response, _): return response.status
        case .ignore: return 0
        }
    }

    var problem: SIPProblem? {
        switch self {
        case .message: return nil
        case .reject(_, let problem), .ignore(let problem): return problem
        }
    }
}

/// A generator of numbers that gives the same ones each time (SplitMix64).
struct SeededNumbers: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }
}
