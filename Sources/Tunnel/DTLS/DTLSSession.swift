internal import COpenSSL
public import CoreTypes

/// One end of a datagram lane: datagrams of the network in and out, and payloads both ways. It knows no socket and
/// no clock. Replayed records are dropped by OpenSSL (RFC 6347 §4.1.2.6).
///
/// After every call the owner sends `takeOutput()`, takes the payloads, and looks at `state` and `nextDeadline`.
public struct DTLSSession: ~Copyable {
    public enum State: Hashable, Sendable {
        case handshaking
        case open
        case closed(TLSSession.Closure)
    }

    public struct Settings: Hashable, Sendable {
        /// The largest datagram, without IP and UDP headers: 228...16 384. 548 where the path takes 576 bytes.
        public var mtu = 1400
        /// RFC 6347 §4.2.4.1 says one second; the stream has told that the peer is there.
        public var firstRetransmission: Duration = .milliseconds(250)
        public var maximumRetransmission: Duration = .seconds(2)
        /// After this long without an open lane, the handshake has failed.
        public var handshake: Duration = .seconds(5)
        public init() {}
    }

    public private(set) var state: State = .handshaking

    private let ssl: OpaquePointer
    private let input: OpaquePointer
    private let output: OpaquePointer
    private let context: DTLSContext
    private let identity: LaneIdentity
    private let settings: Settings
    private var flight: LaneFlight
    private var payloads = DatagramBatch()
    private var datagrams = DatagramBatch()

    /// The most a record adds to its payload: header 13, nonce 8, tag 16 (RFC 6347 §4.1, RFC 5288 §3).
    public static let overhead = 37

    /// Starts a lane; a client's first datagram is then ready.
    public init(context: DTLSContext, key: LaneKey, settings: Settings = .init(), now: Instant) throws(TLSError) {
        self.context = context
        self.settings = settings
        identity = LaneIdentity(key)
        flight = LaneFlight(settings, now: now)
        (ssl, input, output) = try Self.makeConnection(context, identity, mtu: max(228, min(settings.mtu, 16_384)))
        advance(now, room: 0)
    }

    deinit { SSL_free(ssl) }

    /// The largest payload a datagram takes.
    public var maximumPayload: Int { settings.mtu - Self.overhead }

    /// When `tick` must come; only while the handshake lasts.
    public var nextDeadline: Instant? { state == .handshaking ? flight.nextDeadline : nil }

    /// Sends the last flight again, or gives up.
    public mutating func tick(now: Instant) {
        guard state == .handshaking, flight.nextDeadline <= now else { return }
        guard now < flight.giveUp else { return fail(.closedDuringHandshake) }
        for datagram in flight.repeated(now: now) { datagrams.append(datagram) }
    }

    /// Takes one datagram. What was damaged, forged or replayed vanishes.
    public mutating func receive(_ datagram: UnsafeRawBufferPointer, now: Instant) {
        guard let first = datagram.first, datagram.count <= 65_535, !isClosed else { return }
        // Handshake records (RFC 5246 §6.2.1: 20, 22) after ours is over: the far end lacks our last flight.
        let lacksFlight = state == .open && (first == 20 || first == 22)
        let waiting = datagrams.count
        BIO_write(input, datagram.baseAddress, Int32(datagram.count))
        advance(now, room: datagram.count)
        shim_BIO_reset(input)
        guard lacksFlight, state == .open, datagrams.count == waiting else { return }
        for datagram in flight.answered(now: now) { datagrams.append(datagram) }
    }

    public mutating func receive(_ datagram: [UInt8], now: Instant) { datagram.withUnsafeBytes { receive($0, now: now) } }

    /// Encrypts one payload. Throws `notOpen`, or `library` for one that fits no datagram.
    public mutating func send(_ payload: [UInt8]) throws(TLSError) {
        guard state == .open else { throw .notOpen }
        guard !payload.isEmpty, payload.count <= maximumPayload else { throw .library(why: "\(payload.count) bytes fit in no datagram") }
        ERR_clear_error()
        let written = payload.withUnsafeBytes { SSL_write(ssl, $0.baseAddress, Int32($0.count)) }
        guard written == Int32(payload.count) else {
            let error = TLSError.library(why: reason(of: ERR_peek_error()))
            fail(error)
            throw error
        }
        collect()
    }

    /// Tells the far end, where there is one.
    public mutating func close() {
        guard !isClosed else { return }
        if state == .open {
            ERR_clear_error()
            _ = SSL_shutdown(ssl)
            collect()
        }
        state = .closed(.here)
    }

