/// What comes next out of a stream.
public enum StreamFrame: Equatable, Sendable {
    /// The bytes of one whole message, for `SIPMessage.parse(_:framing:)` with `.stream`.
    case message([UInt8])
    /// CRLF CRLF between messages: the far end wants a CRLF back (RFC 5626 §3.5.1).
    case ping
    /// One CRLF between messages: the answer to a ping.
    case pong
    /// The bytes of the next message are not all there yet.
    case needMore
    /// The stream cannot be divided any more: the connection has to be closed.
    case broken(SIPProblem)
}

/// Divides a stream into messages by Content-Length (RFC 3261 §18.3). It holds one message and what came with it.
public struct StreamFramer: Sendable {
    private let limits: ParserLimits
    private var buffer: [UInt8] = []
    /// What lies before has been given out.
    private var start = 0
    /// Up to where the current header section has been searched.
    private var searched = 0
    /// Whether the current message's first line was found to be one of SIP.
    private var hasStartLine = false
    /// Where the current message ends, once its header section is whole.
    private var messageEnd: Int?
    /// A CRLF at the very end of the bytes was reported as a pong; with another it was half a ping.
    private var endedInPong = false
    private var failure: SIPProblem?

    public init(limits: ParserLimits = ParserLimits()) { self.limits = limits }

    /// Bytes held back.
    public var count: Int { buffer.count - start }

    /// Bytes that came in. Nothing is kept of a broken stream.
    public mutating func append(_ bytes: some Collection<UInt8>) {
        guard failure == nil else { return }
        if start > 0 {
            buffer.removeFirst(start)
            searched -= start
            messageEnd = messageEnd.map { $0 - start }
            start = 0
        }
        buffer.append(contentsOf: bytes)
    }

    /// The next frame. Call until `needMore` or `broken`. A message whose length cannot be told comes out by its
    /// header alone, so that it can be answered, before the stream is broken.
    public mutating func next() -> StreamFrame {
        if let failure { return broken(failure) }
        if messageEnd == nil {
            if let keepAlive = takeLineEnds() { return keepAlive }
            if let frame = findMessageEnd() { return frame }
        }
        guard let end = messageEnd, buffer.count >= end else { return .needMore }
        return takeMessage(to: end)
    }

    /// Sets `messageEnd`, or gives what there is instead of a message to wait for.
    private mutating func findMessageEnd() -> StreamFrame? {
        guard count > 0 else { return .needMore }
        guard ByteClass.isToken(buffer[start]) || buffer[start] == 0x0D else { return broken(.notSIP) }
        guard let headEnd = findHeadEnd() else {
            if let failure { return broken(failure) }
            return count > limits.maximumMessageSize ? broken(.messageTooLarge) : .needMore
        }
        guard let length = contentLength(headEnd) else {
            failure = .syntax(.contentLength)
            return takeMessage(to: headEnd)
        }
        guard headEnd - start + length <= limits.maximumMessageSize else {
            failure = .messageTooLarge
            return takeMessage(to: headEnd)
        }
        messageEnd = headEnd + length
        return nil
    }

    private mutating func takeMessage(to end: Int) -> StreamFrame {
        let message = Array(buffer[start..<end])
        start = end
        searched = end
        hasStartLine = false
        messageEnd = nil
        return .message(message)
    }

    private mutating func broken(_ problem: SIPProblem) -> StreamFrame {
        failure = problem
        buffer = []
        start = 0
        messageEnd = nil
        return .broken(problem)
    }

    /// Line ends before a message: however many come at once, they are one ping or pong.
    private mutating func takeLineEnds() -> StreamFrame? {
        var pairs = 0
        while start + 1 < buffer.count, buffer[start] == 0x0D, buffer[start + 1] == 0x0A {
            pairs += 1
            start += 2
        }
        searched = Swift.max(searched, start)
        guard pairs > 0 else {
            if count > 0, buffer[start] != 0x0D { endedInPong = false }
            return nil
        }
        let isPing = pairs > 1 || endedInPong
        endedInPong = !isPing && (count == 0 || (count == 1 && buffer[start] == 0x0D))
        return isPing ? .ping : .pong
    }

