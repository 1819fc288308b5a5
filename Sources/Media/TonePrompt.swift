/// Tones in place of a phrase that has no recording: asking, good and bad news are told apart.
public enum TonePrompt {
    /// 2·cos(2πf/8000) for the three pitches.
    private enum Pitch: Double {
        /// 400 Hz
        case low = 1.902113032590307
        /// 600 Hz
        case middle = 1.7820130483767356
        /// 800 Hz
        case high = 1.618033988749895
    }

    /// sin(2πf/8000), the first sample of a pitch.
    private static func firstSample(_ pitch: Pitch) -> Double {
        switch pitch {
        case .low: return 0.3090169943749474
        case .middle: return 0.45399049973954675
        case .high: return 0.5877852522924731
        }
    }

    /// 8000 samples a second, well under a second long.
    public static func samples(for phrase: Phrase) -> [Int16] {
        switch phrase {
        case .enterExtension, .enterPIN, .tryAgain, .confirmTakeover: return sequence([.middle, .middle])
        case .loggedIn: return sequence([.low, .middle, .high])
        case .loggedOut, .goodbye: return sequence([.high, .middle, .low])
        case .incorrect, .lockedOut, .refusedByPBX, .notLoggedIn, .logInFirst: return sequence([.low, .low, .low])
        case .digits(let digits): return digits.utf8.prefix(16).flatMap { _ in sequence([.high]) }
        }
    }

    /// 120 ms of each pitch and 60 ms of silence behind it.
    private static func sequence(_ pitches: [Pitch]) -> [Int16] {
        pitches.flatMap { tone($0, count: 960) + [Int16](repeating: 0, count: 480) }
    }

    /// A sine by its recurrence, sin(n·w) = 2·cos(w)·sin((n-1)·w) - sin((n-2)·w), at a quarter of full scale.
    private static func tone(_ pitch: Pitch, count: Int) -> [Int16] {
        var before = 0.0
        var current = firstSample(pitch)
        return (0..<count).map { _ in
            let sample = Int16(current * 8000)
            (before, current) = (current, pitch.rawValue * current - before)
            return sample
        }
    }
}
