/// RFC 3261 §7.2
public struct SIPResponse: Hashable, Sendable {
    /// 100...699
    public var status: Int
    public var reason: String
    public var headers: Headers
    public var body: [UInt8]

    public init(status: Int, reason: String, headers: Headers, body: [UInt8] = []) {
        self.status = status
        self.reason = reason
        self.headers = headers
        self.body = body
    }

    public var isSuccess: Bool { (200...299).contains(status) }

    /// The response on the wire: one canonical form, Content-Length always right.
    public func serialized() -> [UInt8] {
        var writer = ByteWriter(capacity: 1_024 + body.count)
        writer.literal("SIP/2.0 ")
        writer.number(status)
        writer.byte(0x20)
        writer.text(reason)
        writer.literal("\r\n")
        writer.headers(headers, bodyCount: body.count)
        writer.raw(body)
        return writer.bytes
    }

    /// The phrase RFC 3261 §21 and its extensions give a status.
    public static func defaultReason(_ status: Int) -> String {
        if let phrase = phrases[status] { return phrase }
        switch status / 100 {
        case 1: return "Session Progress"
        case 2: return "OK"
        case 3: return "Multiple Choices"
        case 4: return "Bad Request"
        case 5: return "Server Internal Error"
        default: return "Decline"
        }
    }

    private static let phrases: [Int: String] = [
        100: "Trying", 180: "Ringing", 181: "Call Is Being Forwarded", 182: "Queued", 183: "Session Progress",
        199: "Early Dialog Terminated", 200: "OK", 202: "Accepted", 204: "No Notification", 300: "Multiple Choices",
        301: "Moved Permanently", 302: "Moved Temporarily", 305: "Use Proxy", 380: "Alternative Service", 400: "Bad Request",
        401: "Unauthorized", 402: "Payment Required", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
        406: "Not Acceptable", 407: "Proxy Authentication Required", 408: "Request Timeout", 410: "Gone",
        412: "Conditional Request Failed", 413: "Request Entity Too Large", 414: "Request-URI Too Long",
        415: "Unsupported Media Type", 416: "Unsupported URI Scheme", 420: "Bad Extension", 421: "Extension Required",
        422: "Session Interval Too Small", 423: "Interval Too Brief", 429: "Provide Referrer Identity", 430: "Flow Failed",
        433: "Anonymity Disallowed", 439: "First Hop Lacks Outbound Support", 469: "Bad Info Package",
        480: "Temporarily Unavailable", 481: "Call/Transaction Does Not Exist", 482: "Loop Detected", 483: "Too Many Hops",
        484: "Address Incomplete", 485: "Ambiguous", 486: "Busy Here", 487: "Request Terminated", 488: "Not Acceptable Here",
        489: "Bad Event", 491: "Request Pending", 493: "Undecipherable", 494: "Security Agreement Required",
        500: "Server Internal Error", 501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable",
        504: "Server Time-out", 505: "Version Not Supported", 513: "Message Too Large", 580: "Precondition Failure",
        600: "Busy Everywhere", 603: "Decline", 604: "Does Not Exist Anywhere", 606: "Not Acceptable",
    ]
}
