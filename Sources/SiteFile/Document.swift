import TOMLKit

/// A TOML value, copied out of the parser's tree.
indirect enum TOMLNode {
    case string(String)
    case integer(Int)
    case boolean(Bool)
    case table([String: TOMLNode])
    case array([TOMLNode])
    /// A kind no site file needs: a number with a fraction, a date, a time.
    case unused(kind: String)

    /// As it is called in a message.
    var kind: String {
        switch self {
        case .string: return "text"
        case .integer: return "a number"
        case .boolean: return "true or false"
        case .table: return "a table"
        case .array: return "a list"
        case .unused(let kind): return "a \(kind)"
        }
    }
}

/// The text is no TOML.
struct TOMLSyntaxError: Error {
    var line: Int
    var what: String
}

enum TOMLDocument {
    static func parse(_ text: String) throws(TOMLSyntaxError) -> [String: TOMLNode] {
        if let zero = text.utf8.firstIndex(of: 0) {
            let line = text.utf8[..<zero].count(where: { $0 == UInt8(ascii: "\n") }) + 1
            throw TOMLSyntaxError(line: line, what: "there is a zero byte in the file")
        }
        do {
            return copy(try TOMLTable(string: text))
        } catch let error as TOMLParseError {
            throw TOMLSyntaxError(line: max(1, error.source.begin.line), what: error.description)
        } catch {
            throw TOMLSyntaxError(line: 1, what: "\(error)")
        }
    }

    private static func copy(_ table: TOMLTable) -> [String: TOMLNode] {
        var copied: [String: TOMLNode] = [:]
        for key in table.keys {
            guard let value = table[key] else { continue }
            copied[key] = copy(value)
        }
        return copied
    }

    private static func copy(_ value: any TOMLValueConvertible) -> TOMLNode {
        if let text = value.string { return .string(text) }
        if let table = value.table { return .table(copy(table)) }
        if let array = value.array { return .array(array.map { copy($0) }) }
        if let number = value.int { return .integer(number) }
        if let truth = value.bool { return .boolean(truth) }
        return .unused(kind: value.type.description)
    }
}
