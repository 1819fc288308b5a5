import CoreTypes
import Glibc
import NIOCore

/// Options set on each socket by number, since not all have a name in NIO.
enum SocketOptions {
    /// - Parameter trafficClass: differentiated services code point, 0...63.
    static func apply(
        to channel: any Channel, _ family: IPAddress.Family, trafficClass: UInt8, isListener: Bool
    ) -> EventLoopFuture<Void> {
        let value = Int(trafficClass & 0x3F) << 2
        do {
            guard let options = channel.syncOptions else { return channel.eventLoop.makeSucceededVoidFuture() }
            switch family {
            case .v4: try options.setOption(.socketOption(level: IPPROTO_IP, name: IP_TOS), value: value)
            case .v6:
                try options.setOption(.socketOption(level: IPPROTO_IPV6, name: IPV6_TCLASS), value: value)
                // An IPv4 listener on the same port is a socket of its own.
                if isListener { try options.setOption(.socketOption(level: IPPROTO_IPV6, name: IPV6_V6ONLY), value: 1) }
            }
        } catch {
            return channel.eventLoop.makeFailedFuture(error)
        }
        return channel.eventLoop.makeSucceededVoidFuture()
    }

    /// A peer that is silently gone is noticed: probes after 30 s of silence, and data unacknowledged for
    /// `timeout` milliseconds ends the connection (TCP_USER_TIMEOUT, RFC 5482).
    static func keepAlive(_ channel: any Channel, timeout: Int) throws {
        guard let options = channel.syncOptions else { return }
        try options.setOption(.socketOption(level: IPPROTO_TCP, name: TCP_NODELAY), value: 1)
        try options.setOption(.socketOption(level: SOL_SOCKET, name: SO_KEEPALIVE), value: 1)
        try options.setOption(.socketOption(level: IPPROTO_TCP, name: TCP_KEEPIDLE), value: 30)
        try options.setOption(.socketOption(level: IPPROTO_TCP, name: TCP_KEEPINTVL), value: 10)
        try options.setOption(.socketOption(level: IPPROTO_TCP, name: TCP_KEEPCNT), value: 3)
        try options.setOption(.socketOption(level: IPPROTO_TCP, name: TCP_USER_TIMEOUT), value: timeout)
    }
}

extension ChannelOption where Self == ChannelOptions.Types.SocketOption {
    fileprivate static func socketOption(level: some BinaryInteger, name: CInt) -> Self {
        ChannelOptions.Types.SocketOption(level: .init(rawValue: CInt(level)), name: .init(rawValue: name))
    }
}
