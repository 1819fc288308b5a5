internal import COpenSSL
public import CoreTypes

/// One TLS connection as a machine: bytes of the network in, bytes for the network out, and the plain text
/// both ways. It knows no socket. Belongs to one event loop.
///
/// After every call the owner sends `takeOutput()`, reads the plain text, then looks at `state`: what came
/// before the end of a connection is still there to be read after it.
public struct TLSSession: ~Copyable {
    public enum State: Hashable, Sendable {
        case handshaking
        case open
        case closed(Closure)
    }

    /// Why nothing more will come.
    public enum Closure: Hashable, Sendable {
        /// The far end sent close_notify.
        case byPeer
        /// `close()` was called.
        case here
        case failed(TLSError)
    }

    public private(set) var state: State = .handshaking
    /// What was negotiated, and with whom; nil before the handshake is over.
    public private(set) var peer: TLSPeer?

    private let context: TLSContext
    private let ssl: OpaquePointer
    /// From the network, and to it. Owned by `ssl`.
    private let input: OpaquePointer
    private let output: OpaquePointer
    private let verification: Verification
    private var plaintext = ByteStore()
    private var gathered = ByteStore()

    /// The most plain text one record holds (RFC 8446 §5.1).
    private static let recordSize = 16_384

    /// Starts a connection; a client's first message is then ready to be sent.
    ///
    /// `now` is the time certificates are judged by.
    public init(context: TLSContext, now: Instant) throws(TLSError) {
        let verification = Verification(now: now.unixSeconds, peerName: context.peerName)
        (ssl, input, output) = try Self.makeConnection(context, verification)
        self.context = context
        self.verification = verification
        advance()
    }

    deinit { SSL_free(ssl) }

    // MARK: From the network

    /// Takes bytes the network brought.
    public mutating func receive(_ bytes: UnsafeRawBufferPointer) {
        var rest = bytes[...]
        while !rest.isEmpty, !isClosed {
            // A bound on what lies in the BIO at a time, and on the Int32 of its interface.
            let part = UnsafeRawBufferPointer(rebasing: rest.prefix(1 << 20))
            rest = rest.dropFirst(part.count)
            guard BIO_write(input, part.baseAddress, Int32(part.count)) == Int32(part.count) else {
                return fail(.library(why: "no memory for \(part.count) bytes"))
            }
            advance()
        }
    }

    public mutating func receive(_ bytes: [UInt8]) { bytes.withUnsafeBytes { receive($0) } }

    /// The network connection ended. Without close_notify before it, that is a failure.
    public mutating func transportClosed() {
        switch state {
        case .handshaking: state = .closed(.failed(.closedDuringHandshake))
        case .open: state = .closed(.failed(.truncated))
        case .closed: break
        }
    }

    /// How many bytes of plain text wait.
    public var plaintextCount: Int { plaintext.count }

    /// Lends the plain text that came to `body`, without a copy, and forgets it.
    public mutating func withPlaintext<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        defer { plaintext.removeAll() }
        return body(plaintext.bytes)
    }

    /// The plain text that came, as an array of its own.
    public mutating func takePlaintext() -> [UInt8] { withPlaintext { Array($0) } }

    // MARK: To the network

    /// Encrypts `bytes` for the network: one record for each 16 KiB. Throws `notOpen` outside of `state == .open`.
    public mutating func send(_ bytes: UnsafeRawBufferPointer) throws(TLSError) {
        guard state == .open else { throw .notOpen }
        guard !bytes.isEmpty else { return }
        ERR_clear_error()
        var written = 0
        guard SSL_write_ex(ssl, bytes.baseAddress, bytes.count, &written) == 1, written == bytes.count else {
            let error = TLSError.library(why: reason(of: ERR_peek_error()))
            fail(error)
            throw error
        }
    }

    public mutating func send(_ bytes: [UInt8]) throws(TLSError) {
        let result: Result<Void, TLSError> = bytes.withUnsafeBytes { buffer in
            do throws(TLSError) { return .success(try send(buffer)) } catch { return .failure(error) }
        }
        try result.get()
    }

    /// Encrypts several messages into as few records as they fit in.
    public mutating func send(_ messages: [[UInt8]]) throws(TLSError) {
        guard messages.count != 1 else { return try send(messages[0]) }
        for message in messages { message.withUnsafeBytes { gathered.append($0) } }
        defer { gathered.removeAll() }
        try send(gathered.bytes)
    }

    /// Says close_notify where the handshake is over; nothing can be sent after it, and what still comes is dropped.
    public mutating func close() {
        switch state {
        case .handshaking: state = .closed(.here)
        case .open:
            ERR_clear_error()
            _ = SSL_shutdown(ssl)
            state = .closed(.here)
        case .closed: break
        }
    }

    /// The key of this connection's datagram lane (RFC 5705; RFC 8446 §7.5). Throws `notOpen` before the handshake
    /// is over and after the end.
    public func laneKey(for token: SessionToken) throws(TLSError) -> LaneKey {
        guard state == .open else { throw .notOpen }
        guard let secret = exportKey(ssl, label: LaneKey.label, context: token.bytes, count: LaneKey.count) else {
            throw .library(why: "no key can be taken from the stream")
        }
        return LaneKey(token: token, secret: Personal(secret))
    }

    func exported(_ label: String, _ count: Int) throws(TLSError) -> [UInt8] {
        guard state == .open else { throw .notOpen }
        guard let secret = exportKey(ssl, label: label, context: [], count: count) else {
            throw .library(why: "no key can be taken from the stream")
        }
        return secret
    }

    /// How many bytes wait for the network.
    public var outputCount: Int { BIO_ctrl_pending(output) }

    /// Moves bytes for the network straight into `buffer`; returns how many. More may wait.
    public mutating func readOutput(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        guard buffer.count > 0, BIO_ctrl_pending(output) > 0 else { return 0 }
        return max(0, Int(BIO_read(output, buffer.baseAddress, Int32(clamping: buffer.count))))
    }

    /// All bytes that wait for the network.
    public mutating func takeOutput() -> [UInt8] {
        let waiting = outputCount
        guard waiting > 0 else { return [] }
        return [UInt8](unsafeUninitializedCapacity: waiting) { buffer, count in
            count = readOutput(into: UnsafeMutableRawBufferPointer(buffer))
        }
    }
}

