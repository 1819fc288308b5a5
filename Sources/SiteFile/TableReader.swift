/// Reads one table of the document by the keys it may hold, and reports kinds that do not fit and keys nobody
/// asked for. What is read wrongly is nil, and reported.
final class TableReader {
    private let values: [String: TOMLNode]
    let path: KeyPath
    private let problems: Problems
    /// The keys this table may hold, as they were asked for.
    private var known: [String] = []

    init(_ values: [String: TOMLNode], path: KeyPath, problems: Problems) {
        self.values = values
        self.path = path
        self.problems = problems
    }

    private func value(_ key: String) -> (node: TOMLNode, path: KeyPath)? {
        known.append(key)
        guard let node = values[key] else { return nil }
        return (node, path.key(key))
    }

    /// Whether the key is there, of whatever kind. A key is known only once it is read.
    func has(_ key: String) -> Bool { values[key] != nil }

    private func mismatch(_ node: TOMLNode, _ path: KeyPath, wanted: String) {
        problems.error(path, "is \(node.kind), but must be \(wanted)", "write it as \(wanted)")
    }

    func string(_ key: String) -> Placed<String>? {
        guard let (node, path) = value(key) else { return nil }
        if case .string(let text) = node { return Placed(value: text, path: path) }
        mismatch(node, path, wanted: "text in quotes")
        return nil
    }

    func integer(_ key: String) -> Placed<Int>? {
        guard let (node, path) = value(key) else { return nil }
        if case .integer(let number) = node { return Placed(value: number, path: path) }
        mismatch(node, path, wanted: "a whole number without quotes")
        return nil
    }

    func boolean(_ key: String) -> Placed<Bool>? {
        guard let (node, path) = value(key) else { return nil }
        if case .boolean(let truth) = node { return Placed(value: truth, path: path) }
        mismatch(node, path, wanted: "true or false without quotes")
        return nil
    }

    /// A list of texts; nil where the key is absent.
    func strings(_ key: String) -> Placed<[Placed<String>]>? {
        guard let (node, path) = value(key) else { return nil }
        guard case .array(let elements) = node else {
            mismatch(node, path, wanted: "a list of texts: [\"…\", \"…\"]")
            return nil
        }
        var texts: [Placed<String>] = []
        for (index, element) in elements.enumerated() {
            if case .string(let text) = element {
                texts.append(Placed(value: text, path: path.index(index)))
            } else {
                mismatch(element, path.index(index), wanted: "text in quotes")
            }
        }
        return Placed(value: texts, path: path)
    }

    /// One text or a list of texts.
    func stringOrStrings(_ key: String) -> Placed<[Placed<String>]>? {
        if case .string(let text)? = values[key] {
            known.append(key)
            let place = path.key(key)
            return Placed(value: [Placed(value: text, path: place)], path: place)
        }
        return strings(key)
    }

    func table(_ key: String) -> TableReader? {
        guard let (node, path) = value(key) else { return nil }
        if case .table(let values) = node { return TableReader(values, path: path, problems: problems) }
        mismatch(node, path, wanted: "a table: { … } or [\(path)]")
        return nil
    }

    /// The tables of `[[key]]`.
    func tables(_ key: String) -> [TableReader] {
        guard let (node, path) = value(key) else { return [] }
        guard case .array(let elements) = node else {
            mismatch(node, path, wanted: "a list of tables, each begun by [[\(key)]]")
            return []
        }
        return elements.enumerated().compactMap { index, element in
            if case .table(let values) = element {
                return TableReader(values, path: path.index(index), problems: problems)
            }
            mismatch(element, path.index(index), wanted: "a table begun by [[\(key)]]")
            return nil
        }
    }

    /// Reports the keys that were never asked for.
    func finish() {
        for key in values.keys.sorted() where !known.contains(key) {
            let remedy: String
            if let near = Spelling.nearest(to: key, among: known) {
                remedy = "did you mean \"\(near)\"?"
            } else {
                remedy = "take it out; known here: \(known.sorted().joined(separator: ", "))"
            }
            problems.error(path.key(key), "is not a known key", remedy)
        }
    }
}

/// Guesses what was meant.
enum Spelling {
    /// The candidate that fewest single-letter changes lead to, if they are few for a word of that length.
    static func nearest(to word: String, among candidates: [String]) -> String? {
        let limit = max(1, (word.utf8.count + 1) / 3)
        var best: (word: String, distance: Int)?
        for candidate in candidates {
            let distance = distance(Array(word.lowercased().utf8), Array(candidate.utf8))
            if distance <= limit, best.map({ distance < $0.distance }) ?? true { best = (candidate, distance) }
        }
        return best?.word
    }

    /// Levenshtein's: insertions, deletions and replacements.
    private static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var row = Array(0...right.count)
        for (i, a) in left.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, b) in right.enumerated() {
                let replaced = diagonal + (a == b ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(replaced, row[j] + 1, diagonal + 1)
            }
        }
        return row[right.count]
    }
}
