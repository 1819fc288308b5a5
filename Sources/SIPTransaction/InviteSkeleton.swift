import SIPMessage

/// What is kept of an INVITE to build its ACK (RFC 3261 §17.1.1.3) and CANCEL (§9.1): no body and no other
/// header. An object, so that the transaction that waits stays small; let go with the final response.
final class InviteSkeleton: Sendable {
    private let request: SIPRequest

    init(_ invite: SIPRequest) {
        var request = invite
        request.body = []
        request.headers.via = Array(invite.headers.via.prefix(1))
        request.headers.contact = nil
        request.headers.recordRoute = []
        request.headers.contentType = nil
        request.headers.others = []
        request.headers.maxForwards = 70
        self.request = request
    }

    /// The ACK of a final response other than 2xx: To of the response, all else of the INVITE.
    func acknowledgement(of response: SIPResponse) -> [UInt8] {
        var ack = request
        ack.method = .ack
        ack.headers.cseq.method = .ack
        ack.headers.to = response.headers.to
        return ack.serialized()
    }

    func cancellation() -> SIPRequest {
        var cancel = request
        cancel.method = .cancel
        cancel.headers.cseq.method = .cancel
        return cancel
    }
}
