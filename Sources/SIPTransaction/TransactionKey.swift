import CoreTypes
import SIPMessage

/// What a client transaction is found by (RFC 3261 §17.1.3).
struct ClientKey: Hashable, Sendable {
    let branch: String
    let method: Method
}

/// What a server transaction is found by (RFC 3261 §17.2.3), and our own condition that it came from the same
/// far end: two phones that invent the same branch never meet in one transaction.
enum ServerKey: Hashable, Sendable {
    case branch(BranchKey)
    /// A branch without the magic cookie, or none: RFC 2543.
    indirect case legacy(LegacyKey)

    struct BranchKey: Hashable, Sendable {
        let branch: String
        let host: Host
        let port: UInt16?
        /// ACK and CANCEL count as the INVITE they belong to.
        let method: Method
        let transport: TransportProtocol
        let remote: Endpoint

        static func == (left: BranchKey, right: BranchKey) -> Bool {
            left.branch == right.branch && left.remote == right.remote && left.method == right.method
                && left.port == right.port && left.transport == right.transport && left.host == right.host
        }

        /// All that one sender can choose, so that nobody can make many keys with one hash.
        func hash(into hasher: inout Hasher) {
            hasher.combine(branch)
            hasher.combine(host)
            hasher.combine(port)
            hasher.combine(method)
            hasher.combine(remote.port)
            hasher.combine(remote.address.low)
        }
    }

    struct LegacyKey: Hashable, Sendable {
        let uri: URI
        let fromTag: String?
        let callID: CallID
        let number: UInt32
        let method: Method
        /// As it came, before `received` was added.
        let via: Via
        let transport: TransportProtocol
        let remote: Endpoint
    }

    /// The key of the request, or with `method` of the request it refers to.
    init(_ request: SIPRequest, via: Via, flow: Flow, method: Method) {
        if let branch = via.branch, Self.hasMagicCookie(branch) {
            self = .branch(
                BranchKey(
                    branch: branch, host: via.host, port: via.port, method: method, transport: flow.transport,
                    remote: flow.remote))
        } else {
            self = .legacy(
                LegacyKey(
                    uri: request.uri, fromTag: request.headers.from.tag, callID: request.headers.callID,
                    number: request.headers.cseq.number, method: method, via: via, transport: flow.transport,
                    remote: flow.remote))
        }
    }

    /// "z9hG4bK" and at least one more character (RFC 3261 §8.1.1.7). Compared without regard to case, as branches
    /// are tokens.
    static func hasMagicCookie(_ branch: String) -> Bool {
        let cookie: StaticString = "z9hg4bk"
        let bytes = branch.utf8
        guard bytes.count > cookie.utf8CodeUnitCount else { return false }
        return cookie.withUTF8Buffer { expected in
            for (byte, wanted) in zip(bytes, expected) {
                let lower = byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte
                if lower != wanted { return false }
            }
            return true
        }
    }
}
