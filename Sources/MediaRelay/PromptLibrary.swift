import Glibc
public import Media
import Synchronization

/// A recording that could not be used, and what is heard in its place.
public struct PromptProblem: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Substitute: String, Hashable, Sendable { case english, tones }

    /// Base name of the recording.
    public var recording: String
    public var language: String
    /// What is wrong: not found, or not a file we can speak.
    public var reason: String
    public var substitute: Substitute

    public var description: String {
        "recording \(recording) in language \(language): \(reason); heard instead: \(substitute.rawValue)"
    }
}

/// Recordings by phrase and language, encoded for the wire.
///
/// A site's own folders come first, as `<folder>/<language>/<name>.wav` or `<folder>/<name>.wav` (`.g722` for phones that speak G.722), then what Debian's
/// packages install. A phrase that is not whole in its language is heard in English, else as tones.
public final class PromptLibrary: Sendable {
    /// What to play, and what was found wrong for the first time on the way.
    public struct Spoken: Sendable {
        public var clips: [[UInt8]]
        public var problems: [PromptProblem]
    }

    /// Where Debian's packages put recordings.
    public static let systemFolder = "/usr/share/asterisk/sounds"

    private struct Key: Hashable {
        var recording: String
        var language: String
        var format: AudioFormat
    }

    private struct Entry {
        var bytes: [UInt8]
        var lastUse: UInt64
    }

    private struct Cache {
        var entries: [Key: Entry] = [:]
        var size = 0
        var uses: UInt64 = 0
        var reported: Set<PromptProblem> = []
    }

    private let folders: [String]
    private let systemFolder: String
    private let maximumCache: Int
    private let cache = Mutex(Cache())

    /// - Parameters:
    ///   - folders: a site's own recordings, tried in order before the distribution's.
    ///   - maximumCache: bytes of encoded audio that are kept; the twenty recordings of one language take about 0.7 MB.
    public init(folders: [String] = [], systemFolder: String = PromptLibrary.systemFolder, maximumCache: Int = 2 << 20) {
        self.folders = folders
        self.systemFolder = systemFolder
        self.maximumCache = maximumCache
    }

    /// The clips of phrases, one after the other. Always something audible, but for no phrase or no digits at all.
    public func clips(for phrases: [Phrase], language: String, format: AudioFormat) -> Spoken {
        cache.withLock { cache in
            var spoken = Spoken(clips: [], problems: [])
            for phrase in phrases {
                var problems: [PromptProblem] = []
                spoken.clips += clips(phrase, language, format, &cache, &problems)
                spoken.problems += problems.filter { cache.reported.insert($0).inserted }
            }
            return spoken
        }
    }

    /// Bytes of encoded audio that are kept at the moment.
    public var cachedBytes: Int { cache.withLock { $0.size } }

    /// Everything that is missing or unusable for these languages: for the check of a site.
    public func problems(languages: [String]) -> [PromptProblem] {
        cache.withLock { cache in
            var problems: [PromptProblem] = []
            for language in languages {
                for phrase in PromptCatalogue.allPhrases { _ = clips(phrase, language, .pcmu, &cache, &problems) }
            }
            var seen: Set<PromptProblem> = []
            return problems.filter { seen.insert($0).inserted }
        }
    }

    private func clips(
        _ phrase: Phrase, _ language: String, _ format: AudioFormat, _ cache: inout Cache, _ problems: inout [PromptProblem]
    ) -> [[UInt8]] {
        let english = PromptLanguage.english.rawValue
        if let clips = whole(phrase, language, format, &cache, &problems, orElse: language == english ? .tones : .english) {
            return clips
        }
        if language != english, let clips = whole(phrase, english, format, &cache, &problems, orElse: .tones) { return clips }
        return [format.encode(TonePrompt.samples(for: phrase))]
    }

    /// All recordings of a phrase in one language, or nil if one is missing.
    private func whole(
        _ phrase: Phrase, _ language: String, _ format: AudioFormat, _ cache: inout Cache,
        _ problems: inout [PromptProblem], orElse substitute: PromptProblem.Substitute
    ) -> [[UInt8]]? {
        var clips: [[UInt8]] = []
        for recording in PromptCatalogue.recordings(for: phrase, language: PromptLanguage(tag: language)) {
            do throws(RecordingProblem) {
                clips.append(try clip(Key(recording: recording, language: language, format: format), &cache))
            } catch {
                let problem = PromptProblem(
                    recording: recording, language: language, reason: error.reason, substitute: substitute)
                problems.append(problem)
                return nil
            }
        }
        return clips
    }

    private func clip(_ key: Key, _ cache: inout Cache) throws(RecordingProblem) -> [UInt8] {
        cache.uses += 1
        if cache.entries[key] != nil {
            cache.entries[key]?.lastUse = cache.uses
            return cache.entries[key]?.bytes ?? []
        }
        let bytes = try RecordingFile.encoded(places(key.recording, key.language), as: key.format)
        guard bytes.count <= maximumCache else { return bytes }
        while cache.size + bytes.count > maximumCache, let oldest = cache.entries.min(by: { $0.value.lastUse < $1.value.lastUse }) {
            cache.size -= oldest.value.bytes.count
            cache.entries[oldest.key] = nil
        }
        cache.entries[key] = Entry(bytes: bytes, lastUse: cache.uses)
        cache.size += bytes.count
        return bytes
    }

    /// Where a recording may lie, best first, without its ending. A language that is not a plain tag names no folder.
    private func places(_ recording: String, _ language: String) -> [String] {
        let isTag = !language.isEmpty && language.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): return true
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"): return true
            default: return false
            }
        }
        var roots: [String] = []
        for folder in folders {
            if isTag { roots.append("\(folder)/\(language)") }
            roots.append(folder)
        }
        if let known = PromptLanguage(tag: language) { roots.append("\(systemFolder)/\(known.folder)") }
        if isTag { roots.append("\(systemFolder)/\(language)") }
        return roots.map { "\($0)/\(recording)" }
    }
}