    /// The end of the empty line, searched from where the last search stopped. Sets `failure` where a line end
    /// stands alone or the first line is none of SIP's.
    private mutating func findHeadEnd() -> Int? {
        let search = buffer.withUnsafeBufferPointer {
            HeadSearch($0, from: start, at: Swift.max(searched, start), isFirstLine: !hasStartLine)
        }
        searched = search.place
        hasStartLine = !search.isFirstLine
        failure = search.failure
        return search.headEnd
    }

    /// Content-Length of the header section up to `headEnd`; nil where it is missing, repeated or no number.
    private func contentLength(_ headEnd: Int) -> Int? {
        buffer.withUnsafeBufferPointer { bytes in
            let head = UnsafeBufferPointer(rebasing: bytes[start..<headEnd])
            guard HeadScan(head, from: 0, limit: head.count).isFolded else { return StreamFramer.contentLength(head) }
            return HeadScan.unfolded(head, from: 0, to: head.count).withUnsafeBufferPointer(StreamFramer.contentLength)
        }
    }

    private static func contentLength(_ head: UnsafeBufferPointer<UInt8>) -> Int? {
        var rest = ByteCursor(head).part(from: 0, to: head.count - 2)
        _ = rest.line()
        var found: Int?
        while !rest.isAtEnd {
            var line = rest.line()
            guard KnownHeader(line.takeWhile(ByteClass.isToken)) == .contentLength else { continue }
            line.skipWhitespace()
            guard found == nil, line.take(UInt8(ascii: ":")) else { return nil }
            guard let value = line.trimmed.decimal(maximum: 0x7FFF_FFFF) else { return nil }
            found = Int(value)
        }
        return found
    }
}

/// A search for the empty line that can be taken up again when more bytes are there.
private struct HeadSearch {
    private(set) var place: Int
    private(set) var isFirstLine: Bool
    private(set) var headEnd: Int?
    private(set) var failure: SIPProblem?

    init(_ bytes: UnsafeBufferPointer<UInt8>, from start: Int, at begin: Int, isFirstLine: Bool) {
        place = begin
        self.isFirstLine = isFirstLine
        while headEnd == nil, failure == nil {
            place = bytes.firstLineByte(from: place, to: bytes.count)
            guard place < bytes.count else { return }
            guard bytes[place] == 0x0D || bytes[place] == 0x0A else {
                place += 1
                continue
            }
            guard bytes[place] == 0x0D else {
                failure = .bareLineEnd
                return
            }
            guard place + 1 < bytes.count else { return }
            endLine(bytes, start)
        }
    }

    /// At a CR with a byte behind it.
    private mutating func endLine(_ bytes: UnsafeBufferPointer<UInt8>, _ start: Int) {
        guard bytes[place + 1] == 0x0A else {
            failure = .bareLineEnd
            return
        }
        if isFirstLine {
            isFirstLine = false
            if !HeadSearch.isStartLine(ByteCursor(bytes).part(from: start, to: place)) { failure = .notSIP }
        } else if bytes[place - 1] == 0x0A {
            headEnd = place + 2
        }
        place += 2
    }

    /// Whether the line begins or ends with a version of SIP.
    private static func isStartLine(_ line: ByteCursor) -> Bool {
        var rest = line.trimmed
        if rest.part(from: rest.position, to: rest.position + 4).equals(lowercase: "sip/") { return true }
        var last = rest
        while !rest.isAtEnd {
            last = rest.takeWhile { !ByteClass.isWhitespace($0) }
            rest.skipWhitespace()
        }
        return last.part(from: last.position, to: last.position + 4).equals(lowercase: "sip/")
    }
}
