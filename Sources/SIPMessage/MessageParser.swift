/// Reads one message. Nothing of the bytes is kept but what was understood.
struct MessageParser {
    let framing: Framing
    let limits: ParserLimits

    func parse(_ bytes: [UInt8]) -> ParseResult {
        bytes.withUnsafeBufferPointer { buffer in
            let start = HeadScan.afterLineEnds(buffer)
            guard start < buffer.count else { return .ignore(.keepAlive) }
            guard ByteClass.isToken(buffer[start]) else { return .ignore(.notSIP) }
            let head = HeadScan(buffer, from: start, limit: limits.maximumMessageSize + start)
            guard head.isFolded else { return parse(buffer, start, head) }
            let flat = HeadScan.unfolded(buffer, from: start, to: head.bodyStart ?? buffer.count)
            return flat.withUnsafeBufferPointer { parse($0, start, head) }
        }
    }

    private func parse(_ buffer: UnsafeBufferPointer<UInt8>, _ start: Int, _ head: HeadScan) -> ParseResult {
        do {
            return .message(try read(buffer, start, head))
        } catch {
            let end = head.bodyStart ?? Swift.min(buffer.count, limits.maximumMessageSize)
            return Refusal(ByteCursor(buffer).part(from: start, to: end), limits).result(of: error)
        }
    }

    private func read(_ buffer: UnsafeBufferPointer<UInt8>, _ start: Int, _ head: HeadScan) throws(SIPProblem) -> SIPMessage {
        var rest = ByteCursor(buffer).part(from: start, to: (head.bodyStart ?? buffer.count + 2) - 2)
        guard !head.hasBareLineEnd else { throw .bareLineEnd }
        let startLine = try StartLine(rest.line(), limits: limits)
        guard buffer.count - start <= limits.maximumMessageSize else { throw .messageTooLarge }
        guard let bodyStart = head.bodyStart else { throw .truncated }
        var collector = HeaderCollector(limits: limits)
        while !rest.isAtEnd { try collector.add(rest.line()) }
        let headers = try collector.headers()
        let body = Array(buffer[bodyStart..<(bodyStart + (try bodyCount(collector.contentLength, buffer.count - bodyStart)))])
        switch startLine {
        case .request(let method, let uri):
            guard headers.cseq.method == method else { throw .methodMismatch }
            return .request(SIPRequest(method: method, uri: uri, headers: headers, body: body))
        case .response(let status, let reason):
            return .response(SIPResponse(status: status, reason: reason, headers: headers, body: body))
        }
    }

    /// RFC 3261 §18.3, §20.14: what follows the body of a datagram is dropped, a body that is cut off is an error.
    private func bodyCount(_ announced: Int?, _ available: Int) throws(SIPProblem) -> Int {
        guard let announced else {
            switch framing {
            case .datagram: return available
            case .stream: throw .missing(.contentLength)
            }
        }
        guard announced <= limits.maximumMessageSize else {
            throw framing == .stream ? .messageTooLarge : .bodyTooShort
        }
        guard announced <= available else { throw .bodyTooShort }
        return announced
    }
}
