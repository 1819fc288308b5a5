import CoreTypes
import NIOCore
import NIOHTTP1

/// One whole HTTP request.
struct WebRequest {
    var method: HTTPMethod
    /// As it was sent: path and query.
    var target: String
    var headers: HTTPHeaders
    /// Bounded by `WebLimits.body`; what came behind that is dropped.
    var body: [UInt8]
    /// Whether more came than `body` holds.
    var isBodyCut: Bool
    var source: IPAddress
    /// Subject of the client certificate, or nil.
    var certificateSubject: String?

    /// Without the query, as it was sent.
    var path: Substring { target.prefix { $0 != "?" } }

    /// The parts of the path between its slashes.
    var parts: [Substring] { path.split(separator: "/", omittingEmptySubsequences: true) }
}

struct WebResponse {
    var status: HTTPResponseStatus
    var contentType: String
    var body: [UInt8]
    var extra: [(name: String, value: String)] = []
    /// Called when the last byte was handed to the network; not where the connection broke before.
    var sent: (() -> Void)?

    init(_ status: HTTPResponseStatus, _ body: [UInt8], contentType: String = "text/plain; charset=utf-8", sent: (() -> Void)? = nil) {
        self.status = status
        self.body = body
        self.contentType = contentType
        self.sent = sent
    }

    /// The one answer to everybody who may not have what was asked for, or asks for what is not there.
    static var missing: WebResponse { WebResponse(.notFound, Array("not found\n".utf8)) }

    static var busy: WebResponse {
        var response = WebResponse(.serviceUnavailable, Array("come back later\n".utf8))
        response.extra = [("Retry-After", "10")]
        return response
    }
}

/// Bounds what HTTP connections may cost.
struct WebLimits: Sendable, Equatable {
    /// Connections at a time, of all clients and from one address: ten phones behind a router phone open two each.
    var total = 512
    var perSource = 64
    /// From the first byte of a request, or from the end of the last one, to the end of the next.
    var patience = Duration.seconds(15)
    /// Bytes of a body that are kept where it is wanted, and how many more are read to be dropped.
    var body = 256 * 1024
    var drop = 4 * 1024 * 1024
    /// Bytes of the head.
    var head = 16 * 1024
    /// Requests on one connection.
    var requests = 200

    init() {}
}

/// Answers requests. Called on the signalling loop, and answers there, at once or later.
protocol WebService: AnyObject {
    /// Whether a request that begins so may bring a body that is worth keeping; all others are read to be dropped, or
    /// strangers could fill the memory.
    func wantsBody(_ request: WebRequest) -> Bool
    func answer(_ request: WebRequest, _ reply: @escaping (WebResponse) -> Void)
}
