/// A value that is written to the store as its text and read back from it.
public protocol StoredText: Codable, CustomStringConvertible {
    /// Nil where the text is no such value.
    init?(storedText text: String)
}

extension StoredText {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let value = Self(storedText: text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "no \(Self.self)")
        }
        self = value
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

extension IPAddress: StoredText {
    public init?(storedText text: String) { self.init(text) }
}

extension Endpoint: StoredText {
    public init?(storedText text: String) { self.init(text) }
}
