import Capture
import CoreTypes
import SIPMessage

/// One SIP message of a capture, or a datagram that is none.
struct CapturedMessage: Sendable {
    enum Content: Sendable {
        case request(SIPRequest)
        case response(SIPResponse)
        /// RTP, or what cannot be parsed.
        case other
    }

    /// Place of the packet it ended in, from 1.
    var number: Int
    var at: Instant
    /// As its top Via says, since a capture may hold as UDP what came by TCP.
    var transport: TransportProtocol
    var source: Endpoint
    var destination: Endpoint
    var bytes: [UInt8]
    var content: Content

    var request: SIPRequest? { if case .request(let request) = content { request } else { nil } }
    var response: SIPResponse? { if case .response(let response) = content { response } else { nil } }

    var headers: Headers? {
        switch content {
        case .request(let request): return request.headers
        case .response(let response): return response.headers
        case .other: return nil
        }
    }

    /// Whether bytes that do not parse were meant as a request: one of the first lines ends as a Request-Line does.
    var looksLikeRequest: Bool {
        guard case .other = content else { return false }
        let mark = Array("SIP/".utf8)
        let lines = bytes.prefix(1_024).split(whereSeparator: { $0 == 0x0D || $0 == 0x0A }).prefix(4)
        guard lines.first?.starts(with: mark) == false else { return false }
        return lines.contains { line in
            guard let space = line.lastIndex(of: 0x20) else { return false }
            return line[(space + 1)...].starts(with: mark)
        }
    }
}

/// Divides packets into messages: a datagram holds one, a TCP direction is framed (RFC 3261 §18.3).
struct MessageReader {
    private struct Direction: Hashable {
        var source: Endpoint
        var destination: Endpoint
    }

    private var framers: [Direction: StreamFramer] = [:]
    private(set) var messages: [CapturedMessage] = []

    static func read(_ packets: [CapturedPacket]) -> [CapturedMessage] {
        var reader = MessageReader()
        for (index, packet) in packets.enumerated() { reader.add(packet, index + 1) }
        return reader.messages
    }

    private mutating func add(_ packet: CapturedPacket, _ number: Int) {
        guard packet.transport.isReliable else { return append(packet.payload, packet, number, .datagram) }
        let direction = Direction(source: packet.source, destination: packet.destination)
        var framer = framers[direction] ?? StreamFramer()
        framer.append(packet.payload)
        framing: while true {
            switch framer.next() {
            case .message(let bytes): append(bytes, packet, number, .stream)
            case .ping, .pong: continue
            case .needMore:
                framers[direction] = framer
                break framing
            case .broken:
                // A capture may begin inside a message: the next segment gets a new chance.
                append(packet.payload, packet, number, nil)
                framers[direction] = nil
                break framing
            }
        }
    }

    /// - Parameter framing: nil for bytes that are known to be no message.
    private mutating func append(_ bytes: [UInt8], _ packet: CapturedPacket, _ number: Int, _ framing: Framing?) {
        var message = CapturedMessage(
            number: number, at: packet.at, transport: packet.transport, source: packet.source, destination: packet.destination,
            bytes: bytes, content: .other)
        if let framing, case .message(let parsed) = SIPMessage.parse(bytes, framing: framing) {
            switch parsed {
            case .request(let request): message.content = .request(request)
            case .response(let response): message.content = .response(response)
            }
            if let via = parsed.headers.via.first, !packet.transport.isReliable { message.transport = via.transport == "UDP" ? .udp : .tcp }
        }
        if message.transport == .tls { message.transport = .tcp }
        messages.append(message)
    }
}
