import CoreTypes
import Glibc
import Media

/// The memory packets come into: allocated once, and a packet is known by the number of its buffer.
///
/// What is forwarded leaves from the very buffer it came into. In front of each packet is room for what the kernel says of
/// it and for an address: the sender's until the packet is on its way, then its target's.
final class PacketBuffers {
    /// More than any Ethernet frame; longer datagrams are dropped.
    static let packetSize = 2048
    /// What a multishot recvmsg(2) writes in front of the address.
    static let nameOffset = 16
    /// Room for an address, such that packets begin at a multiple of 64.
    static let nameRoom = headroom - nameOffset
    static let headroom = 64
    static let stride = headroom + packetSize

    let count: Int
    let memory: UnsafeMutableRawPointer
    private let lengths: UnsafeMutablePointer<UInt32>

    init(count: Int) {
        self.count = count
        memory = .allocate(byteCount: Self.stride * count, alignment: 64)
        lengths = .allocate(capacity: count)
        lengths.initialize(repeating: 0, count: count)
    }

    deinit {
        memory.deallocate()
        lengths.deallocate()
    }

    /// Where a sockaddr of packet `index` is.
    func name(_ index: Int) -> UnsafeMutableRawPointer {
        precondition(index >= 0 && index < count)
        return memory + index * Self.stride + Self.nameOffset
    }

    /// Who sent packet `index`; nil for an address of a family that is not ours.
    func sender(_ index: Int) -> Endpoint? { SocketAddress.read(name(index)) }

    /// The bytes of packet `index`.
    func packet(_ index: Int) -> UnsafeMutableBufferPointer<UInt8> {
        precondition(index >= 0 && index < count)
        let start = (memory + index * Self.stride + Self.headroom).assumingMemoryBound(to: UInt8.self)
        return UnsafeMutableBufferPointer(start: start, count: Int(lengths[index]))
    }

    /// The whole buffer of packet `index`, with the room behind it.
    func buffer(_ index: Int) -> UnsafeMutableRawBufferPointer {
        precondition(index >= 0 && index < count)
        return UnsafeMutableRawBufferPointer(start: memory + index * Self.stride + Self.headroom, count: Self.packetSize)
    }

    /// Packet `index` has so many bytes now.
    func resize(_ index: Int, _ length: Int) {
        precondition(index >= 0 && index < count)
        lengths[index] = UInt32(min(max(0, length), Self.packetSize))
    }

    /// Puts another packet in the place of packet `index`; false where it is too long.
    func rewrite(_ index: Int, _ header: RTPHeader, _ payload: [UInt8]) -> Bool {
        guard RTPHeader.size + payload.count <= Self.packetSize else { return false }
        resize(index, RTPHeader.size + payload.count)
        let bytes = packet(index)
        var span = bytes.mutableSpan
        guard header.write(into: &span) else { return false }
        UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(bytes)[RTPHeader.size...]).copyBytes(from: payload)
        return true
    }

    /// Makes packet `index` one that came by another way; false where it is too long.
    func load(_ index: Int, _ bytes: UnsafeRawBufferPointer, from sender: Endpoint) -> Bool {
        guard bytes.count <= Self.packetSize else { return false }
        buffer(index).copyBytes(from: bytes)
        resize(index, bytes.count)
        _ = SocketAddress.write(sender, to: name(index))
        return true
    }

    /// Reads one datagram of a socket into packet `index`; false where none waits.
    func receive(_ index: Int, from socket: Int32) -> Bool {
        let name = name(index)
        var size = UInt32(Self.nameRoom)
        // The true length of what was cut, so that it can be told from what fits.
        let flags = Int32(MSG_DONTWAIT) | Int32(MSG_TRUNC)
        let length = recvfrom(
            socket, name + Self.nameRoom, Self.packetSize, flags, name.assumingMemoryBound(to: sockaddr.self), &size)
        guard length >= 0 else { return false }
        if length > Self.packetSize { name.storeBytes(of: 0, as: sa_family_t.self) }
        resize(index, length)
        return true
    }

    /// Sends packet `index` at once; whether the kernel took it.
    func send(_ index: Int, to target: Endpoint, from socket: Int32) -> Bool {
        let name = name(index)
        let size = SocketAddress.write(target, to: name)
        let bytes = packet(index)
        let flags = Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL)
        return sendto(socket, bytes.baseAddress, bytes.count, flags, name.assumingMemoryBound(to: sockaddr.self), size) == bytes.count
    }
}
