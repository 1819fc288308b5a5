import CoreTypes
import Foundation

/// A folder of its own for one test, gone afterwards.
final class Folder: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "capture-tests-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { path + "/" + name }

    func file(_ name: String, _ bytes: [UInt8]) throws -> String {
        try Data(bytes).write(to: URL(fileURLWithPath: file(name)))
        return file(name)
    }
}

/// Where recorded captures are kept beside the project, or nil.
func sharedCaptures() -> [String] {
    var root = ProcessInfo.processInfo.environment["EDGE_SHARED"]
    if root == nil {
        var folder = URL(fileURLWithPath: #filePath)
        while folder.path != "/", !FileManager.default.fileExists(atPath: folder.appendingPathComponent("Package.swift").path) {
            folder.deleteLastPathComponent()
        }
        root = folder.deletingLastPathComponent().appendingPathComponent("shared").path
    }
    let captures = (root ?? "") + "/data/pcaps"
    return (try? FileManager.default.contentsOfDirectory(atPath: captures))?.sorted().map { captures + "/" + $0 } ?? []
}

/// Runs tshark; one list of fields per packet.
func tshark(_ path: String, fields: [String], filter: String = "") throws -> [[String]] {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/tshark")
    process.arguments =
        ["-r", path, "-T", "fields", "-E", "separator=|", "-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"]
        + (filter.isEmpty ? [] : ["-Y", filter]) + fields.flatMap { ["-e", $0] }
    let output = Pipe()
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.run()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return text.split(separator: "\n").map { $0.split(separator: "|", omittingEmptySubsequences: false).map(String.init) }
}

let hasTshark = FileManager.default.isExecutableFile(atPath: "/usr/bin/tshark")

func big(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 0xFF)] }
func big(_ value: UInt32) -> [UInt8] { big(UInt16(value >> 16)) + big(UInt16(value & 0xFFFF)) }
func little(_ value: UInt32) -> [UInt8] { big(value).reversed() }

/// Captures written byte by byte, independent of the code under test.
enum Wire {
    static let a = Endpoint(address: IPAddress(v4: 0xC000_0214), port: 5062)
    static let b = Endpoint(address: IPAddress(v4: 0xC000_020A), port: 5060)
    static let a6 = Endpoint(address: IPAddress(v6High: 0x2001_0db8_0000_0000, low: 0x14), port: 5062)
    static let b6 = Endpoint(address: IPAddress(v6High: 0x2001_0db8_0000_0000, low: 0x0A), port: 5060)

    /// A pcap of microseconds; packet n is at second n.
    static func pcap(link: UInt32, _ frames: [[UInt8]]) -> [UInt8] {
        var file = little(0xa1b2_c3d4) + [2, 0, 4, 0] + little(0) + little(0) + little(65_535) + little(link)
        for (second, frame) in frames.enumerated() {
            file += little(UInt32(second)) + little(250_000) + little(UInt32(frame.count)) + little(UInt32(frame.count)) + frame
        }
        return file
    }

    static func udp(_ payload: [UInt8], from: Endpoint = a, to: Endpoint = b) -> [UInt8] {
        big(from.port) + big(to.port) + big(UInt16(8 + payload.count)) + [0, 0] + payload
    }

    static func tcp(
        _ payload: [UInt8], sequence: UInt32, flags: UInt8 = 0x18, from: Endpoint = a, to: Endpoint = b, options: [UInt8] = []
    ) -> [UInt8] {
        let offset = UInt8(5 + options.count / 4) << 4
        return big(from.port) + big(to.port) + big(sequence) + big(UInt32(0)) + [offset, flags] + big(UInt16(8192)) + [0, 0, 0, 0]
            + options + payload
    }

    static func v4(
        _ payload: [UInt8], transport: UInt8, from: Endpoint = a, to: Endpoint = b, identification: UInt16 = 1, fragment: UInt16 = 0,
        options: [UInt8] = []
    ) -> [UInt8] {
        [0x45 + UInt8(options.count / 4), 0] + big(UInt16(20 + options.count + payload.count)) + big(identification) + big(fragment)
            + [64, transport, 0, 0] + from.address.bytes + to.address.bytes + options + payload
    }

    static func v6(_ payload: [UInt8], next: UInt8, from: Endpoint = a6, to: Endpoint = b6) -> [UInt8] {
        [0x60, 0, 0, 0] + big(UInt16(payload.count)) + [next, 64] + from.address.bytes + to.address.bytes + payload
    }

    static func ethernet(_ packet: [UInt8], type: UInt16 = 0x0800, tags: [UInt8] = []) -> [UInt8] {
        Array(repeating: 2, count: 12) + tags + big(type) + packet
    }
}
