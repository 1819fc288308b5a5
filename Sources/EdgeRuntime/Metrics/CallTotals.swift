import CoreTypes
import EdgeProxy
import Media
import Synchronization

/// What calls have come to since the start, for the metrics. Any thread may add.
final class CallTotals: Sendable {
    /// Counts of values below bounds, as a Prometheus histogram has them.
    struct Histogram: Sendable {
        let bounds: [Double]
        /// One more than there are bounds: the last is for what is above them all.
        private(set) var counts: [UInt64]
        private(set) var sum = 0.0

        init(_ bounds: [Double]) {
            self.bounds = bounds
            counts = Array(repeating: 0, count: bounds.count + 1)
        }

        mutating func add(_ value: Double) {
            counts[bounds.firstIndex { value <= $0 } ?? bounds.count] += 1
            sum += value
        }
    }

    /// The legs of one side.
    struct Side: Sendable {
        var mos = Histogram([1.5, 2, 2.5, 3, 3.6, 4, 4.3, 4.5])
        var loss = Histogram([0, 0.001, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 1])
        var jitter = Histogram([0.001, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2])
        var roundTrip = Histogram([0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1])

        fileprivate mutating func add(_ leg: LegQuality) {
            guard leg.received > 0 else { return }
            loss.add(leg.loss)
            if let score = leg.mos { mos.add(score) }
            if let duration = leg.jitter { jitter.add(Self.seconds(duration)) }
            if let duration = leg.roundTrip { roundTrip.add(Self.seconds(duration)) }
        }

        private static func seconds(_ duration: Duration) -> Double { Double(duration.clampedNanoseconds) / 1e9 }
    }

    struct Kind: Hashable, Sendable {
        var direction: CallRecord.Direction
        var isAnswered: Bool
        var isEmergency: Bool
    }

    struct Totals: Sendable {
        var ended: [Kind: UInt64] = [:]
        var phone = Side()
        var pbx = Side()
    }

    private let held = Mutex(Totals())

    var totals: Totals { held.withLock { $0 } }

    func add(_ record: CallRecord) {
        held.withLock { totals in
            let kind = Kind(direction: record.direction, isAnswered: record.answered != nil, isEmergency: record.isEmergency)
            totals.ended[kind, default: 0] += 1
            if let leg = record.quality.first { totals.phone.add(leg) }
            if let leg = record.quality.dropFirst().first { totals.pbx.add(leg) }
        }
    }
}
