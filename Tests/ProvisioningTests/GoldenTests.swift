import Foundation
import Provisioning
import Testing

/// What each vendor's file looks like, byte for byte. `UPDATE_GOLDEN=1` writes the files anew; then read the difference.
@Suite struct GoldenTests {
    enum State: String, CaseIterable { case idle, person, overflow }

    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Golden")

    private func check(_ name: String, _ text: String) throws {
        let file = Self.folder.appendingPathComponent(name)
        if ProcessInfo.processInfo.environment["UPDATE_GOLDEN"] == "1" {
            try FileManager.default.createDirectory(at: Self.folder, withIntermediateDirectories: true)
            try Data(text.utf8).write(to: file)
        }
        let expected = String(decoding: try Data(contentsOf: file), as: UTF8.self)
        let different = zip(expected.split(separator: "\n", omittingEmptySubsequences: false), text.split(separator: "\n", omittingEmptySubsequences: false))
            .first { $0 != $1 }
        #expect(text == expected, "\(name): \(different.map { "\"\($0.1)\" instead of \"\($0.0)\"" } ?? "another length")")
    }

    @Test(arguments: Vendor.allCases, State.allCases)
    func device(_ vendor: Vendor, _ state: State) throws {
        let models = try #require(Phones.usual.first { $0.vendor == vendor })
        let configuration: PhoneConfiguration?
        switch state {
        case .idle: configuration = Phones.configuration(models.model)
        case .person: configuration = Phones.configuration(models.model, person: Phones.alice, generation: 8)
        case .overflow: configuration = Phones.configuration(models.small, person: Phones.busy, generation: 9)
        }
        let file = try #require(configuration.flatMap(Renderer.device))
        try check("\(vendor.rawValue)-\(state.rawValue).txt", file.text)
    }

    @Test(arguments: Vendor.allCases)
    func bootstrap(_ vendor: Vendor) throws {
        let configuration = try #require(Phones.configuration("yealink-t33g"))
        let bootstrap = Bootstrap(
            vendor: vendor, mac: configuration.mac, url: configuration.url, authorityURL: vendor == .cisco ? "http://192.0.2.10:8080/ca.pem" : nil)
        try check("\(vendor.rawValue)-bootstrap.txt", Renderer.bootstrap(bootstrap).text)
        if let index = Renderer.index(vendor: vendor, mac: configuration.mac) { try check("\(vendor.rawValue)-index.txt", index.text) }
    }
}
