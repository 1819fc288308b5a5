public import CoreTypes
public import SIPMessage

/// Names a server transaction for as long as the process lives; never used twice.
public struct ServerTransactionID: Hashable, Sendable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }
}

/// Names a client transaction for as long as the process lives; never used twice.
public struct ClientTransactionID: Hashable, Sendable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }
}

/// What the layer asks of its user and of the network, in order.
public enum TransactionAction: Equatable, Sendable {
    /// Send these bytes.
    case transmit([UInt8], Flow)
    /// A new request, never ACK or CANCEL.
    case request(SIPRequest, ServerTransactionID, Flow)
    /// An ACK that belongs to no refused INVITE here: the ACK of a 2xx (RFC 3261 §13.2.2.4).
    case ack(SIPRequest, Flow)
    /// A CANCEL for this INVITE came and was answered 200; the user answers the INVITE 487 (§9.2). At most once.
    case cancelled(ServerTransactionID)
    /// A provisional response, a 2xx of an INVITE (each time it comes), or the one other final response.
    case response(SIPResponse, ClientTransactionID)
    /// Timer B or F, or no final response 64*T1 after a CANCEL (§9.1).
    case timedOut(ClientTransactionID)
    /// The connection broke before a final response.
    case unreachable(ClientTransactionID)
    /// No ACK within 64*T1 for a 2xx of our own (§13.3.1.4).
    case ackMissing(ServerTransactionID)
    /// The transaction is gone; the last word about it.
    case ended(ServerTransactionID)
    /// The transaction is gone; the last word about it.
    case endedClient(ClientTransactionID)
    /// Something was taken in and led nowhere.
    case dropped(DropReason)
}

/// Why something led nowhere.
public enum DropReason: String, Hashable, Sendable, CaseIterable {
    /// A response to nothing that was asked (§18.1.2).
    case strayResponse
    /// A response that its transaction has no use for any more (§17.1.1.2, RFC 6026 §8.4).
    case absorbedResponse
    /// A response whose status is no SIP status.
    case badStatus
    /// A request seen before whose answer is not there yet, or is acknowledged (§17.2).
    case retransmission
    /// The same INVITE by another way while the first is open; answered 482 (§8.2.2.2).
    case merged
    /// An ACK for an INVITE that has no final response yet.
    case earlyACK
    /// An ACK that ended, or repeats, the retransmission of a refusal (§17.2.1).
    case absorbedACK
    /// A new request over `TransactionLimits.maximumTransactions`.
    case overLimit
    /// A request without Via: nobody could be answered.
    case missingVia
    /// The user answered a transaction that is gone.
    case unknownTransaction
    /// The user answered a transaction a second time.
    case alreadyAnswered
}
