import CoreTypes
import Media
import Synchronization
import Testing

@testable import MediaRelay

/// What a test saw on the loop's thread.
final class Recorder: Sendable {
    struct Tapped: Sendable, Equatable {
        var bytes: [UInt8]
        var from: Endpoint
        var to: Endpoint
        var kind: MediaTapKind
    }

    private let held = Mutex<([MediaEvent], [String], [Tapped])>(([], [], []))

    var events: [MediaEvent] { held.withLock { $0.0 } }
    var log: [String] { held.withLock { $0.1 } }
    var tapped: [Tapped] { held.withLock { $0.2 } }
    func add(_ event: MediaEvent) { held.withLock { $0.0.append(event) } }
    func add(_ line: String) { held.withLock { $0.1.append(line) } }
    func add(_ tapped: Tapped) { held.withLock { $0.2.append(tapped) } }

    /// Every pair announced so far, in order, those announced again too.
    var announced: [MediaPorts] {
        events.flatMap { event -> [MediaPorts] in
            if case .portsReady(let ports) = event { return ports }
            return []
        }
    }

    var keys: String {
        String(decoding: events.compactMap { event -> UInt8? in
            if case .digit(_, let key) = event { return key }
            return nil
        }, as: UTF8.self)
    }
}

/// A far end: an RTP socket and an RTCP socket of its own.
final class Peer {
    let endpoint: Endpoint
    let controlEndpoint: Endpoint
    private let media: Int32
    private let control: Int32
    private let buffers = PacketBuffers(count: 1)
    var sequence: UInt16 = 100
    let source: UInt32

    init(_ address: IPAddress = .loopback, source: UInt32 = .random(in: 1 ... .max)) throws {
        self.source = source
        media = try DatagramSocket.bind(Endpoint(address: address, port: 0), trafficClass: nil)
        control = try DatagramSocket.bind(Endpoint(address: address, port: 0), trafficClass: nil)
        endpoint = try #require(DatagramSocket.name(of: media))
        controlEndpoint = try #require(DatagramSocket.name(of: control))
    }

    deinit {
        DatagramSocket.close(media)
        DatagramSocket.close(control)
    }

    /// Sends an RTP packet with the next sequence number; its bytes.
    @discardableResult
    func send(_ payload: [UInt8], type: UInt8 = 0, timestamp: UInt32 = 0, to ports: MediaPorts) -> [UInt8] {
        sequence &+= 1
        let header = RTPHeader(marker: false, payloadType: type, sequenceNumber: sequence, timestamp: timestamp, source: source)
        var bytes = [UInt8](repeating: 0, count: RTPHeader.size)
        var span = bytes.mutableSpan
        _ = header.write(into: &span)
        sendRaw(bytes + payload, to: ports)
        return bytes + payload
    }

    func sendRaw(_ bytes: [UInt8], to ports: MediaPorts) {
        let target = Endpoint(address: ports.address, port: ports.rtp)
        bytes.withUnsafeBytes { _ = DatagramSocket.send($0, from: media, to: target) }
    }

    func sendControl(_ bytes: [UInt8], to ports: MediaPorts) {
        let target = Endpoint(address: ports.address, port: ports.rtcp)
        bytes.withUnsafeBytes { _ = DatagramSocket.send($0, from: control, to: target) }
    }

    /// What has come since the last call.
    func received() -> [(bytes: [UInt8], from: Endpoint)] { take(media) }
    func receivedControl() -> [(bytes: [UInt8], from: Endpoint)] { take(control) }

    private func take(_ socket: Int32) -> [(bytes: [UInt8], from: Endpoint)] {
        var found: [(bytes: [UInt8], from: Endpoint)] = []
        while buffers.receive(0, from: socket) {
            if let sender = buffers.sender(0) { found.append((Array(buffers.packet(0)), sender)) }
        }
        return found
    }

    func leg(_ ports: MediaPorts, telephoneEvent: UInt8? = nil) -> MediaLeg {
        MediaLeg(ports: ports, remote: endpoint, remoteControl: controlEndpoint, telephoneEvent: telephoneEvent)
    }
}

extension IPAddress {
    static let loopback = IPAddress(v4: 0x7F00_0001)
    /// A second host, as far as addresses go.
    static let otherLoopback = IPAddress(v4: 0x7F00_0002)
}

/// A loop on loopback, on ports of its own.
final class RelayBench {
    struct TimedOut: Error { var waitingFor: String }

    /// What the loops of this task use.
    @TaskLocal static var way = MediaLoopWay.ring
    /// Whether they have a thread of somebody else's.
    @TaskLocal static var isHosted = false

    /// Below the ports that the kernel gives to sockets bound to none, as those of the peers are: there are fewer than 200
    /// loops in a run.
    private static let nextRange = Mutex<UInt16>(UInt16.random(in: 100...120) * 100)

    let loop: MediaLoop
    let recorder = Recorder()
    let ports: ClosedRange<UInt16>

    init(
        address: IPAddress = .loopback, pairs: UInt16 = 40, ports range: ClosedRange<UInt16>? = nil,
        prompts: PromptLibrary = PromptLibrary(), silence: Duration? = nil
    ) throws {
        let first = Self.nextRange.withLock { next -> UInt16 in
            defer { next += 100 }
            return next
        }
        ports = range ?? first...(first + 2 * pairs - 1)
        let recorder = recorder
        var configuration = MediaLoopConfiguration(
            addresses: [address], ports: ports, prompts: prompts, silence: silence, dscp: 46,
            tap: { recorder.add(Recorder.Tapped(bytes: Array($0), from: $1, to: $2, kind: $3)) },
            log: { recorder.add("\($0): \($1)") }, randomSeed: 1)
        configuration.way = Self.way
        // How busy the machine is must not decide a test.
        configuration.keyPatience = .seconds(600)
        loop = try MediaLoop(configuration: configuration, on: Self.isHosted ? ThreadHost() : nil) { recorder.add($0) }
    }

    deinit { loop.stop() }

    /// Polls until the condition holds; five seconds are far more than anything here takes.
    func wait(for what: String, until condition: () -> Bool) async throws {
        let end = ContinuousClock.now + .seconds(5)
        while ContinuousClock.now < end {
            if condition() { return }
            try await Task.sleep(for: .milliseconds(1))
        }
        if !condition() { throw TimedOut(waitingFor: what) }
    }

    func reserve(_ count: Int, _ family: IPAddress.Family = .v4) async throws -> [MediaPorts] {
        let before = recorder.announced.count
        loop.perform(.reserve(count: count, family: family))
        try await wait(for: "\(count) port pairs") { recorder.announced.count >= before + count }
        return Array(recorder.announced[before..<(before + count)])
    }

    /// A command that answers with an event: when it is there, everything before it has been performed.
    func settle() async throws {
        let id = MediaSessionID(rawValue: .random(in: 1 << 32 ... .max))
        loop.perform(.close(id))
        let mark = "session \(id.rawValue),"
        try await wait(for: "the loop") { recorder.log.contains { $0.contains(mark) } }
    }
}

extension RelayBench {
    /// A socket somebody else holds.
    struct Holder {
        let descriptor: Int32
        func close() { DatagramSocket.close(descriptor) }
    }

    static func hold(_ endpoint: Endpoint) throws -> Holder {
        Holder(descriptor: try DatagramSocket.bind(endpoint, trafficClass: nil))
    }
}
