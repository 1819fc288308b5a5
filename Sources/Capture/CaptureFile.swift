import CPcap
import CoreTypes
import Glibc

/// One capture being written: LINKTYPE_RAW, nanoseconds. Readable by its owner alone.
struct CaptureFile: ~Copyable {
    let path: String
    /// Bytes handed to the file, header included.
    private(set) var size = 24
    private let format: OpaquePointer
    private let dumper: OpaquePointer

    /// Begins the file anew.
    init(path: String) throws(CaptureError) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .cannotOpen(path: path, reason: CaptureFile.systemReason()) }
        guard let stream = fdopen(descriptor, "w") else {
            let reason = CaptureFile.systemReason()
            close(descriptor)
            throw .cannotOpen(path: path, reason: reason)
        }
        guard
            let format = pcap_open_dead_with_tstamp_precision(DLT_RAW, 262_144, UInt32(PCAP_TSTAMP_PRECISION_NANO))
        else {
            fclose(stream)
            throw .cannotOpen(path: path, reason: "out of memory")
        }
        guard let dumper = pcap_dump_fopen(format, stream) else {
            let reason = String(cString: pcap_geterr(format))
            fclose(stream)
            pcap_close(format)
            throw .cannotOpen(path: path, reason: reason)
        }
        self.path = path
        self.format = format
        self.dumper = dumper
    }

    deinit {
        pcap_dump_close(dumper)
        pcap_close(format)
    }

    /// How much a packet of so many bytes takes in the file.
    static func sizeOfRecord(_ count: Int) -> Int { 16 + count }

    mutating func append(_ packet: [UInt8], at time: Instant) throws(CaptureError) {
        let nanoseconds = max(0, time.nanoseconds)
        let stamp = timeval(tv_sec: Int(nanoseconds / 1_000_000_000), tv_usec: Int(nanoseconds % 1_000_000_000))
        let count = UInt32(truncatingIfNeeded: packet.count)
        var header = pcap_pkthdr(ts: stamp, caplen: count, len: count)
        errno = 0
        packet.withUnsafeBufferPointer {
            pcap_dump(UnsafeMutableRawPointer(dumper).assumingMemoryBound(to: UInt8.self), &header, $0.baseAddress)
        }
        size += CaptureFile.sizeOfRecord(packet.count)
        try check()
    }

    func flush() throws(CaptureError) {
        errno = 0
        guard pcap_dump_flush(dumper) == 0 else { throw .writeFailed(path: path, reason: CaptureFile.systemReason()) }
        try check()
    }

    /// libpcap does not report that a write failed; its stream does.
    private func check() throws(CaptureError) {
        guard let stream = pcap_dump_file(dumper), ferror(stream) == 0 else {
            throw .writeFailed(path: path, reason: CaptureFile.systemReason())
        }
    }

    private static func systemReason() -> String { String(cString: strerror(errno)) }
}
