import Provisioning

/// The key list of a 3CX extension: `<PhoneDevice><BLFS><BLF ID="32" BLFNo="3" BLFType="BLF" BLFTypeID="0">101</BLF>…`.
/// `BLFNo` is the key's place from 1, with gaps; the text says whom it is for.
struct KeyListXML {
    /// In the text form of a site file, with gaps.
    private(set) var keys: [String] = []
    /// What is left empty here, in words.
    private(set) var notes: [String] = []

    struct Broken: Error { var what: String }

    /// No phone has more; what is beyond is refused rather than kept in memory.
    private static let maximumKeys = 500

    init(_ text: String) throws(Broken) {
        guard !text.isEmpty else { return }
        var reader = Reader(bytes: Array(text.utf8))
        let elements = try reader.elements()
        guard elements.first?.name == "PhoneDevice" else { throw Broken(what: "does not begin with <PhoneDevice>") }
        var next = 1
        for element in elements where element.name == "BLF" {
            let place = element.attributes["BLFNo"].flatMap { Int($0) } ?? next
            guard (1...Self.maximumKeys).contains(place) else { throw Broken(what: "has a key at place \(place)") }
            next = place + 1
            while keys.count < place { keys.append("") }
            let key = try key(element, place)
            guard KeyAssignment(key) != nil else { throw Broken(what: "has a key \(place) that cannot be dialled: \"\(key)\"") }
            keys[place - 1] = key
        }
    }

    private mutating func key(_ element: Element, _ place: Int) throws(Broken) -> String {
        let lines = element.text.split(whereSeparator: \.isNewline).map(ValueText.trimmed)
        switch (element.attributes["BLFTypeID"], element.attributes["BLFType"]) {
        case ("0", _), (nil, "BLF"), (nil, nil):
            return String((lines.first ?? "").prefix { $0 != "@" })
        case ("1", _), (nil, "SpeedDial"):
            return lines.first.map { "speed:\($0)" } ?? ""
        case ("2", _), (nil, "CustomSpeedDial"):
            guard let number = lines.first else { return "" }
            let label = lines.dropFirst().filter { !$0.isEmpty }.joined(separator: " ")
            return label.isEmpty ? "speed:\(number)" : "speed:\(number):\(label)"
        case ("3", _), (nil, "SharedParking"):
            return lines.first.map { "park:\($0)" } ?? ""
        case ("4", _), (nil, "QueueLogin"):
            notes.append("key \(place): queue login has no like here, left empty")
            return ""
        case ("5", _), (nil, "ProfileStatus"):
            notes.append("key \(place): profile status has no like here, left empty")
            return ""
        case ("6", _), (nil, "Line"):
            return ""
        case (let id, let type):
            throw Broken(what: "has a key \(place) of unknown kind \(type ?? id ?? "")")
        }
    }

    private struct Element {
        var name: String
        var attributes: [String: String]
        var text = ""
    }

    /// XML without document types, in one pass; every element in the order in which it begins.
    private struct Reader {
        let bytes: [UInt8]
        var position = 0

        init(bytes: [UInt8]) { self.bytes = bytes }

        mutating func elements() throws(Broken) -> [Element] {
            var all: [Element] = []
            var open: [Int] = []
            while position < bytes.count {
                guard bytes[position] == UInt8(ascii: "<") else {
                    let text = take { $0 != UInt8(ascii: "<") }
                    if let current = open.last { all[current].text += try decoded(text) }
                    continue
                }
                position += 1
                let tag = take { $0 != UInt8(ascii: ">") }
                guard position < bytes.count else { throw Broken(what: "is cut off") }
                position += 1
                if tag.first == UInt8(ascii: "?") { continue }
                if tag.first == UInt8(ascii: "!") { throw Broken(what: "has a document type or comment") }
                if tag.first == UInt8(ascii: "/") {
                    guard let current = open.popLast(), all[current].name == ValueText.trimmed(String(decoding: tag.dropFirst(), as: UTF8.self)) else {
                        throw Broken(what: "closes what is not open")
                    }
                    continue
                }
                let isEmpty = tag.last == UInt8(ascii: "/")
                all.append(try element(isEmpty ? tag.dropLast() : tag[...]))
                if !isEmpty { open.append(all.count - 1) }
                guard open.count <= 16 else { throw Broken(what: "is too deep") }
            }
            guard open.isEmpty else { throw Broken(what: "is cut off") }
            return all
        }

        private mutating func take(_ belongs: (UInt8) -> Bool) -> ArraySlice<UInt8> {
            let start = position
            while position < bytes.count, belongs(bytes[position]) { position += 1 }
            return bytes[start..<position]
        }

        private func element(_ tag: ArraySlice<UInt8>) throws(Broken) -> Element {
            let parts = tag.split(maxSplits: 1, whereSeparator: { $0 == 0x20 || $0 == 0x09 || $0 == 0x0A || $0 == 0x0D })
            guard let name = parts.first, !name.isEmpty else { throw Broken(what: "has an element without a name") }
            var element = Element(name: String(decoding: name, as: UTF8.self), attributes: [:])
            var rest = parts.count > 1 ? parts[1] : []
            while let equals = rest.firstIndex(of: UInt8(ascii: "=")) {
                let key = ValueText.trimmed(String(decoding: rest[..<equals], as: UTF8.self))
                rest = rest[(equals + 1)...]
                guard let quote = rest.first, quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'"),
                    let end = rest.dropFirst().firstIndex(of: quote)
                else { throw Broken(what: "has an attribute without quotes") }
                element.attributes[key] = try decoded(rest[(rest.startIndex + 1)..<end])
                rest = rest[(end + 1)...]
            }
            return element
        }

        private func decoded(_ part: ArraySlice<UInt8>) throws(Broken) -> String {
            var text = ""
            var rest = Substring(String(decoding: part, as: UTF8.self))
            while let ampersand = rest.firstIndex(of: "&") {
                text += rest[..<ampersand]
                guard let end = rest[ampersand...].firstIndex(of: ";"), let character = Self.entity(rest[rest.index(after: ampersand)..<end]) else {
                    throw Broken(what: "has an unknown entity")
                }
                text.unicodeScalars.append(character)
                rest = rest[rest.index(after: end)...]
            }
            return text + rest
        }

        private static func entity(_ name: Substring) -> Unicode.Scalar? {
            switch name {
            case "amp": return "&"
            case "lt": return "<"
            case "gt": return ">"
            case "quot": return "\""
            case "apos": return "'"
            default:
                guard name.hasPrefix("#") else { return nil }
                let digits = name.dropFirst()
                let value = digits.hasPrefix("x") ? UInt32(digits.dropFirst(), radix: 16) : UInt32(digits)
                return value.flatMap(Unicode.Scalar.init)
            }
        }
    }
}
