import Foundation
import FuzzTargets
import Testing

/// Every input that was worth keeping, through its target again.
@Suite struct CorpusTests {
    private static let folder = URL(filePath: #filePath).appending(path: "../../../Fuzzing/Corpus").standardized

    static func inputs(of target: String) throws -> [URL] {
        try FileManager.default.contentsOfDirectory(at: folder.appending(path: target), includingPropertiesForKeys: nil)
            .sorted { $0.path < $1.path }
    }

    @Test(arguments: FuzzTarget.all.map(\.name)) func replays(name: String) throws {
        let target = try #require(FuzzTarget.named(name))
        let inputs = try Self.inputs(of: name)
        #expect(inputs.count >= 5, "a corpus without inputs proves nothing")
        for input in inputs {
            let problem = target.run(Array(try Data(contentsOf: input)))
            #expect(problem == nil, "\(input.lastPathComponent): \(problem ?? "")")
        }
    }

    @Test func everyCorpusHasItsTarget() throws {
        let folders = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path).sorted()
        #expect(folders == FuzzTarget.all.map(\.name).sorted())
    }
}
