/// RFC 3261 §7.1
public struct SIPRequest: Hashable, Sendable {
    public var method: Method
    public var uri: URI
    public var headers: Headers
    public var body: [UInt8]

    public init(method: Method, uri: URI, headers: Headers, body: [UInt8] = []) {
        self.method = method
        self.uri = uri
        self.headers = headers
        self.body = body
    }

    /// The request on the wire: one canonical form, Content-Length always right.
    public func serialized() -> [UInt8] {
        var writer = ByteWriter(capacity: 1_024 + body.count)
        writer.text(method.name)
        writer.byte(0x20)
        writer.uri(uri)
        writer.literal(" SIP/2.0\r\n")
        writer.headers(headers, bodyCount: body.count)
        writer.raw(body)
        return writer.bytes
    }

    /// A response to this request (RFC 3261 §8.2.6): Via, From, To, Call-ID and CSeq are the request's. `toTag` goes
    /// into To where it has none, but not into a 100. Record-Route is copied where the response makes a dialog (§12.1.1).
    public func response(_ status: Int, _ reason: String? = nil, toTag: String? = nil) -> SIPResponse {
        var to = headers.to
        if to.tag == nil, status > 100, let toTag { to.tag = toTag }
        let makesDialog = (101...299).contains(status) && (method == .invite || method == .subscribe || method == .refer)
        let reply = Headers(
            via: headers.via, from: headers.from, to: to, callID: headers.callID, cseq: headers.cseq,
            recordRoute: makesDialog ? headers.recordRoute : [])
        return SIPResponse(status: status, reason: reason ?? SIPResponse.defaultReason(status), headers: reply)
    }
}

extension ByteWriter {
    /// All header lines, in one order, and the empty line after them.
    mutating func headers(_ headers: Headers, bodyCount: Int) {
        for via in headers.via { line("Via: ") { $0.via(via) } }
        for address in headers.recordRoute { line("Record-Route: ") { $0.nameAddress(address) } }
        for address in headers.route { line("Route: ") { $0.nameAddress(address) } }
        if let hops = headers.maxForwards { line("Max-Forwards: ") { $0.number(hops) } }
        line("From: ") { $0.nameAddress(headers.from) }
        line("To: ") { $0.nameAddress(headers.to) }
        line("Call-ID: ") { $0.text(headers.callID.value) }
        line("CSeq: ") { writer in
            writer.number(headers.cseq.number)
            writer.byte(0x20)
            writer.text(headers.cseq.method.name)
        }
        contact(headers.contact)
        for field in headers.others where field.name.known?.structural == nil {
            headerName(field.name)
            text(field.value)
            literal("\r\n")
        }
        if let type = headers.contentType { line("Content-Type: ") { $0.text(type) } }
        line("Content-Length: ") { $0.number(bodyCount) }
        literal("\r\n")
    }

    private mutating func contact(_ contact: ContactField?) {
        switch contact {
        case nil: break
        case .any: literal("Contact: *\r\n")
        case .list(let addresses):
            for address in addresses { line("Contact: ") { $0.nameAddress(address) } }
        }
    }

    @inline(__always)
    private mutating func line(_ name: StaticString, _ value: (inout ByteWriter) -> Void) {
        literal(name)
        value(&self)
        literal("\r\n")
    }
}
