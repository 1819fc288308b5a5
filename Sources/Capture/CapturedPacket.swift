public import CoreTypes

/// A UDP payload, or a piece of one direction of a TCP connection in its right order.
public struct CapturedPacket: Equatable, Sendable {
    /// When it was captured, in nanoseconds where the file has them.
    public var at: Instant
    /// `.udp` or `.tcp`; what was TLS once is in the file as one of these.
    public var transport: TransportProtocol
    public var source: Endpoint
    public var destination: Endpoint
    public var payload: [UInt8]

    public init(at: Instant, transport: TransportProtocol, source: Endpoint, destination: Endpoint, payload: [UInt8]) {
        self.at = at
        self.transport = transport
        self.source = source
        self.destination = destination
        self.payload = payload
    }
}
