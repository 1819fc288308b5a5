import CoreTypes
import Glibc
import HotDeskPolicy
import Logging
import NIOCore
import NIOPosix
import Provisioning

/// Hears phones that look for their server by multicast (SIP PnP, 224.0.1.75 port 5060) on the interfaces whose networks
/// the site listens in, and answers those that are armed. Lives on the signalling loop.
final class PnPListener: @unchecked Sendable {
    /// One of the machine's interfaces, and the socket answers leave by.
    private struct Interface {
        var local: Endpoint
        /// Bits of its network.
        var prefix: Int
        var channel: any Channel
    }

    private let loop: any EventLoop
    private let clock: EdgeClock
    private let logger: Logger
    private let target: (MACAddress) -> PnPTarget?
    private var responder: PnPResponder
    private var interfaces: [Int: Interface] = [:]
    private var timer: Scheduled<Void>?

    /// - Parameter target: where the phone with this MAC is sent, nil where it is sent nowhere; called on the loop.
    init(loop: any EventLoop, clock: EdgeClock, logger: Logger, target: @escaping (MACAddress) -> PnPTarget?) {
        self.loop = loop
        self.clock = clock
        self.logger = logger
        self.target = target
        responder = PnPResponder(mode: .provision, secret: SystemRandom.bytes(32), now: clock.now)
    }

    private static let group = IPAddress(v4: 0xE000_014B)
    private static let port: UInt16 = 5060

    /// Joins the group on every interface in whose network one of these addresses lies. Not called on the loop.
    /// - Returns: what was opened, for closing; empty where no interface can be used, which the log says.
    func open(on addresses: [IPAddress]) throws -> [any Channel] {
        guard let groupAddress = Endpoint(address: Self.group, port: Self.port).socketAddress else { return [] }
        let channel = try DatagramBootstrap(group: loop)
            .channelOption(.socketOption(.so_reuseaddr), value: 1)
            .channelOption(.receivePacketInfo, value: true)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(PnPInbound(self)) }
            }
            .bind(to: groupAddress).wait()
        var channels: [any Channel] = [channel]
        for device in try System.enumerateDevices() {
            guard let address = Self.address(of: device, among: addresses), let own = Endpoint(address: address, port: 0).socketAddress else {
                continue
            }
            do {
                try Self.join(channel, device)
                let answers = try DatagramBootstrap(group: loop)
                    .channelInitializer { channel in
                        channel.eventLoop.makeCompletedFuture {
                            try channel.pipeline.syncOperations.addHandler(PnPInbound(self, interface: device.interfaceIndex))
                        }
                    }
                    .bind(to: own).wait()
                channels.append(answers)
                guard let local = answers.localAddress.flatMap(Endpoint.init) else { continue }
                let interface = Interface(local: local, prefix: Self.prefix(device), channel: answers)
                loop.execute { self.interfaces[device.interfaceIndex] = interface }
                logger.info("PnP: phones are heard on \(device.name), \(address)")
            } catch {
                logger.warning("PnP: phones cannot be heard on \(device.name): \(error)")
            }
        }
        return channels
    }

    /// IP_ADD_MEMBERSHIP (ip(7)) by the interface's number. NIO's own way refuses the loopback, where it works as well.
    private static func join(_ channel: any Channel, _ device: NIONetworkDevice) throws {
        guard let provider = channel as? any SocketOptionProvider else { throw ChannelError.operationUnsupported }
        // struct ip_mreqn: the group and a local address, both in network order, then the interface.
        let membership: (UInt32, UInt32, CInt) = (
            UInt32(truncatingIfNeeded: group.low).bigEndian, 0, CInt(truncatingIfNeeded: device.interfaceIndex)
        )
        try provider.unsafeSetSocketOption(level: .ip, name: NIOBSDSocket.Option(rawValue: IP_ADD_MEMBERSHIP), value: membership).wait()
    }

    /// The first of our addresses that lies in the interface's network.
    private static func address(of device: NIONetworkDevice, among addresses: [IPAddress]) -> IPAddress? {
        guard let address = device.address.flatMap(Endpoint.init)?.address, address.family == .v4,
            let mask = device.netmask.flatMap(Endpoint.init)?.address
        else { return nil }
        return addresses.first { $0.family == .v4 && $0.low & mask.low == address.low & mask.low }
    }

    private static func prefix(_ device: NIONetworkDevice) -> Int {
        guard let mask = device.netmask.flatMap(Endpoint.init)?.address else { return 32 }
        return mask.low.nonzeroBitCount
    }

    // MARK: On the loop

    fileprivate func received(_ bytes: [UInt8], from source: Endpoint, interface index: Int) {
        guard let interface = interfaces[index] else { return }
        perform(
            responder.receive(
                bytes, from: source, at: interface.local, prefix: interface.prefix, now: clock.now, target: target))
    }

    private func perform(_ actions: [PnPResponder.Action]) {
        for action in actions {
            switch action {
            case .send(let bytes, let to, let from): send(bytes, to, from)
            case .seen(let sighting, let isAnswered):
                logger.info(
                    "PnP: \(sighting.mac) \(sighting.vendor) \(sighting.model) looks for its server\(isAnswered ? ", and is told" : "")")
            case .confirmed(let mac): logger.info("PnP: \(mac) has its server's address")
            case .unanswered(let mac): logger.notice("PnP: \(mac) did not take its server's address")
            case .dropped(let reason): logger.debug("PnP: dropped: \(reason)")
            }
        }
        arm()
    }

    private func send(_ bytes: [UInt8], _ remote: Endpoint, _ local: Endpoint) {
        guard let channel = interfaces.values.first(where: { $0.local == local })?.channel, let address = remote.socketAddress else { return }
        channel.writeAndFlush(AddressedEnvelope(remoteAddress: address, data: channel.allocator.buffer(bytes: bytes)), promise: nil)
    }

    private func arm() {
        timer?.cancel()
        guard let due = responder.nextDeadline else { return }
        let wait = max(.zero, due - clock.now)
        timer = loop.scheduleTask(in: .nanoseconds(wait.clampedNanoseconds)) { [weak self] in
            guard let self else { return }
            perform(responder.advance(now: clock.now))
        }
    }
}

/// What comes to the group, or back to one of our own sockets.
private final class PnPInbound: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>

    private let listener: PnPListener
    /// The interface of an own socket; nil for the group's, where each datagram says it.
    private let interface: Int?

    init(_ listener: PnPListener, interface: Int? = nil) {
        self.listener = listener
        self.interface = interface
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let envelope = unwrapInboundIn(data)
        guard let source = Endpoint(envelope.remoteAddress), let index = interface ?? envelope.metadata?.packetInfo?.interfaceIndex else { return }
        listener.received(envelope.data.withUnsafeReadableBytes { [UInt8]($0) }, from: source, interface: index)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {}
}
