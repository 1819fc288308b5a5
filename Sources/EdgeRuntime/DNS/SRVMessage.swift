import Tunnel

/// A DNS query for SRV records and its answer (RFC 1035 §4, RFC 2782).
enum SRVMessage {
    enum Problem: Error, Equatable {
        /// Not an answer to our query, or not a DNS message at all: wait for another.
        case notOurs
        /// An answer that does not read as one.
        case malformed
        /// Cut to fit the datagram (RFC 1035 §4.1.1 TC).
        case truncated
        /// RFC 1035 §4.1.1 RCODE 3: there is no such name.
        case noSuchName
        /// Any other response code: another server may know.
        case serverFailure(UInt8)
    }

    private static let typeSRV: UInt16 = 33
    private static let classInternet: UInt16 = 1

    /// Nil for a name with an empty label, a label above 63 bytes, or more than 253 bytes (RFC 1035 §2.3.4).
    static func query(_ name: String, id: UInt16) -> [UInt8]? {
        guard let encoded = encode(name) else { return nil }
        // Header: recursion desired, one question, and one additional record: EDNS0 with room for 1232 bytes.
        return big(id) + [0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 1] + encoded + big(typeSRV) + big(classInternet)
            + [0, 0, 41, 0x04, 0xD0, 0, 0, 0, 0, 0, 0]
    }

    /// The SRV records of the answer section, whatever names they are under: the server has followed the aliases.
    static func answer(_ bytes: [UInt8], to name: String, id: UInt16) throws(Problem) -> [SRVRecord] {
        var reader = DNSReader(bytes)
        guard let answeredID = reader.number(), let flags = reader.number(), let questions = reader.number(),
            let answers = reader.number(), reader.skip(4), answeredID == id, flags & 0x8000 != 0, questions == 1
        else { throw .notOurs }
        guard let asked = reader.name(), asked == name.lowercased(), reader.number() == typeSRV, reader.skip(2) else { throw .notOurs }
        guard flags & 0x0200 == 0 else { throw .truncated }
        switch flags & 0x000F {
        case 0: break
        case 3: throw .noSuchName
        case let code: throw .serverFailure(UInt8(code))
        }
        return try records(&reader, count: answers)
    }

    private static func records(_ reader: inout DNSReader, count: UInt16) throws(Problem) -> [SRVRecord] {
        var records: [SRVRecord] = []
        for _ in 0..<count {
            guard reader.skipName(), let type = reader.number(), let family = reader.number(), reader.skip(4),
                let length = reader.number(), let end = reader.mark(length)
            else { throw .malformed }
            if type == typeSRV, family == classInternet {
                guard let priority = reader.number(), let weight = reader.number(), let port = reader.number(),
                    let target = reader.name(), reader.position == end
                else { throw .malformed }
                records.append(SRVRecord(priority: priority, weight: weight, port: port, target: target.isEmpty ? "." : target))
            }
            reader.position = end
        }
        return records
    }

    private static func encode(_ name: String) -> [UInt8]? {
        let labels = name.utf8.split(separator: 0x2E, omittingEmptySubsequences: false)
        guard !name.isEmpty, name.utf8.count <= 253, labels.allSatisfy({ (1...63).contains($0.count) }) else { return nil }
        return labels.flatMap { [UInt8($0.count)] + $0 } + [0]
    }

    private static func big(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 0xFF)] }
}

/// Reads a DNS message; nil or false where the bytes end too early.
struct DNSReader {
    private let bytes: [UInt8]
    var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    private func byte(at place: Int) -> UInt8? { bytes.indices.contains(place) ? bytes[place] : nil }

    mutating func number() -> UInt16? {
        guard let high = byte(at: position), let low = byte(at: position + 1) else { return nil }
        position += 2
        return UInt16(high) << 8 | UInt16(low)
    }

    mutating func skip(_ count: Int) -> Bool {
        guard bytes.count - position >= count else { return false }
        position += count
        return true
    }

    /// The position `length` bytes on.
    func mark(_ length: UInt16) -> Int? {
        let end = position + Int(length)
        return end <= bytes.count ? end : nil
    }

    mutating func skipName() -> Bool { name() != nil }

    /// A name in lower case without its last dot, compression followed (RFC 1035 §4.1.4). Pointers lead backwards
    /// only, so the walk ends.
    mutating func name() -> String? {
        var labels: [String] = []
        var place = position
        var after: Int?
        var earliest = position
        var length = 0
        while let lead = byte(at: place) {
            switch lead {
            case 0:
                position = after ?? place + 1
                return labels.joined(separator: ".")
            case 1...63:
                length += Int(lead) + 1
                let end = place + 1 + Int(lead)
                guard length <= 255, end <= bytes.count, let label = Self.label(bytes[(place + 1)..<end]) else { return nil }
                labels.append(label)
                place = end
            case 0xC0...0xFF:
                guard let low = byte(at: place + 1) else { return nil }
                let target = Int(lead & 0x3F) << 8 | Int(low)
                guard target < earliest else { return nil }
                if after == nil { after = place + 2 }
                earliest = target
                place = target
            default: return nil
            }
        }
        return nil
    }

    /// Host names only: letters, digits, "-" and "_" (RFC 1123 §2.1, RFC 2782).
    private static func label(_ bytes: ArraySlice<UInt8>) -> String? {
        let isPlain = bytes.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x5F: return true
            default: return false
            }
        }
        return isPlain ? String(decoding: bytes, as: UTF8.self).lowercased() : nil
    }
}
