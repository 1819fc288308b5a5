/// SIP addresses in bodies that a subscription brings: dialog information (RFC 4235), presence (RFC 3863), message
/// summaries (RFC 3842), watcher information, lists of them.
///
/// The formats are many and their addresses are alike, so the text is left as it is and only addresses in it are
/// written anew: an IP address with its port and parameters becomes the PBX's domain, and a user that both sides
/// call by different names gets the right one.
enum BodyAddresses {
    private static let schemes: [[UInt8]] = [Array("sip:".utf8), Array("sips:".utf8), Array("pres:".utf8)]

    static func rewritten(_ body: [UInt8], domain: [UInt8], user: (from: [UInt8], to: [UInt8])?) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(body.count + 64)
        var place = 0
        while place < body.count {
            let rest = body[place...]
            if place == 0 || !isWord(body[place - 1]), let scheme = schemes.first(where: { rest.starts(with: $0, by: { $0 | 0x20 == $1 }) }) {
                let address = rest.dropFirst(scheme.count).prefix { !ends($0) }
                result += rest.prefix(scheme.count)
                result += translated(address, domain, user)
                place = address.endIndex
            } else {
                result.append(body[place])
                place += 1
            }
        }
        return result
    }

    /// `user@host:port;parameters?headers`
    private static func translated(_ address: ArraySlice<UInt8>, _ domain: [UInt8], _ user: (from: [UInt8], to: [UInt8])?) -> [UInt8] {
        let at = address.firstIndex(of: UInt8(ascii: "@"))
        let name = at.map { address[..<$0] } ?? []
        let behind = at.map { address[($0 + 1)...] } ?? address
        let host = hostPart(behind)
        let newName = user.flatMap { name.elementsEqual($0.from, by: { lower($0) == lower($1) }) ? $0.to : nil } ?? Array(name)
        let start = at == nil ? [] : newName + [UInt8(ascii: "@")]
        return isAddress(host) ? start + domain : start + behind
    }

    private static func hostPart(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        if text.first == UInt8(ascii: "["), let close = text.firstIndex(of: UInt8(ascii: "]")) { return text[...close] }
        return text.prefix { $0 != UInt8(ascii: ":") && $0 != UInt8(ascii: ";") && $0 != UInt8(ascii: "?") }
    }

    private static func isAddress(_ host: ArraySlice<UInt8>) -> Bool {
        if host.first == UInt8(ascii: "[") { return true }
        return !host.isEmpty && host.allSatisfy { $0 == UInt8(ascii: ".") || (0x30...0x39).contains($0) }
    }

    /// What an address in XML, in angle brackets or at the end of a line ends with.
    private static func ends(_ byte: UInt8) -> Bool {
        byte <= 0x20 || [UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "&")].contains(byte)
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
    }

    private static func lower(_ byte: UInt8) -> UInt8 { (0x41...0x5A).contains(byte) ? byte | 0x20 : byte }
}
