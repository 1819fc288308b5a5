/// The place of a value: in the site file's TOML, in another TOML file, or in a row of a list the site file points at.
struct KeyPath: Hashable {
    enum Step: Hashable {
        case key(String)
        /// From 0.
        case index(Int)
        /// A row of another file, its line from 1: always the first step.
        case row(file: String, line: Int)
        /// Another TOML file, whose text the problems' collector knows: always the first step.
        case document(file: String)
    }

    var steps: [Step] = []

    static let root = KeyPath()

    func key(_ name: String) -> KeyPath { KeyPath(steps: steps + [.key(name)]) }
    func index(_ number: Int) -> KeyPath { KeyPath(steps: steps + [.index(number)]) }

    /// Where the value stands in another file.
    var row: (file: String, line: Int)? {
        if case .row(let file, let line)? = steps.first { return (file, line) }
        return nil
    }

    /// The other TOML file it stands in, and the place there.
    var document: (file: String, path: KeyPath)? {
        if case .document(let file)? = steps.first { return (file, KeyPath(steps: Array(steps.dropFirst()))) }
        return nil
    }

    var parent: KeyPath { KeyPath(steps: Array(steps.dropLast())) }
}

extension KeyPath: CustomStringConvertible {
    /// `device[2].mac`, counted from 1 as people do.
    var description: String {
        var text = ""
        for step in steps {
            switch step {
            case .key(let name): text += (text.isEmpty ? "" : ".") + name
            case .index(let number): text += "[\(number + 1)]"
            case .row, .document: break
            }
        }
        return text
    }
}

/// A value with its place.
struct Placed<Value> {
    var value: Value
    var path: KeyPath
}