// MARK: - The machine

extension TLSSession {
    private var isClosed: Bool {
        switch state {
        case .handshaking, .open: return false
        case .closed: return true
        }
    }

    /// Goes as far as the input allows: through the handshake, then through all whole records.
    private mutating func advance() {
        if state == .handshaking { shakeHands() }
        while state == .open, readRecord() {}
    }

    private mutating func shakeHands() {
        ERR_clear_error()
        let result = SSL_do_handshake(ssl)
        guard result != 1 else {
            peer = TLSPeer(ssl)
            state = .open
            return
        }
        settle(SSL_get_error(ssl, result))
    }

    /// Reads one record's plain text; false where there is no whole one.
    private mutating func readRecord() -> Bool {
        ERR_clear_error()
        let ssl = ssl
        var result: Int32 = 0
        let count = plaintext.append(room: Self.recordSize) { free in
            var count = 0
            result = SSL_read_ex(ssl, free.baseAddress, free.count, &count)
            return result == 1 ? count : 0
        }
        if result == 1 { return count > 0 }
        settle(SSL_get_error(ssl, result))
        return false
    }

    private mutating func settle(_ outcome: Int32) {
        switch outcome {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return
        case SSL_ERROR_ZERO_RETURN:
            _ = SSL_shutdown(ssl)
            state = .closed(.byPeer)
        default:
            fail(TLSError(libraryError: ERR_peek_error(), ssl: ssl, verification: verification))
        }
    }

    /// An alert that OpenSSL made for the far end stays in the output.
    private mutating func fail(_ error: TLSError) {
        ERR_clear_error()
        state = .closed(.failed(error))
    }

    private static func makeConnection(
        _ context: TLSContext, _ verification: Verification
    ) throws(TLSError) -> (OpaquePointer, OpaquePointer, OpaquePointer) {
        guard let ssl = SSL_new(context.pointer) else { throw .library(why: "no memory for a connection") }
        let bios = (input: BIO_new(BIO_s_mem()), output: BIO_new(BIO_s_mem()))
        guard let input = bios.input, let output = bios.output else {
            BIO_free(bios.input)
            BIO_free(bios.output)
            SSL_free(ssl)
            throw .library(why: "no memory for a connection")
        }
        SSL_set_bio(ssl, input, output)
        SSL_set_read_ahead(ssl, 1)
        verification.attach(to: ssl)
        switch context.configuration.role {
        case .server(let clients, let isRequired):
            SSL_set_accept_state(ssl)
            let asked = isRequired ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT : SSL_VERIFY_PEER
            let mode = clients == nil ? SSL_VERIFY_NONE : asked
            SSL_set_verify(ssl, mode, Verification.callback)
        case .client(_, .nobody):
            SSL_set_connect_state(ssl)
            SSL_set_verify(ssl, SSL_VERIFY_NONE, nil)
        case .client:
            SSL_set_connect_state(ssl)
            SSL_set_verify(ssl, SSL_VERIFY_PEER, Verification.callback)
            guard verification.expectPeer(of: ssl) else {
                SSL_free(ssl)
                throw .badServerName(context.peerName?.text ?? "")
            }
        }
        return (ssl, input, output)
    }
}