    /// Datagrams for the network, each to be sent by itself.
    public mutating func takeOutput() -> DatagramBatch {
        guard !datagrams.isEmpty else { return DatagramBatch() }
        defer { datagrams = DatagramBatch() }
        return datagrams
    }

    /// Exchanges what is in `batch`, whose memory is used again, for the payloads that came, one for each record.
    public mutating func takePayloads(into batch: inout DatagramBatch) {
        batch.removeAll()
        swap(&batch, &payloads)
    }

    private var isClosed: Bool {
        switch state {
        case .handshaking, .open: return false
        case .closed: return true
        }
    }
}

extension DTLSSession {
    /// `room`: no payload is longer than the datagram it came in.
    private mutating func advance(_ now: Instant, room: Int) {
        if state == .handshaking { shakeHands(now) }
        while state == .open, readRecord(room: max(room, 1)) {}
    }

    private mutating func shakeHands(_ now: Instant) {
        ERR_clear_error()
        let result = SSL_do_handshake(ssl)
        let before = datagrams.count
        collect()
        if datagrams.count > before { flight.note(datagrams.from(before), now: now) }
        if result == 1 {
            state = .open
        } else {
            settle(SSL_get_error(ssl, result))
        }
    }

    private mutating func readRecord(room: Int) -> Bool {
        ERR_clear_error()
        let ssl = ssl
        var count: Int32 = 0
        payloads.append(room: room) { free in
            count = SSL_read(ssl, free.baseAddress, Int32(clamping: free.count))
            return Int(count)
        }
        collect()
        if count > 0 { return true }
        settle(SSL_get_error(ssl, count))
        return false
    }

    /// Cuts what OpenSSL wrote into datagrams: whole records (RFC 6347 §4.1), as many as fit in one.
    private mutating func collect() {
        let waiting = BIO_ctrl_pending(output)
        guard waiting > 0 else { return }
        let (output, mtu) = (output, settings.mtu)
        datagrams.append(room: waiting) { free in
            Int(BIO_read(output, free.baseAddress, Int32(clamping: free.count)))
        } cut: { bytes in
            recordsGathered(bytes, mtu: mtu)
        }
    }

    private mutating func settle(_ outcome: Int32) {
        switch outcome {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return
        case SSL_ERROR_ZERO_RETURN: state = .closed(.byPeer)
        default:
            let error = ERR_peek_error()
            fail(.corrupted(why: error == 0 ? "unexpected end" : reason(of: error)))
        }
    }

    private mutating func fail(_ error: TLSError) {
        ERR_clear_error()
        state = .closed(.failed(error))
        collect()
    }

    private static func makeConnection(
        _ context: DTLSContext, _ identity: LaneIdentity, mtu: Int
    ) throws(TLSError) -> (OpaquePointer, OpaquePointer, OpaquePointer) {
        guard let ssl = SSL_new(context.pointer) else { throw .library(why: "no memory for a lane") }
        let bios = (input: BIO_new(BIO_s_mem()), output: BIO_new(BIO_s_mem()))
        guard let input = bios.input, let output = bios.output else {
            BIO_free(bios.input)
            BIO_free(bios.output)
            SSL_free(ssl)
            throw .library(why: "no memory for a lane")
        }
        SSL_set_bio(ssl, input, output)
        shim_SSL_set_mtu(ssl, mtu)
        shim_DTLS_set_endless_timer(ssl)
        identity.attach(to: ssl)
        switch context.role {
        case .client:
            // The name tells the headend for which session this is, before anything is kept for it.
            _ = shim_SSL_set_tlsext_host_name(ssl, identity.name)
            SSL_set_connect_state(ssl)
        case .server: SSL_set_accept_state(ssl)
        }
        return (ssl, input, output)
    }
}

/// Lengths of datagrams of at most `mtu` bytes made of whole records; a longer record has one of its own.
private func recordsGathered(_ bytes: ArraySlice<UInt8>, mtu: Int) -> [Int] {
    var made: [Int] = []
    var rest = bytes
    while !rest.isEmpty {
        let header = rest.prefix(13)
        let length = header.count < 13 ? rest.count : 13 + Int(header[header.startIndex + 11]) << 8 + Int(header[header.startIndex + 12])
        let record = min(length, rest.count)
        rest = rest.dropFirst(record)
        if let last = made.last, last + record <= mtu {
            made[made.count - 1] = last + record
        } else {
            made.append(record)
        }
    }
    return made
}
