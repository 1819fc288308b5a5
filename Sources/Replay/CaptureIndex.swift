import CoreTypes
import EdgeProxy
import HotDeskPolicy
import SIPMessage

/// A request and what answers it.
struct RequestKey: Hashable, Sendable {
    var callID: CallID
    var cseq: CSeq

    init(_ headers: Headers) {
        callID = headers.callID
        cseq = headers.cseq
    }
}

/// Requests of the edge to a phone, whose CSeq differs between capture and replay.
struct CallMethod: Hashable, Sendable {
    var callID: CallID
    var method: Method
}

/// The capture, sorted so that the replay can look ahead.
struct CaptureIndex: Sendable {
    let messages: [CapturedMessage]
    let legs: [Leg]
    /// Responses the phones were given, by request.
    private(set) var answers: [RequestKey: [Int]] = [:]
    /// Responses the phones gave.
    private(set) var phoneAnswers: [CallMethod: [Int]] = [:]
    private(set) var cancelled: Set<RequestKey> = []
    /// Who the phones said they were, by Call-ID: what crosses to the PBX under another Call-ID is the edge's own.
    private(set) var phoneUsers: [CallID: Set<String>] = [:]
    /// The capture holds requests of the PBX to the edge.
    private(set) var hasRequestsOfPBX = false
    /// REGISTER requests of the edge to the PBX.
    private(set) var registers: [Int] = []
    /// Final answers of the PBX to them, by the user of To.
    private(set) var registerAnswers: [String: [Int]] = [:]
    /// INVITE requests of phones outside dialogs.
    private(set) var calls: [Int] = []

    init(_ messages: [CapturedMessage], _ side: EdgeSide) {
        self.messages = messages
        legs = messages.map(side.leg)
        for position in messages.indices { add(position) }
    }

    private mutating func add(_ position: Int) {
        let message = messages[position]
        guard let headers = message.headers else { return }
        switch (legs[position], message.content) {
        case (.fromPhone, .request(let request)): addPhoneRequest(request, position)
        case (.fromPhone, .response):
            phoneAnswers[CallMethod(callID: headers.callID, method: headers.cseq.method), default: []].append(position)
        case (.toPhone, .response): answers[RequestKey(headers), default: []].append(position)
        case (.fromTrunk, .request(let request)): if request.method != .options { hasRequestsOfPBX = true }
        case (.fromTrunk, .response(let response)):
            guard response.status >= 200, headers.cseq.method == .register, let user = headers.to.uri.userPart else { return }
            registerAnswers[user, default: []].append(position)
        case (.toTrunk, .request(let request)): if request.method == .register { registers.append(position) }
        case (.toTrunk, .response), (.toPhone, .request), (.elsewhere, _), (_, .other): break
        }
    }

    private mutating func addPhoneRequest(_ request: SIPRequest, _ position: Int) {
        phoneUsers[request.headers.callID, default: []].insert(request.headers.from.uri.userPart ?? "")
        if request.method == .cancel {
            var key = RequestKey(request.headers)
            key.cseq.method = .invite
            cancelled.insert(key)
        }
        if request.method == .invite, request.headers.to.tag == nil { calls.append(position) }
    }

    /// The final status the capture shows for a request of a phone.
    func finalStatus(_ key: RequestKey) -> Int? {
        for position in answers[key] ?? [] {
            if let status = messages[position].response?.status, status >= 200 { return status }
        }
        return nil
    }

    /// The session description of the 2xx to a phone's INVITE: where its media went.
    func answeredMedia(_ callID: CallID) -> Endpoint? {
        for (key, positions) in answers where key.callID == callID && key.cseq.method == .invite {
            for position in positions {
                guard let response = messages[position].response, (180..<300).contains(response.status), !response.body.isEmpty,
                    let description = try? SessionDescription(parsing: response.body),
                    let audio = description.media.first(where: { $0.kind == "audio" && $0.port != 0 })
                else { continue }
                return description.rtp(of: audio)
            }
        }
        return nil
    }
}
