public import CoreTypes

extension URI: StoredText {
    public init?(storedText text: String) {
        // What was parsed once as an address keeps what only an address may hold.
        guard let address = try? NameAddress(parsing: "<\(text)>") else { return nil }
        self = address.uri
    }
}

extension NameAddress: StoredText {
    public init?(storedText text: String) { try? self.init(parsing: text) }
}

extension CallID: StoredText {
    public init?(storedText text: String) { self.init(value: text) }
}
