import Testing

@testable import Tunnel

@Suite("Datagrams in one block")
struct DatagramBatchTests {
    private func batch(_ lengths: [Int]) -> DatagramBatch {
        var batch = DatagramBatch()
        for (index, length) in lengths.enumerated() { batch.append([UInt8](repeating: UInt8(truncatingIfNeeded: index), count: length)) }
        return batch
    }

    @Test("datagrams of one length side by side make a run, the last may be shorter", arguments: [
        ([], []), ([10], [[10]]), ([10, 10, 10], [[10, 10, 10]]), ([10, 10, 4, 10], [[10, 10, 4], [10]]), ([4, 10, 10], [[4], [10, 10]]),
        ([10, 4, 4], [[10, 4], [4]]), ([10, 10, 10, 10, 10], [[10, 10, 10, 10], [10]]), ([30, 30, 30], [[30, 30], [30]]), ([99, 99], [[99], [99]]),
    ] as [([Int], [[Int]])])
    func runs(lengths: [Int], wanted: [[Int]]) {
        let batch = batch(lengths)
        var made: [[Int]] = []
        var rejoined: [UInt8] = []
        batch.forEachRun(maximumCount: 4, maximumBytes: 64) { place, segment in
            rejoined += batch.bytes[place]
            made.append(stride(from: place.lowerBound, to: place.upperBound, by: segment).map { min(segment, place.upperBound - $0) })
        }
        #expect(made == wanted)
        #expect(rejoined == batch.bytes)
    }

    @Test("what is written at the end is one datagram, or as many as the cut says")
    func writing() {
        var batch = batch([2])
        batch.append(room: 100) { free in
            free.copyBytes(from: [7, 8, 9])
            return 3
        }
        batch.append(room: 100) { _ in 0 }
        batch.append(room: 100) { _ in -1 }
        batch.append(room: 4) { $0.copyBytes(from: [1, 2, 3, 4]); return 4 } cut: { $0.count == 4 ? [1, 3] : [] }
        #expect(batch.datagrams == [[0, 0], [7, 8, 9], [1], [2, 3, 4]])
        batch.removeAll()
        #expect(batch.isEmpty && batch.bytes.isEmpty)
    }
}
