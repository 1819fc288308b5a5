import Glibc
import Media
import MediaRelay
import Testing

@Suite struct PromptTests {
    static func wave(_ samples: [Int16], format: [UInt8] = [1, 0, 1, 0, 0x40, 0x1F, 0, 0, 0x80, 0x3E, 0, 0, 2, 0, 16, 0]) -> [UInt8] {
        func little(_ value: Int) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
        let data = samples.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] }
        let chunks = Array("fmt ".utf8) + little(format.count) + format + Array("LIST".utf8) + little(3) + [1, 2, 3, 0]
            + Array("data".utf8) + little(data.count) + data
        return Array("RIFF".utf8) + little(4 + chunks.count) + Array("WAVE".utf8) + chunks
    }

    private static func problem(of file: [UInt8]) -> WaveProblem? {
        do throws(WaveProblem) {
            _ = try WaveFile.samples(of: file)
            return nil
        } catch {
            return error
        }
    }

    @Test func waveSamples() throws {
        #expect(try WaveFile.samples(of: Self.wave([1, -2, .max, .min])) == [1, -2, .max, .min])
        #expect(try WaveFile.samples(of: Self.wave([])) == [])
    }

    @Test(arguments: [
        ([], .notRIFF), (Array("RIFX".utf8) + [UInt8](repeating: 0, count: 20), .notRIFF),
        (wave([1], format: [7, 0, 1, 0, 0x40, 0x1F, 0, 0, 0x80, 0x3E, 0, 0, 2, 0, 16, 0]),
            .unsupported(encoding: 7, channels: 1, rate: 8000, bits: 16)),
        (wave([1], format: [1, 0, 2, 0, 0x40, 0x1F, 0, 0, 0x80, 0x3E, 0, 0, 2, 0, 16, 0]),
            .unsupported(encoding: 1, channels: 2, rate: 8000, bits: 16)),
        (wave([1], format: [1, 0]), .truncated),
        (Array(wave([]).prefix(36)), .noData),
    ] as [([UInt8], WaveProblem)])
    func badWaves(bytes: [UInt8], expected: WaveProblem) {
        #expect(Self.problem(of: bytes) == expected)
    }

    @Test func waveCutAtEveryByteNeverTraps() {
        let whole = Self.wave([1, 2, 3])
        for length in 0..<whole.count { _ = try? WaveFile.samples(of: Array(whole.prefix(length))) }
        var huge = whole
        huge.replaceSubrange(16..<20, with: [0xFF, 0xFF, 0xFF, 0xFF])
        #expect(Self.problem(of: huge) == .truncated)
    }

    @Test(arguments: [
        ("en", .english), ("en-GB", .english), ("FR_ca", .french), ("ru", .russian), ("it", .italian), ("es-MX", .spanish),
        ("de", nil), ("", nil), ("english", nil),
    ] as [(String, PromptLanguage?)])
    func languageTags(tag: String, expected: PromptLanguage?) { #expect(PromptLanguage(tag: tag) == expected) }

    @Test func digitsAreSpokenOneByOne() {
        #expect(
            PromptCatalogue.recordings(for: .digits("10*#a x"), language: .english)
                == ["digits/1", "digits/0", "digits/star", "digits/pound", "letters/a"])
        #expect(PromptCatalogue.recordings(for: .digits(""), language: .english) == [])
    }

    @Test(arguments: PromptLanguage.allCases)
    func everyPhraseHasRecordingsWhereThePackageIsInstalled(language: PromptLanguage) {
        guard access("\(PromptLibrary.systemFolder)/\(language.folder)", R_OK) == 0 else {
            return print("skipped: package \(language.package) is not installed")
        }
        #expect(PromptLibrary().problems(languages: [language.rawValue]).isEmpty)
    }

    @Test func siteFolderComesFirstThenEnglishThenTones() throws {
        let root = try TemporaryFolder()
        try root.write(Self.wave([100]), to: "system/en_US_f_Allison/vm-goodbye.wav")
        try root.write(Self.wave([200]), to: "system/fr_CA_f_June/vm-goodbye.wav")
        try root.write(Self.wave([300]), to: "site/de/vm-goodbye.wav")
        try root.write(Self.wave([400]), to: "site/vm-incorrect.wav")
        try root.write(Array("no sound".utf8), to: "system/fr_CA_f_June/please-try-again.wav")
        let library = PromptLibrary(folders: [root.path + "/site"], systemFolder: root.path + "/system")
        func say(_ phrase: Phrase, _ language: String) -> PromptLibrary.Spoken {
            library.clips(for: [phrase], language: language, format: .pcma)
        }
        func encoded(_ sample: Int16) -> [[UInt8]] { [AudioFormat.pcma.encode([sample])] }

        #expect(say(.goodbye, "en").clips == encoded(100))
        #expect(say(.goodbye, "fr").clips == encoded(200))
        #expect(say(.goodbye, "de").clips == encoded(300))
        #expect(say(.incorrect, "fr").clips == encoded(400))
        let italian = say(.goodbye, "it")
        #expect(italian.clips == encoded(100))
        #expect(italian.problems.map(\.substitute) == [.english])
        // Reported once.
        #expect(say(.goodbye, "it").problems.isEmpty)
        let tones = say(.tryAgain, "fr")
        #expect(tones.clips.first?.count ?? 0 > 1000)
        #expect(tones.problems.map(\.substitute) == [.english, .tones])
        #expect(tones.problems[0].reason.contains("not a RIFF WAVE file"))
        // A language that is no plain tag reaches no folder.
        #expect(say(.goodbye, "../site/de").clips == encoded(100))
    }

    @Test func cacheIsBounded() throws {
        let root = try TemporaryFolder()
        for digit in 0...9 {
            try root.write(Self.wave([Int16](repeating: Int16(digit * 1000), count: 1000)), to: "en/digits/\(digit).wav")
        }
        let library = PromptLibrary(folders: [root.path], systemFolder: root.path, maximumCache: 2500)
        for _ in 0..<2 {
            let spoken = library.clips(for: [.digits("0123456789")], language: "en", format: .pcmu)
            #expect(spoken.clips.count == 10)
            #expect(library.cachedBytes <= 2500)
        }
        try root.remove("en")
        #expect(library.clips(for: [.digits("9")], language: "en", format: .pcmu).problems.isEmpty)
        #expect(!library.clips(for: [.digits("1")], language: "en", format: .pcmu).problems.isEmpty)
    }

    @Test func tonesAreShortAndNeverClip() {
        for phrase in PromptCatalogue.allPhrases {
            let samples = TonePrompt.samples(for: phrase)
            #expect((1...32000).contains(samples.count))
            #expect(samples.allSatisfy { abs(Int($0)) <= 8100 })
        }
    }
}
