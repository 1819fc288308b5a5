public import CoreTypes
internal import COpenSSL

/// What opens a datagram lane: the session's token, and a key both ends take from their TLS stream.
public struct LaneKey: Hashable, Sendable {
    /// RFC 5705 §4: an exporter label, with the token as the context.
    public static let label = "EXPORTER-branch-edge-media-lane"
    public static let count = 32

    public var token: SessionToken
    public var secret: Personal<[UInt8]>

    public init(token: SessionToken, secret: Personal<[UInt8]>) {
        self.token = token
        self.secret = secret
    }
}

/// Pointers and counts for a C call.
func exportKey(_ ssl: OpaquePointer, label: String, context: [UInt8], count: Int) -> [UInt8]? {
    var key = [UInt8](repeating: 0, count: count)
    ERR_clear_error()
    let done = SSL_export_keying_material(ssl, &key, key.count, label, label.utf8.count, context, context.count, 1)
    return done == 1 ? key : nil
}
