import CPcap
import CoreTypes

/// Bounds what one capture may cost to read.
public struct ReaderLimits: Sendable, Equatable {
    public var maximumPackets = 2_000_000
    /// Payload bytes, all packets together.
    public var maximumBytes = 512 << 20

    public init() {}
}

/// What a capture holds.
public struct CaptureContents: Sendable, Equatable {
    public var packets: [CapturedPacket] = []
    /// Frames that gave no payload: another protocol, cut short by the capture, or broken.
    public var skipped = 0
    /// Why reading stopped before the end of the file.
    public var problem: CaptureError?
}

/// Reads pcap and pcapng.
public struct PacketReader {
    private let link: LinkLayer
    private let limits: ReaderLimits
    private var contents = CaptureContents()
    private var byteCount = 0
    private var fragments = FragmentBuffer()
    private var streams = StreamAssembler()

    /// The payloads in order of time; TCP as in-order pieces per direction, to be framed by the caller. A damaged file
    /// gives what stands before the damage.
    public static func read(path: String) throws(CaptureError) -> [CapturedPacket] {
        try contents(path: path).packets
    }

    /// Like `read`, and says what was left out.
    public static func contents(path: String, limits: ReaderLimits = .init()) throws(CaptureError) -> CaptureContents {
        var reason = [CChar](repeating: 0, count: Int(PCAP_ERRBUF_SIZE))
        // libpcap takes "-" for standard input.
        let name = path == "-" ? "./-" : path
        guard let file = pcap_open_offline_with_tstamp_precision(name, UInt32(PCAP_TSTAMP_PRECISION_NANO), &reason) else {
            throw .notACapture(path: path, reason: text(reason))
        }
        defer { pcap_close(file) }
        var reader = PacketReader(link: try LinkLayer(pcap_datalink(file)), limits: limits)
        reader.readAll(file)
        return reader.contents
    }

    private init(link: LinkLayer, limits: ReaderLimits) {
        self.link = link
        self.limits = limits
    }

    private mutating func readAll(_ file: OpaquePointer) {
        var header: UnsafeMutablePointer<pcap_pkthdr>?
        var data: UnsafePointer<UInt8>?
        reading: while true {
            switch pcap_next_ex(file, &header, &data) {
            case 1:
                guard let header = header?.pointee, let data else { break reading }
                let bytes = Array(UnsafeBufferPointer(start: data, count: Int(header.caplen)))
                guard contents.packets.count < limits.maximumPackets, byteCount + bytes.count <= limits.maximumBytes else {
                    contents.problem = .tooLarge
                    break reading
                }
                byteCount += bytes.count
                if !add(PacketBytes(bytes), at: PacketReader.instant(header.ts)) { contents.skipped += 1 }
            case -2:
                break reading
            default:
                contents.problem = .damaged(reason: String(cString: pcap_geterr(file)))
                break reading
            }
        }
        streams.finish(into: &contents.packets)
    }

    /// - Returns: whether the frame was of use.
    private mutating func add(_ frame: PacketBytes, at time: Instant) -> Bool {
        guard let packet = link.packet(in: frame).flatMap(InternetPacket.init), !packet.isTruncated else { return false }
        guard let fragment = packet.fragment else { return add(packet, packet.payload, at: time) }
        let key = FragmentBuffer.Key(
            source: packet.source, destination: packet.destination, identification: fragment.identification,
            transport: packet.transport)
        guard let whole = fragments.add(fragment, packet.payload.array, key: key) else { return true }
        return add(packet, PacketBytes(whole), at: time)
    }

    private mutating func add(_ packet: InternetPacket, _ payload: PacketBytes, at time: Instant) -> Bool {
        guard let source = payload.word(0), let destination = payload.word(2) else { return false }
        let from = Endpoint(address: packet.source, port: source)
        let to = Endpoint(address: packet.destination, port: destination)
        switch packet.transport {
        case InternetPacket.udp: return addUDP(payload, from, to, time)
        case InternetPacket.tcp: return addTCP(payload, from, to, time)
        default: return false
        }
    }

    /// RFC 768.
    private mutating func addUDP(_ datagram: PacketBytes, _ from: Endpoint, _ to: Endpoint, _ time: Instant) -> Bool {
        guard let length = datagram.word(4), length == 0 || length >= 8 else { return false }
        let count = (length == 0 ? datagram.count : Int(length)) - 8
        guard let payload = datagram.part(8, count: count) else { return false }
        contents.packets.append(
            CapturedPacket(at: time, transport: .udp, source: from, destination: to, payload: payload.array))
        return true
    }

    /// RFC 9293 §3.1.
    private mutating func addTCP(_ segment: PacketBytes, _ from: Endpoint, _ to: Endpoint, _ time: Instant) -> Bool {
        guard let sequence = segment.double(4), let offset = segment.byte(12), let flags = segment.byte(13),
            offset >> 4 >= 5, let payload = segment.rest(Int(offset >> 4) * 4)
        else { return false }
        streams.add(
            StreamAssembler.Segment(
                at: time, sequence: sequence, begins: flags & 0x02 != 0, ends: flags & 0x05 != 0, payload: payload.array),
            StreamAssembler.Direction(source: from, destination: to), into: &contents.packets)
        return true
    }

    /// libpcap was asked for nanoseconds.
    private static func instant(_ stamp: timeval) -> Instant {
        let (nanoseconds, overflow) = Int64(stamp.tv_sec).multipliedReportingOverflow(by: 1_000_000_000)
        guard !overflow else { return Instant(nanoseconds: 0) }
        return Instant(nanoseconds: nanoseconds) + .nanoseconds(Int64(stamp.tv_usec))
    }

    private static func text(_ reason: [CChar]) -> String {
        String(decoding: reason.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
