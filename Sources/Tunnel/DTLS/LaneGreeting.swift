/// Reads the session token out of the first datagram of a lane, before anything is kept for its sender: the name
/// (RFC 6066 §3) in a whole, unencrypted ClientHello of DTLS (RFC 6347 §4.2).
public func laneToken(inFirst datagram: [UInt8]) -> SessionToken? {
    var reader = WireReader(datagram)
    // Record: handshake, any 254.x version, epoch 0. Message: ClientHello, not a later fragment.
    guard reader.integer(UInt8.self) == 22, reader.integer(UInt8.self) == 254, reader.take(1) != nil,
        reader.integer(UInt16.self) == 0, reader.take(8) != nil, reader.integer(UInt8.self) == 1, reader.take(5) != nil,
        reader.take(3).map({ $0.allSatisfy { $0 == 0 } }) == true, reader.take(3 + 2 + 32) != nil,
        // Session id, cookie, cipher suites, compression methods.
        reader.skipShort(), reader.skipShort(), reader.skipLong(), reader.skipShort(),
        let length = reader.integer(UInt16.self), let extensions = reader.take(Int(length))
    else { return nil }
    return serverName(in: extensions).flatMap(SessionToken.init(hexadecimal:))
}

private func serverName(in extensions: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
    var reader = WireReader(extensions)
    while let type = reader.integer(UInt16.self), let length = reader.integer(UInt16.self), let value = reader.take(Int(length)) {
        guard type == 0 else { continue }
        var names = WireReader(value)
        guard names.integer(UInt16.self) != nil, names.integer(UInt8.self) == 0, let count = names.integer(UInt16.self) else { return nil }
        return names.take(Int(count))
    }
    return nil
}

extension WireReader {
    /// Steps over a field with a length of one byte.
    fileprivate mutating func skipShort() -> Bool { integer(UInt8.self).flatMap { take(Int($0)) } != nil }
    /// Steps over a field with a length of two.
    fileprivate mutating func skipLong() -> Bool { integer(UInt16.self).flatMap { take(Int($0)) } != nil }
}
