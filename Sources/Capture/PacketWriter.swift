public import CoreTypes
import Glibc
import Synchronization

/// Writes what was sent and received into a capture that Wireshark and sngrep read.
///
/// Everything is written as UDP between the true addresses, also what came by TCP or was decrypted from TLS. It can
/// be used from any thread. When the disk is full the capture ends; nothing else does.
public final class PacketWriter: Sendable {
    private struct State: ~Copyable {
        /// Nil once closed or failed.
        var file: CaptureFile?
        /// RFC 791: tells packets of one pair of hosts apart.
        var identification: UInt16 = 0
    }

    public let path: String
    private let maximumBytes: Int?
    private let olderFiles: Int
    private let onFailure: (@Sendable (CaptureError) -> Void)?
    private let state: Mutex<State>

    /// - Parameters:
    ///   - path: begun anew, unless `maximumBytes` is given: then a file that is there is moved aside first.
    ///   - maximumBytes: over it the file is moved to `path.1` and a new one begun. Nil: no bound.
    ///   - olderFiles: how many moved files are kept: `path.1`, the youngest, to `path.<olderFiles>`.
    ///   - onFailure: called once, when writing has failed and the capture is over.
    public init(
        path: String, maximumBytes: Int? = nil, olderFiles: Int = 4, onFailure: (@Sendable (CaptureError) -> Void)? = nil
    ) throws(CaptureError) {
        self.path = path
        self.maximumBytes = maximumBytes
        self.olderFiles = max(0, olderFiles)
        self.onFailure = onFailure
        if maximumBytes != nil { PacketWriter.moveAside(path, keeping: max(0, olderFiles)) }
        state = Mutex(State(file: try CaptureFile(path: path)))
    }

    /// Whether what is written still goes into a file.
    public var isCapturing: Bool { state.withLock { $0.file != nil } }

    public func write(_ payload: [UInt8], from source: Endpoint, to destination: Endpoint, at time: Instant) {
        payload.withUnsafeBytes { write($0, from: source, to: destination, at: time) }
    }

    /// A payload of more than 65507 bytes is cut.
    public func write(_ payload: UnsafeRawBufferPointer, from source: Endpoint, to destination: Endpoint, at time: Instant) {
        perform { (state) throws(CaptureError) in
            guard state.file != nil else { return }
            let packet = SyntheticDatagram.make(payload, from: source, to: destination, identification: state.identification)
            state.identification &+= 1
            try rotate(&state, before: CaptureFile.sizeOfRecord(packet.count))
            try state.file?.append(packet, at: time)
        }
    }

    /// Hands everything to the system, so that others can read it.
    public func flush() {
        perform { (state) throws(CaptureError) in try state.file?.flush() }
    }

    /// Flushes and ends the capture. Writing afterwards does nothing.
    public func close() {
        perform { (state) throws(CaptureError) in
            try state.file?.flush()
            state.file = nil
        }
    }

    /// A failure ends the capture and is reported, outside the lock.
    private func perform(_ work: (inout State) throws(CaptureError) -> Void) {
        let failure: CaptureError? = state.withLock { state in
            do throws(CaptureError) {
                try work(&state)
                return nil
            } catch {
                state.file = nil
                return error
            }
        }
        if let failure { onFailure?(failure) }
    }

    private func rotate(_ state: inout State, before count: Int) throws(CaptureError) {
        guard let maximumBytes, let size = state.file?.size, size > 24, size + count > maximumBytes else { return }
        try state.file?.flush()
        state.file = nil
        PacketWriter.moveAside(path, keeping: olderFiles)
        state.file = try CaptureFile(path: path)
    }

    /// `path` becomes `path.1`, `path.1` becomes `path.2` and so on; the last is written over.
    private static func moveAside(_ path: String, keeping count: Int) {
        for number in stride(from: count, to: 0, by: -1) {
            rename(number == 1 ? path : "\(path).\(number - 1)", "\(path).\(number)")
        }
    }
}
