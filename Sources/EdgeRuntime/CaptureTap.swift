import Capture
import CoreTypes
import Dispatch
import Glibc
import Logging
import MediaRelay
import SiteFile
import Synchronization

/// Writes what the edge sends and receives into capture files, on a queue of its own: SIP of both sides, the
/// trunk's decrypted, with the flows' true addresses, and media. What people type is masked before it is written.
final class CaptureTap: Sendable {
    /// Packets that may wait for the disk; further ones are not captured.
    private static let capacity = 20_000
    /// How long what was written may stay in memory.
    private static let flushInterval = DispatchTimeInterval.seconds(1)

    private struct Line {
        var waiting = 0
        var isFlushing = false
        var hasDropped = false
    }

    private let writer: PacketWriter
    private let clock: EdgeClock
    private let logger: Logger
    private let queue = DispatchQueue(label: "edge.capture", qos: .utility)
    private let line = Mutex(Line())

    /// Begins `<directory>/<site>.pcap`; makes the folder where it is missing.
    init(
        options: CaptureOptions, site: String, clock: EdgeClock, degraded: DegradedState, logger: Logger
    ) throws(EdgeServerError) {
        mkdir(options.directory, 0o700)
        let path = "\(options.directory)/\(site).pcap"
        self.clock = clock
        self.logger = logger
        do throws(CaptureError) {
            writer = try PacketWriter(path: path, maximumBytes: Int(clamping: options.maximumSize)) { error in
                degraded.set(.capture, "\(error)")
                logger.error("capture: \(error)")
            }
        } catch {
            throw .capture(reason: error.description)
        }
    }

    /// One SIP message, as it came or went.
    func signalling(_ bytes: [UInt8], from source: Endpoint, to destination: Endpoint) {
        write(from: source, to: destination) { CaptureMask.maskSIP(bytes) }
    }

    /// For the media loop; the bytes are copied before it returns.
    var mediaTap: MediaTap {
        { [self] bytes, source, destination, kind in
            let packet = [UInt8](bytes)
            write(from: source, to: destination) {
                switch kind {
                case .plain: return packet
                case .sensitiveAudio: return CaptureMask.maskAudio(packet)
                case .sensitiveEvent(let payloadType): return CaptureMask.maskTelephoneEvent(packet, payloadType: payloadType)
                }
            }
        }
    }

    /// Writes what waits, and ends the capture.
    func close() { queue.sync { writer.close() } }

    private func write(from source: Endpoint, to destination: Endpoint, _ packet: @escaping @Sendable () -> [UInt8]) {
        let now = clock.now
        let (isAdmitted, isFirstDrop, startsFlush) = line.withLock { line in
            guard line.waiting < Self.capacity else {
                defer { line.hasDropped = true }
                return (false, !line.hasDropped, false)
            }
            line.waiting += 1
            defer { line.isFlushing = true }
            return (true, false, !line.isFlushing)
        }
        if isFirstDrop { logger.warning("capture: the disk is too slow; packets are missing in \(writer.path)") }
        guard isAdmitted else { return }
        queue.async { [self] in
            line.withLock { $0.waiting -= 1 }
            writer.write(packet(), from: source, to: destination, at: now)
        }
        if startsFlush { queue.asyncAfter(deadline: .now() + Self.flushInterval) { self.flush() } }
    }

    private func flush() {
        line.withLock { $0.isFlushing = false }
        writer.flush()
    }
}
