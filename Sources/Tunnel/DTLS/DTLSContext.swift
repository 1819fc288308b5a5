internal import COpenSSL
internal import CoreTypes

/// The rules of datagram lanes of one role: an `SSL_CTX` for DTLS 1.2 with a pre-shared key and nothing else.
/// Immutable once made; any thread may start sessions from it.
public final class DTLSContext: @unchecked Sendable {
    public enum Role: Hashable, Sendable { case client, server }

    public let role: Role
    let pointer: OpaquePointer

    /// RFC 5487: the key comes from a TLS 1.3 exporter and is as fresh as its connection, so no Diffie-Hellman of
    /// its own is needed, and the handshake fits in one datagram each way.
    static let ciphers = "PSK-AES128-GCM-SHA256:PSK-AES256-GCM-SHA384:PSK-CHACHA20-POLY1305"

    public init(role: Role) throws(TLSError) {
        self.role = role
        ERR_clear_error()
        guard let context = SSL_CTX_new(role == .client ? DTLS_client_method() : DTLS_server_method()) else {
            throw .library(why: "no memory for a context")
        }
        pointer = context
        _ = shim_SSL_CTX_set_min_proto_version(context, DTLS1_2_VERSION)
        _ = shim_SSL_CTX_set_max_proto_version(context, DTLS1_2_VERSION)
        guard SSL_CTX_set_cipher_list(context, Self.ciphers) == 1 else {
            throw .library(why: "the installed OpenSSL has no PSK ciphers: \(reason(of: ERR_peek_error()))")
        }
        let options = shim_SSL_OP_NO_QUERY_MTU() | shim_SSL_OP_NO_TICKET() | shim_SSL_OP_NO_RENEGOTIATION()
        _ = SSL_CTX_set_options(context, UInt64(options | shim_SSL_OP_NO_COMPRESSION()))
        shim_SSL_CTX_set_session_cache_mode(context, Int(SSL_SESS_CACHE_OFF))
        switch role {
        case .client: SSL_CTX_set_psk_client_callback(context, LaneIdentity.clientCallback)
        case .server: SSL_CTX_set_psk_server_callback(context, LaneIdentity.serverCallback)
        }
    }

    deinit { SSL_CTX_free(pointer) }
}

/// The key of one lane, where OpenSSL's callbacks find it. Lives as long as its session.
final class LaneIdentity {
    private let identity: [UInt8]
    private let secret: [UInt8]

    init(_ key: LaneKey) {
        identity = Array(key.token.description.utf8)
        secret = key.secret.exposed
    }

    var name: String { String(decoding: identity, as: UTF8.self) }

    func attach(to ssl: OpaquePointer) { SSL_set_ex_data(ssl, 0, Unmanaged.passUnretained(self).toOpaque()) }

    private static func of(_ ssl: OpaquePointer?) -> LaneIdentity? {
        guard let ssl, let pointer = SSL_get_ex_data(ssl, 0) else { return nil }
        return Unmanaged<LaneIdentity>.fromOpaque(pointer).takeUnretainedValue()
    }

    private func copySecret(to buffer: UnsafeMutablePointer<UInt8>?, room: UInt32) -> UInt32 {
        guard let buffer, secret.count <= Int(room) else { return 0 }
        for (place, byte) in secret.enumerated() { buffer[place] = byte }
        return UInt32(secret.count)
    }

    static let clientCallback: SSL_psk_client_cb_func = { ssl, _, identity, identityRoom, key, keyRoom in
        guard let lane = of(ssl), let identity, lane.identity.count < Int(identityRoom) else { return 0 }
        for (place, byte) in lane.identity.enumerated() { identity[place] = CChar(bitPattern: byte) }
        identity[lane.identity.count] = 0
        return lane.copySecret(to: key, room: keyRoom)
    }

    /// An identity other than the session's own gets no key, and the handshake fails.
    static let serverCallback: SSL_psk_server_cb_func = { ssl, identity, key, keyRoom in
        guard let lane = of(ssl), let identity, strlen(identity) == lane.identity.count,
            CRYPTO_memcmp(identity, lane.identity, lane.identity.count) == 0
        else { return 0 }
        return lane.copySecret(to: key, room: keyRoom)
    }
}
