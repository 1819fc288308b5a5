/// A value of XML-RPC, as far as the services use them.
public enum XMLRPCValue: Equatable, Sendable {
    case text(String)
    case truth(Bool)
    case list([XMLRPCValue])
    case members([String: XMLRPCValue])
}

/// Writes a call. All parameters are texts or lists of texts.
public enum XMLRPCCall {
    public static func bytes(_ method: String, _ parameters: [XMLRPCValue]) -> [UInt8] {
        let list = parameters.map { "<param><value>\(text($0))</value></param>" }.joined()
        return Array("<?xml version=\"1.0\"?>\r\n<methodCall><methodName>\(method)</methodName><params>\(list)</params></methodCall>".utf8)
    }

    private static func text(_ value: XMLRPCValue) -> String {
        switch value {
        case .text(let text): return "<string>\(escaped(text))</string>"
        case .truth(let truth): return "<boolean>\(truth ? 1 : 0)</boolean>"
        case .list(let values): return "<array><data>\(values.map { "<value>\(text($0))</value>" }.joined())</data></array>"
        case .members(let members):
            return "<struct>\(members.sorted { $0.key < $1.key }.map { "<member><name>\(escaped($0.key))</name><value>\(text($0.value))</value></member>" }.joined())</struct>"
        }
    }

    private static func escaped(_ text: String) -> String {
        var escaped = ""
        for character in text {
            switch character {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            default: escaped.append(character)
            }
        }
        return escaped
    }
}

/// Reads the answer to a call: its one value, or the fault's text. Only what XML-RPC has of XML: no attributes with a
/// meaning, no declarations, a bounded depth.
public struct XMLRPCReader {
    public enum Answer: Equatable, Sendable {
        case value(XMLRPCValue)
        case fault(String)
    }

    private struct Malformed: Error {}
    private struct Tag {
        var name: Substring
        var isEnd: Bool
        var isEmpty: Bool
    }

    private static let maximumDepth = 12
    private var rest: Substring

    private init(_ text: String) { rest = text[...] }

    /// Nil for anything that is no answer of XML-RPC.
    public static func read(_ bytes: [UInt8]) -> Answer? {
        guard let text = String(validating: bytes, as: UTF8.self) else { return nil }
        var reader = XMLRPCReader(text)
        return try? reader.answer()
    }

    private mutating func answer() throws -> Answer {
        try open("methodResponse")
        let (_, tag) = try next()
        if tag.name == "fault", !tag.isEnd {
            try open("value")
            guard case .members(let members) = try value(1) else { throw Malformed() }
            if case .text(let text) = members["faultString"] { return .fault(text) }
            return .fault("")
        }
        guard tag.name == "params", !tag.isEnd else { throw Malformed() }
        try open("param")
        try open("value")
        return .value(try value(1))
    }

    /// What is between `<value>`, which was read, and its end.
    private mutating func value(_ depth: Int) throws -> XMLRPCValue {
        guard depth <= Self.maximumDepth else { throw Malformed() }
        let (bare, tag) = try next()
        if tag.isEnd {
            guard tag.name == "value" else { throw Malformed() }
            return .text(bare)
        }
        let value: XMLRPCValue
        switch tag.name {
        case "array": value = .list(try list(depth))
        case "struct": value = .members(try members(depth))
        case "boolean": value = .truth(try scalar(tag) == "1")
        case "string", "int", "i4", "i8", "double", "base64", "dateTime.iso8601": value = .text(try scalar(tag))
        case "nil" where tag.isEmpty: value = .text("")
        default: throw Malformed()
        }
        try close("value")
        return value
    }

    private mutating func scalar(_ tag: Tag) throws -> String {
        if tag.isEmpty { return "" }
        let (text, end) = try next()
        guard end.isEnd, end.name == tag.name else { throw Malformed() }
        return text
    }

    private mutating func list(_ depth: Int) throws -> [XMLRPCValue] {
        var values: [XMLRPCValue] = []
        let (_, data) = try next()
        guard data.name == "data", !data.isEnd else { throw Malformed() }
        while !data.isEmpty {
            let (_, tag) = try next()
            if tag.isEnd, tag.name == "data" { break }
            guard tag.name == "value", !tag.isEnd else { throw Malformed() }
            values.append(tag.isEmpty ? .text("") : try value(depth + 1))
        }
        try close("array")
        return values
    }

    private mutating func members(_ depth: Int) throws -> [String: XMLRPCValue] {
        var members: [String: XMLRPCValue] = [:]
        while true {
            let (_, tag) = try next()
            if tag.isEnd, tag.name == "struct" { return members }
            guard tag.name == "member", !tag.isEnd else { throw Malformed() }
            try open("name")
            let (name, end) = try next()
            guard end.isEnd, end.name == "name" else { throw Malformed() }
            try open("value")
            members[name] = try value(depth + 1)
            try close("member")
        }
    }

    // MARK: Tags

    private mutating func open(_ name: String) throws {
        let (_, tag) = try next()
        guard tag.name == name, !tag.isEnd, !tag.isEmpty else { throw Malformed() }
    }

    private mutating func close(_ name: String) throws {
        let (_, tag) = try next()
        guard tag.name == name, tag.isEnd else { throw Malformed() }
    }

    /// The text up to the next tag, and the tag. Declarations and comments are passed over.
    private mutating func next() throws -> (text: String, tag: Tag) {
        var text = ""
        while true {
            guard let begin = rest.firstIndex(of: "<") else { throw Malformed() }
            text += try Self.unescaped(rest[..<begin])
            rest = rest[begin...].dropFirst()
            if rest.hasPrefix("!--") {
                guard let end = rest.firstRange(of: "-->") else { throw Malformed() }
                rest = rest[end.upperBound...]
                continue
            }
            guard let end = rest.firstIndex(of: ">") else { throw Malformed() }
            var inside = rest[..<end]
            rest = rest[end...].dropFirst()
            if inside.hasPrefix("?") { continue }
            if inside.hasPrefix("!") { throw Malformed() }
            let isEnd = inside.hasPrefix("/")
            if isEnd { inside = inside.dropFirst() }
            let isEmpty = inside.hasSuffix("/")
            return (text, Tag(name: inside.prefix { $0 != " " && $0 != "/" && $0 != "\n" && $0 != "\t" }, isEnd: isEnd, isEmpty: isEmpty))
        }
    }

    private static func unescaped(_ text: Substring) throws -> String {
        guard text.contains("&") else { return String(text) }
        var plain = ""
        var rest = text
        while let ampersand = rest.firstIndex(of: "&") {
            plain += rest[..<ampersand]
            guard let end = rest[ampersand...].firstIndex(of: ";") else { throw Malformed() }
            let name = rest[ampersand..<end].dropFirst()
            switch name {
            case "amp": plain += "&"
            case "lt": plain += "<"
            case "gt": plain += ">"
            case "quot": plain += "\""
            case "apos": plain += "'"
            default:
                guard name.hasPrefix("#"), let scalar = number(name.dropFirst()).flatMap(Unicode.Scalar.init) else { throw Malformed() }
                plain.unicodeScalars.append(scalar)
            }
            rest = rest[end...].dropFirst()
        }
        return plain + rest
    }

    private static func number(_ text: Substring) -> UInt32? { text.hasPrefix("x") ? UInt32(text.dropFirst(), radix: 16) : UInt32(text) }
}
