/// What all messages of a call have in common (RFC 3261 §20.8). Compared byte by byte.
public struct CallID: Hashable, Sendable, CustomStringConvertible {
    public let value: String
    public init(value: String) { self.value = value }
    public init(_ value: String) { self.value = value }
    public var description: String { value }
}

/// A request's place in its dialog, and its method (RFC 3261 §20.16).
public struct CSeq: Hashable, Sendable {
    /// 0..<2^31
    public var number: UInt32
    public var method: Method

    public init(number: UInt32, method: Method) {
        self.number = number
        self.method = method
    }

    public init(_ number: UInt32, _ method: Method) { self.init(number: number, method: method) }
}

/// Numbers in header values.
enum SIPNumber {
    /// `delta-seconds`; more than an `UInt32` holds is its maximum, since a far future is all it says. Nil for
    /// what is no number.
    static func clamped(_ text: String) -> UInt32? {
        let digits = text.utf8.prefix { ByteClass.isDigit($0) }
        guard !digits.isEmpty, digits.endIndex == text.utf8.endIndex else { return nil }
        return UInt32(text) ?? .max
    }
}

extension ByteCursor {
    /// `1*DIGIT LWS Method`, to the end.
    mutating func cseq() throws(SIPSyntaxError) -> CSeq {
        let digits = takeWhile(ByteClass.isDigit)
        guard let number = digits.decimal(maximum: 0x7FFF_FFFF), let space = next, ByteClass.isWhitespace(space) else {
            throw SIPSyntaxError(.cseq)
        }
        skipWhitespace()
        let method = try method()
        guard isAtEnd else { throw SIPSyntaxError(.cseq) }
        return CSeq(number: UInt32(number), method: method)
    }

    /// A method's name, up to a byte that cannot be in one. At most 64 bytes.
    mutating func method() throws(SIPSyntaxError) -> Method {
        let name = takeWhile(ByteClass.isToken)
        guard (1...64).contains(name.count) else { throw SIPSyntaxError(.method) }
        return Method(name.text)
    }

    /// `callid`, to the end: visible ASCII, since phones put more into it than the grammar has.
    func callID(limit: Int) throws(SIPSyntaxError) -> CallID {
        guard !isAtEnd, count <= limit, !contains(where: { $0 <= 0x20 || $0 >= 0x7F }) else { throw SIPSyntaxError(.callID) }
        return CallID(value: text)
    }
}
