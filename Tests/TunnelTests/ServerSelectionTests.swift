import CryptoPrimitives
import Testing
import Tunnel

@Suite("SRV order")
struct ServerSelectionTests {
    private func record(_ priority: UInt16, _ weight: UInt16, _ target: String, port: UInt16 = 5061) -> SRVRecord {
        SRVRecord(priority: priority, weight: weight, port: port, target: target)
    }

    @Test("priority comes first, whatever the weight")
    func priority() {
        var random = RandomStream(seed: [1])
        let records = [record(20, 65_535, "c"), record(10, 0, "b"), record(0, 1, "a")]
        for _ in 0..<50 { #expect(orderSRV(records, random: &random).map(\.target) == ["a", "b", "c"]) }
    }

    @Test("no record is lost or doubled")
    func complete() {
        var random = RandomStream(seed: [2])
        let records = (0..<40).map { (place: UInt16) in record(place % 3, place % 5, "host\(place)", port: 5000 + place) }
        let ordered = orderSRV(records, random: &random)
        #expect(Set(ordered) == Set(records))
        #expect(ordered.count == records.count)
        #expect(orderSRV([], random: &random).isEmpty)
    }

    @Test("\".\" means: not here (RFC 2782)")
    func notOffered() {
        var random = RandomStream(seed: [3])
        #expect(orderSRV([record(0, 0, ".", port: 0)], random: &random).isEmpty)
        #expect(orderSRV([record(0, 0, "."), record(1, 0, "a")], random: &random).map(\.target) == ["a"])
    }

    @Test("first places are shared out by weight")
    func weights() {
        var random = RandomStream(seed: [4])
        var first: [String: Int] = [:]
        for _ in 0..<4000 {
            let ordered = orderSRV([record(0, 60, "a"), record(0, 20, "b"), record(0, 20, "c"), record(0, 0, "d")], random: &random)
            first[ordered[0].target, default: 0] += 1
        }
        #expect((2200...2600).contains(first["a", default: 0]))
        #expect((650...950).contains(first["b", default: 0]))
        #expect((650...950).contains(first["c", default: 0]))
        // Drawn only by the number 0 of 0...100.
        #expect((1...120).contains(first["d", default: 0]))
    }

    @Test("the order of the answer does not matter")
    func shuffled() {
        let records = (0..<8).map { (place: UInt16) in record(place % 2, place, "host\(place)") }
        var one = RandomStream(seed: [5])
        var other = RandomStream(seed: [5])
        #expect(orderSRV(records, random: &one) == orderSRV(records.reversed(), random: &other))
    }
}
