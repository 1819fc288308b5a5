import Capture
import CoreTypes
import MediaRelay
import SiteFile
import Testing

@testable import EdgeRuntime

@Suite struct CaptureTapTests {
    private let folder = TestFolder()
    private let phone = Endpoint(address: IPAddress(v4: 0xC000_0205), port: 5062)
    private let edge = Endpoint(address: IPAddress(v4: 0xC000_020A), port: 5060)

    private func packets() throws -> [CapturedPacket] {
        try PacketReader.read(path: folder.file("captures/branch.pcap"))
    }

    private func tap() throws -> CaptureTap {
        try CaptureTap(
            options: CaptureOptions(directory: folder.file("captures"), maximumSize: 1 << 20), site: "branch", clock: EdgeClock(),
            degraded: DegradedState(), logger: TestLog().logger)
    }

    @Test func whatIsTypedIsMasked() throws {
        let tap = try tap()
        let info = "INFO sip:a@b SIP/2.0\r\nContent-Type: application/dtmf-relay\r\n\r\nSignal=7\r\nDuration=160\r\n"
        tap.signalling(Array(info.utf8), from: phone, to: edge)
        let event: [UInt8] = [0x80, 101, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 7, 0x8A, 3, 0x20]
        event.withUnsafeBytes { tap.mediaTap($0, phone, edge, .sensitiveEvent(payloadType: 101)) }
        event.withUnsafeBytes { tap.mediaTap($0, phone, edge, .plain) }
        tap.close()
        let found = try packets()
        #expect(found.map(\.source) == [phone, phone, phone])
        let text = String(decoding: found.first?.payload ?? [], as: UTF8.self)
        #expect(text.contains("Signal=0") && !text.contains("Signal=7"))
        #expect(found.dropFirst().map { $0.payload[12] } == [0, 7])
    }

    @Test func aFolderThatCannotBeMadeIsSaid() {
        #expect(throws: EdgeServerError.self) {
            try CaptureTap(
                options: CaptureOptions(directory: "/proc/nothing", maximumSize: 1 << 20), site: "branch", clock: EdgeClock(),
                degraded: DegradedState(), logger: TestLog().logger)
        }
    }
}
