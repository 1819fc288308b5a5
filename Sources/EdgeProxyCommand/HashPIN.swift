import ArgumentParser
import CryptoPrimitives
import HotDeskPolicy

struct HashPIN: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hash-pin",
        abstract: "Turn a PIN into the text that stands in a site file.",
        discussion: "Reads the PIN from the terminal without showing it, or one line from standard input.")

    @Option(name: .customLong("extension"), help: ArgumentHelp("Whose PIN it is: a PIN like the extension is refused.", valueName: "number"))
    var number: String?

    func validate() throws {
        if let number, ExtensionNumber(number) == nil { throw ValidationError("\"\(number)\" is no extension: write 1 to 16 digits.") }
    }

    func run() throws {
        let pin = try read()
        if let weakness = PINStrength.weakness(of: pin, extension: number.flatMap { ExtensionNumber($0) }) {
            Console.complain("edgeproxy: \(weakness)")
            throw ExitCode.refused
        }
        var random = SystemRandomNumberGenerator()
        let salt = (0..<16).map { _ in UInt8.random(in: .min ... .max, using: &random) }
        print(PINHash.make(pin: pin, salt: salt).text)
    }

    private func read() throws -> String {
        if Console.isTerminal { Console.prompt("PIN: ") }
        guard let pin = Console.secretLine() else {
            Console.complain("edgeproxy: there was no PIN on standard input")
            throw ExitCode.refused
        }
        guard Console.isTerminal else { return pin }
        Console.prompt("Again: ")
        guard Console.secretLine() == pin else {
            Console.complain("edgeproxy: the two were not the same")
            throw ExitCode.refused
        }
        return pin
    }
}
