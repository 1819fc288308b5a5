/// One thing that is fed with arbitrary bytes. A trap is a finding, and so is a promise that was not kept.
///
/// A new target: a static value in a file of its own, its name in `all`, a folder of a few inputs in `Fuzzing/Corpus`.
public struct FuzzTarget: Sendable {
    /// Also the folder of its corpus.
    public let name: String
    /// The longest input that is of use, in bytes.
    public let maximumLength: Int
    /// Ends for any bytes, and gives what is wrong, or nil.
    public let run: @Sendable ([UInt8]) -> String?

    public init(_ name: String, maximumLength: Int, run: @escaping @Sendable ([UInt8]) -> String?) {
        self.name = name
        self.maximumLength = maximumLength
        self.run = run
    }

    public static let all: [FuzzTarget] = [.message, .uri, .sessionDescription, .digest, .media, .edge, .tunnel, .tunnelDoor, .phones]

    public static func named(_ name: String) -> FuzzTarget? { all.first { $0.name == name } }
}

/// The input as a list of decisions: each takes a byte, and when there are none left the script is over.
struct Choices: Sendable {
    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isOver: Bool { position >= bytes.count }

    mutating func byte() -> UInt8 {
        guard position < bytes.count else { return 0 }
        defer { position += 1 }
        return bytes[position]
    }

    /// 0..<count; two bytes where one cannot say it.
    mutating func below(_ count: Int) -> Int {
        guard count > 1 else { return 0 }
        let value = count > 256 ? Int(byte()) << 8 | Int(byte()) : Int(byte())
        return value % count
    }

    mutating func pick<T>(_ values: [T]) -> T? { values.isEmpty ? nil : values[below(values.count)] }

    /// At most so many bytes as they are.
    mutating func take(_ count: Int) -> [UInt8] {
        let end = min(bytes.count, position + max(0, count))
        defer { position = end }
        return Array(bytes[position..<end])
    }
}
