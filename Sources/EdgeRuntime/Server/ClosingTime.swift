import CoreTypes
import Glibc

/// Tells when the site's closing time has come, by the local time of day; looked at about once a minute.
struct ClosingTime {
    /// Minutes after local midnight, 0...1439; nil: the site never closes.
    var minute: Int?
    private var last: Int?

    /// - Parameter localMinute: the time of day now, from which on the closing minute is watched for.
    init(minute: Int?, from localMinute: Int) {
        self.minute = minute
        last = localMinute
    }

    /// True once a day: when the local time has passed the closing minute since the last look.
    mutating func look(at localMinute: Int) -> Bool {
        defer { last = localMinute }
        guard let minute, let last, last != localMinute else { return false }
        // Over midnight the day begins again.
        return last < localMinute ? (last < minute && minute <= localMinute) : (minute > last || minute <= localMinute)
    }

    /// Minutes after midnight by the machine's time zone, whose rules for summer time apply.
    static func localMinute(at now: Instant) -> Int {
        var seconds = time_t(now.unixSeconds)
        var parts = tm()
        localtime_r(&seconds, &parts)
        return Int(parts.tm_hour) * 60 + Int(parts.tm_min)
    }
}
