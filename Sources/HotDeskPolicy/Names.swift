/// Name of a hot desk: "HD" and 1...8 ASCII letters or digits, such as `HD0001`.
public struct DeviceName: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// In upper case.
    public let text: String

    /// Letters in any case; nil for anything that is no name.
    public init?(_ text: String) {
        let bytes = text.utf8
        guard (3...10).contains(bytes.count), bytes.allSatisfy(ASCII.isAlphanumeric) else { return nil }
        guard bytes.prefix(2).elementsEqual("HD".utf8, by: { ASCII.upper($0) == $1 }) else { return nil }
        self.text = String(decoding: bytes.map(ASCII.upper), as: UTF8.self)
    }

    public var description: String { text }

    public static func < (left: DeviceName, right: DeviceName) -> Bool { left.text < right.text }
}

/// Number of a person at the PBX: 1...16 ASCII digits. Leading zeros count.
public struct ExtensionNumber: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The longest there can be, in digits.
    public static let maximumLength = 16

    public let text: String

    public init?(_ text: String) {
        guard (1...Self.maximumLength).contains(text.utf8.count), text.utf8.allSatisfy(ASCII.isDigit) else { return nil }
        self.text = text
    }

    public var description: String { text }

    /// As numbers of one length: 99 comes before 100.
    public static func < (left: ExtensionNumber, right: ExtensionNumber) -> Bool {
        (left.text.utf8.count, left.text) < (right.text.utf8.count, right.text)
    }
}

/// A MAC-48 address.
public struct MACAddress: Hashable, Sendable, CustomStringConvertible {
    /// 48 bits.
    public let rawValue: UInt64

    /// Twelve hexadecimal digits, bare or with ":", "-" or "." between them, in pairs, fours or sixes; nil for
    /// anything else. Separators must be of one kind and evenly set.
    public init?(_ text: String) {
        var value: UInt64 = 0
        var digits = 0
        var separator: UInt8?
        var group: Int?
        var inGroup = 0
        for byte in text.utf8 {
            if let digit = ASCII.hexadecimalValue(byte) {
                guard digits < 12 else { return nil }
                value = value << 4 | UInt64(digit)
                digits += 1
                inGroup += 1
                continue
            }
            guard [UInt8(ascii: ":"), UInt8(ascii: "-"), UInt8(ascii: ".")].contains(byte) else { return nil }
            guard separator ?? byte == byte, group ?? inGroup == inGroup, [2, 4, 6].contains(inGroup) else { return nil }
            separator = byte
            group = inGroup
            inGroup = 0
        }
        guard digits == 12, group ?? inGroup == inGroup else { return nil }
        rawValue = value
    }

    /// Lower case in pairs, `80:5e:c0:aa:bb:01`.
    public var text: String {
        (0..<6).map { index -> String in
            let byte = UInt8(truncatingIfNeeded: rawValue >> (40 - 8 * UInt64(index)))
            return (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined(separator: ":")
    }

    public var description: String { text }
}

extension DeviceName: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let name = DeviceName(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "no device name")
        }
        self = name
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }
}

extension ExtensionNumber: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let number = ExtensionNumber(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "no extension number")
        }
        self = number
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }
}
