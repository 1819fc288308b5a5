public import CoreTypes

/// RFC 3261 §25.1 `host`: a domain name, an IPv4 address or an IPv6 reference.
public struct Host: Hashable, Sendable, CustomStringConvertible {
    private enum Kind: Hashable, Sendable {
        /// Lower case, without a final dot.
        case name(String)
        case address(IPAddress)
    }

    private let kind: Kind

    /// Reads "pbx.example", "192.0.2.1" or "[2001:db8::1]", letters in any case; nil for anything else.
    public init?(_ text: String) {
        guard let host = text.withCursor({ Host($0) }) else { return nil }
        self = host
    }

    public init(_ address: IPAddress) { kind = .address(address) }

    /// A name of ours, valid and in lower case.
    init(literal name: StaticString) { kind = .name(name.description) }

    /// As it stands in a URI: lower case, IPv6 by RFC 5952 and in brackets.
    public var text: String {
        switch kind {
        case .name(let name): return name
        case .address(let address): return address.family == .v6 ? "[\(address.description)]" : address.description
        }
    }

    /// The address, where the host is none that has to be looked up.
    public var address: IPAddress? {
        switch kind {
        case .name: return nil
        case .address(let address): return address
        }
    }

    public var description: String { text }

    /// The whole of `part`, or nil.
    init?(_ part: ByteCursor) {
        guard let first = part.next else { return nil }
        if first == UInt8(ascii: "[") {
            guard let address = Host.reference(part) else { return nil }
            kind = .address(address)
        } else if ByteClass.isDigit(first), let address = IPAddress(ascii: part.buffer), address.family == .v4 {
            kind = .address(address)
        } else {
            guard let name = Host.name(part) else { return nil }
            kind = .name(name)
        }
    }

    /// `IPv6reference`. The grammar of RFC 3261 lets three colons stand before an embedded IPv4 address, where
    /// RFC 4291 has two; both are read (RFC 5118 §4.10).
    private static func reference(_ part: ByteCursor) -> IPAddress? {
        guard part.count > 3, part.peek(part.count - 1) == UInt8(ascii: "]") else { return nil }
        let inner = part.part(from: part.position + 1, to: part.end - 1)
        if let address = IPAddress(ascii: inner.buffer) { return address.family == .v6 ? address : nil }
        guard inner.count <= 46 else { return nil }
        let text = inner.text
        guard let excess = text.utf8.firstRange(ofColons: 3) else { return nil }
        let tail = String(text[excess...])
        guard !tail.isEmpty, IPAddress(tail)?.family == .v4 else { return nil }
        return IPAddress(String(text[..<excess].dropLast()) + tail)
    }

    /// Labels of letters, digits, "-" and "_" (which host names in the field do have), at most 63 bytes each and
    /// 253 together; the last is not all digits, or it would be a broken address.
    private static func name(_ part: ByteCursor) -> String? {
        var part = part
        if part.count > 1, part.peek(part.count - 1) == UInt8(ascii: ".") {
            part = part.part(from: part.position, to: part.end - 1)
        }
        guard part.count <= 253 else { return nil }
        var rest = part
        while true {
            let label = rest.takeWhile { ByteClass.isAlphanumeric($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") }
            guard (1...63).contains(label.count) else { return nil }
            guard label.next != UInt8(ascii: "-"), label.peek(label.count - 1) != UInt8(ascii: "-") else { return nil }
            if rest.isAtEnd {
                return label.contains(where: { !ByteClass.isDigit($0) }) ? part.lowercasedText : nil
            }
            guard rest.take(UInt8(ascii: ".")) else { return nil }
        }
    }
}

extension String.UTF8View {
    /// The index after the first run of exactly `count` colons, or nil.
    fileprivate func firstRange(ofColons count: Int) -> Index? {
        var run = 0
        var index = startIndex
        while index < endIndex {
            if self[index] == UInt8(ascii: ":") {
                run += 1
            } else {
                if run == count { return index }
                run = 0
            }
            index = self.index(after: index)
        }
        return nil
    }
}
