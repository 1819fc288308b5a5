import CoreTypes
import Glibc
import NIOCore
import Tunnel

/// A bound UDP socket that sends many datagrams in one call where the kernel cuts them apart (UDP_SEGMENT, udp(7)).
///
/// NIO reads from it by a descriptor of its own. Its writes would do but for their control messages, which put the
/// traffic class back to 0.
final class BatchSocket {
    /// What the kernel takes together.
    private static let maximumCount = 64
    private static let maximumBytes = 60_000
    private static let receiveBuffer: Int32 = 2 * 1024 * 1024

    private let descriptor: Int32
    /// Whether datagrams of one length leave together. A network interface may not be able to, which shows when it is asked.
    private var joins = System.supportsUDPSegmentationOffload

    /// - Parameter trafficClass: differentiated services code point, 0...63.
    init(_ endpoint: Endpoint, trafficClass: UInt8) throws {
        let isV6 = endpoint.address.family == .v6
        guard let address = endpoint.socketAddress else { throw ChannelError.unknownLocalAddress }
        descriptor = socket(isV6 ? AF_INET6 : AF_INET, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { throw IOError(errnoCode: errno, reason: "socket") }
        let options: [(level: Int, name: Int32, value: Int32)] = [
            (Int(SOL_SOCKET), SO_RCVBUF, Self.receiveBuffer),
            (isV6 ? Int(IPPROTO_IPV6) : Int(IPPROTO_IP), isV6 ? IPV6_TCLASS : IP_TOS, Int32(trafficClass & 0x3F) << 2),
        ]
        for option in options { set(option.level, option.name, option.value) }
        // An IPv4 socket on the same port is one of its own.
        if isV6 { set(Int(IPPROTO_IPV6), IPV6_V6ONLY, 1) }
        let bound = address.withSockAddr { [descriptor] in Glibc.bind(descriptor, $0, UInt32($1)) }
        guard bound == 0 else { throw IOError(errnoCode: errno, reason: "bind") }
    }

    deinit { if descriptor >= 0 { Glibc.close(descriptor) } }

    private func set(_ level: Int, _ name: Int32, _ value: Int32) {
        var value = value
        setsockopt(descriptor, Int32(level), name, &value, UInt32(MemoryLayout<Int32>.size))
    }

    /// Another descriptor of the socket, for its reader to own.
    func duplicate() throws -> Int32 {
        let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { throw IOError(errnoCode: errno, reason: "fcntl") }
        return copy
    }

    /// Sends at once; what the socket has no room for is gone.
    func send(_ batch: DatagramBatch, to address: SocketAddress) {
        batch.bytes.withUnsafeBytes { bytes in
            batch.forEachRun(maximumCount: joins ? Self.maximumCount : 1, maximumBytes: Self.maximumBytes) { place, segment in
                send(UnsafeRawBufferPointer(rebasing: bytes[place]), segment: segment, to: address)
            }
        }
    }

    private func send(_ bytes: UnsafeRawBufferPointer, segment: Int, to address: SocketAddress) {
        guard bytes.count > segment else { return send(bytes, to: address) }
        let number = send(bytes, to: address, segment: UInt16(clamping: segment))
        switch number {
        // Longer than the path takes: only alone are they cut into fragments.
        case EMSGSIZE: break
        case EIO, EINVAL, EOPNOTSUPP: joins = false
        default: return
        }
        for start in stride(from: 0, to: bytes.count, by: segment) {
            send(UnsafeRawBufferPointer(rebasing: bytes[start..<min(start + segment, bytes.count)]), to: address)
        }
    }

    private func send(_ bytes: UnsafeRawBufferPointer, to address: SocketAddress) {
        address.withSockAddr { name, size in
            _ = sendto(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL), name, UInt32(size))
        }
    }

    /// Gives the kernel datagrams of `segment` bytes that lie side by side; 0, or the number of the error.
    private func send(_ bytes: UnsafeRawBufferPointer, to address: SocketAddress, segment: UInt16) -> Int32 {
        var control = SegmentSize(value: segment)
        return address.withSockAddr { name, size in
            withUnsafeMutablePointer(to: &control) { control in
                var vector = iovec(iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), iov_len: bytes.count)
                return withUnsafeMutablePointer(to: &vector) { vector in
                    var message = msghdr()
                    message.msg_name = UnsafeMutableRawPointer(mutating: name)
                    message.msg_namelen = UInt32(size)
                    message.msg_iov = vector
                    message.msg_iovlen = 1
                    message.msg_control = UnsafeMutableRawPointer(control)
                    message.msg_controllen = MemoryLayout<SegmentSize>.stride
                    return sendmsg(descriptor, &message, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL)) < 0 ? errno : 0
                }
            }
        }
    }

    /// The control message UDP_SEGMENT as it lies in memory: its head, then the length of each datagram.
    private struct SegmentSize {
        var head = cmsghdr()
        var value: UInt16

        init(value: UInt16) {
            head.cmsg_len = MemoryLayout<cmsghdr>.size + MemoryLayout<UInt16>.size
            head.cmsg_level = Int32(IPPROTO_UDP)
            head.cmsg_type = 103
            self.value = value
        }
    }
}
