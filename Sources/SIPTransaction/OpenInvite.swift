import CoreTypes
import SIPMessage

/// Tells an INVITE that came a second time by another way (RFC 3261 §8.2.2.2). The Request-URI and the far end
/// belong to it: a PBX that rings a group sends one Call-ID and CSeq to several of our extensions. An object,
/// as only an INVITE without a final response has one.
final class OpenInvite: Sendable {
    private let callID: CallID
    private let fromTag: String?
    private let number: UInt32
    private let uri: URI
    private let transport: TransportProtocol
    private let remote: Endpoint
    let hash: Int

    init(_ request: SIPRequest, on flow: Flow) {
        callID = request.headers.callID
        fromTag = request.headers.from.tag
        number = request.headers.cseq.number
        uri = request.uri
        transport = flow.transport
        remote = flow.remote
        hash = Self.hash(request)
    }

    func matches(_ request: SIPRequest, on flow: Flow) -> Bool {
        number == request.headers.cseq.number && remote == flow.remote && transport == flow.transport
            && callID == request.headers.callID && fromTag == request.headers.from.tag && uri == request.uri
    }

    /// All that one sender can choose, so that nobody can make many keys with one hash.
    static func hash(_ request: SIPRequest) -> Int {
        var hasher = Hasher()
        hasher.combine(request.uri)
        hasher.combine(request.headers.from.tag)
        hasher.combine(request.headers.callID)
        hasher.combine(request.headers.cseq.number)
        return hasher.finalize()
    }
}
