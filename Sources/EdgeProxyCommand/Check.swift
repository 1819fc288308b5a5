import ArgumentParser
import EdgeProxy
import HotDeskPolicy
import SiteFile

struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check a site file and say everything that is wrong with it.",
        discussion: """
            Prints one line per problem: file:line: error: key: what; what to do. Exits with 1 if there is an error. \
            Each PIN is tried for the likeliest guesses, which takes some tenths of a second a person; --all-pins tries \
            everything of four digits that hash-pin refuses, and longer runs, which takes some twenty seconds a person.
            """)

    @OptionGroup var option: SiteOption

    @Flag(help: "Do not try whether PINs are easy to guess.")
    var skipPins = false

    @Flag(help: "Try every weak PIN of four digits, and longer runs and repeats: some 600 a person.")
    var allPins = false

    func validate() throws {
        if skipPins, allPins { throw ValidationError("--skip-pins and --all-pins contradict each other.") }
    }

    func run() throws {
        let result = SiteLoader.load(path: option.site)
        for problem in result.problems { print(problem) }
        guard let site = result.site else {
            print("\(option.site): \(count(result.errors.count, "error")), \(count(result.warnings.count, "warning"))")
            throw ExitCode.refused
        }
        let easy = skipPins ? [] : EasyPINs(tryingAll: allPins).owners(among: site.configuration.extensions)
        for number in easy {
            print("\(option.site): error: extension \(number.text): its PIN is easy to guess; choose another with edgeproxy hash-pin --extension \(number.text)")
        }
        guard easy.isEmpty else {
            print("\(option.site): \(count(easy.count, "PIN")) easy to guess")
            throw ExitCode.refused
        }
        let warnings = result.warnings.isEmpty ? "" : " (\(count(result.warnings.count, "warning")))"
        let contents = [
            count(site.configuration.devices.count, "device"), count(site.configuration.extensions.count, "extension"),
            count(site.configuration.policy.emergency.numbers.count, "emergency number"),
        ]
        print("\(option.site): good\(warnings): \(contents.joined(separator: ", "))")
    }

    private func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }
}
