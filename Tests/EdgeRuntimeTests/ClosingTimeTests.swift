import Testing

@testable import EdgeRuntime

@Suite struct ClosingTimeTests {
    /// Closing minute, the looks of a day, and how often it closes.
    @Test(arguments: [
        (Optional(1140), [1138, 1139, 1140, 1141, 1142], 1),
        (Optional(1140), [1130, 1150], 1),
        (Optional(1140), [1141, 1200, 1439, 0, 600], 0),
        (Optional(0), [1438, 1439, 0, 1], 1),
        (Optional(5), [1430, 10], 1),
        (Optional(1439), [1430, 10], 1),
        (Optional(600), [600, 601], 0),
        (nil, [0, 600, 1200], 0),
        // The clock goes back an hour in autumn: it may close again then, never in between.
        (Optional(150), [149, 150, 151, 152], 1),
    ])
    func closesOnce(minute: Int?, looks: [Int], times: Int) {
        var closing = ClosingTime(minute: minute, from: looks[0])
        let closed = looks.dropFirst().map { closing.look(at: $0) }.filter { $0 }
        #expect(closed.count == times)
    }
}
