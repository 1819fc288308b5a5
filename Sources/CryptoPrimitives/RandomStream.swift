/// A deterministic stream of bytes nobody can guess without the seed: SHA-256(seed || counter), block by block.
///
/// The shell seeds it with 32 bytes of the system's randomness; a test with what it likes, and gets the same
/// branches, tags and nonces each time.
public struct RandomStream: Sendable {
    /// The seed, then the number of the next block in eight bytes, big-endian.
    private var input: [UInt8]
    private let seedCount: Int
    private var counter: UInt64 = 0
    private var block: [UInt8] = []
    private var used = 0

    public init(seed: [UInt8]) {
        input = seed + [UInt8](repeating: 0, count: 8)
        seedCount = seed.count
    }

    public mutating func bytes(_ count: Int) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(max(0, count))
        while result.count < count {
            if used == block.count { refill() }
            let part = block[used..<min(block.count, used + count - result.count)]
            result.append(contentsOf: part)
            used += part.count
        }
        return result
    }

    /// `bytes` random bytes in lower-case hexadecimal: twice as many characters.
    public mutating func token(_ bytes: Int) -> String { hexadecimal(self.bytes(bytes)) }

    public mutating func next() -> UInt64 {
        var value: UInt64 = 0
        for _ in 0..<8 { value = value << 8 | UInt64(nextByte()) }
        return value
    }

    private mutating func nextByte() -> UInt8 {
        if used == block.count { refill() }
        defer { used += 1 }
        return block[used]
    }

    private mutating func refill() {
        for place in 0..<8 { input[seedCount + place] = UInt8(truncatingIfNeeded: counter >> (56 - 8 * UInt64(place))) }
        counter &+= 1
        block = Hash.sha256(input)
        used = 0
    }
}

extension RandomStream: RandomNumberGenerator {}
