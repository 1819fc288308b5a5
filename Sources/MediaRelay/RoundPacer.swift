/// How long the loop rests between rounds under load, so that one wake-up serves many streams.
///
/// A wake-up costs as much as several packets, and streams do not send in step. Where many packets come, all that came
/// meanwhile is moved at once; where few come, each is moved when it comes.
struct RoundPacer {
    /// Nanoseconds from the beginning of a round to that of the next: what may be added to a packet's delay.
    static let period: Int64 = 600_000
    /// How long packets are counted before the rate is taken from it, in nanoseconds.
    private static let window: Int64 = 50_000_000
    /// Packets a period that are worth a rest.
    private static let worthwhile = 1.5

    private var windowBegan: Int64 = 0
    private var count = 0
    private var isBusy = false

    /// A round began at `now` and moved so many packets.
    mutating func moved(_ packets: Int, at now: Int64) {
        count += packets
        let elapsed = now &- windowBegan
        guard elapsed >= Self.window else { return }
        isBusy = Double(count) * Double(Self.period) >= Self.worthwhile * Double(elapsed)
        windowBegan = now
        count = 0
    }

    /// Nanoseconds to rest at `now` after a round that began at `began`; 0 for none.
    func rest(after began: Int64, at now: Int64) -> Int64 { isBusy ? max(0, Self.period - (now &- began)) : 0 }
}
