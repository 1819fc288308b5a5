import CoreTypes
import Glibc
import Media

/// The memory of one round of recvmmsg and sendmmsg: allocated once, used for every packet.
///
/// What is forwarded leaves from the very buffer it came into.
final class PacketBatch {
    static let capacity = 32
    /// More than any Ethernet frame; longer datagrams are dropped.
    static let bufferSize = 2048

    private let buffers: UnsafeMutableRawPointer
    private let names: UnsafeMutableRawPointer
    private let vectors: UnsafeMutablePointer<iovec>
    private let incoming: UnsafeMutablePointer<MultiMessage>
    private let targets: UnsafeMutableRawPointer
    private let targetVectors: UnsafeMutablePointer<iovec>
    private let outgoing: UnsafeMutablePointer<MultiMessage>
    private let sockets: UnsafeMutablePointer<Int32>
    private(set) var queued = 0

    init() {
        buffers = .allocate(byteCount: Self.bufferSize * Self.capacity, alignment: 64)
        names = .allocate(byteCount: SocketAddress.capacity * Self.capacity, alignment: 8)
        targets = .allocate(byteCount: SocketAddress.capacity * Self.capacity, alignment: 8)
        vectors = .allocate(capacity: Self.capacity)
        targetVectors = .allocate(capacity: Self.capacity)
        incoming = .allocate(capacity: Self.capacity)
        outgoing = .allocate(capacity: Self.capacity)
        sockets = .allocate(capacity: Self.capacity)
        sockets.initialize(repeating: -1, count: Self.capacity)
        incoming.initialize(repeating: MultiMessage(), count: Self.capacity)
        outgoing.initialize(repeating: MultiMessage(), count: Self.capacity)
        for index in 0..<Self.capacity {
            vectors[index] = iovec(iov_base: buffers + index * Self.bufferSize, iov_len: Self.bufferSize)
            targetVectors[index] = iovec()
            connect(&incoming[index].header, names + index * SocketAddress.capacity, vectors + index)
            connect(&outgoing[index].header, targets + index * SocketAddress.capacity, targetVectors + index)
        }
    }

    deinit {
        for memory in [buffers, names, targets] { memory.deallocate() }
        vectors.deallocate()
        targetVectors.deallocate()
        incoming.deallocate()
        outgoing.deallocate()
        sockets.deallocate()
    }

    private func connect(_ header: inout msghdr, _ name: UnsafeMutableRawPointer, _ vector: UnsafeMutablePointer<iovec>) {
        header.msg_name = name
        header.msg_namelen = UInt32(SocketAddress.capacity)
        header.msg_iov = vector
        header.msg_iovlen = 1
    }

    /// Reads what waits in a socket, up to `capacity` packets; how many came.
    func receive(from socket: Int32) -> Int {
        for index in 0..<Self.capacity { incoming[index].header.msg_namelen = UInt32(SocketAddress.capacity) }
        return max(0, LinuxDescriptor.receive(socket, incoming, Self.capacity))
    }

    /// Makes packet `index` one that came by another way; false where it is too long.
    func load(_ index: Int, _ bytes: [UInt8], from sender: Endpoint) -> Bool {
        guard index >= 0, index < Self.capacity, bytes.count <= Self.bufferSize else { return false }
        bytes.withUnsafeBytes { (buffers + index * Self.bufferSize).copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(buffers), byteCount: $0.count) }
        incoming[index].length = UInt32(bytes.count)
        incoming[index].header.msg_flags = 0
        incoming[index].header.msg_namelen = SocketAddress.write(sender, to: names + index * SocketAddress.capacity)
        return true
    }

    /// Who sent packet `index`; nil where the kernel cut it or does not say.
    func sender(_ index: Int) -> Endpoint? {
        guard index >= 0, index < Self.capacity else { return nil }
        let header = incoming[index].header
        guard header.msg_flags & Int32(MSG_TRUNC) == 0, header.msg_namelen > 0 else { return nil }
        return SocketAddress.read(names + index * SocketAddress.capacity)
    }

    /// The bytes of packet `index`.
    func packet(_ index: Int) -> UnsafeMutableBufferPointer<UInt8> {
        guard index >= 0, index < Self.capacity else { return UnsafeMutableBufferPointer(start: nil, count: 0) }
        let start = (buffers + index * Self.bufferSize).assumingMemoryBound(to: UInt8.self)
        return UnsafeMutableBufferPointer(start: start, count: min(Int(incoming[index].length), Self.bufferSize))
    }

    /// The whole buffer of packet `index`, with the room behind it.
    func buffer(_ index: Int) -> UnsafeMutableRawBufferPointer {
        guard index >= 0, index < Self.capacity else { return UnsafeMutableRawBufferPointer(start: nil, count: 0) }
        return UnsafeMutableRawBufferPointer(start: buffers + index * Self.bufferSize, count: Self.bufferSize)
    }

    /// Packet `index` has so many bytes now.
    func resize(_ index: Int, _ count: Int) {
        guard index >= 0, index < Self.capacity else { return }
        incoming[index].length = UInt32(clamping: min(max(0, count), Self.bufferSize))
    }

    /// Puts another packet in the place of packet `index`; false where it is too long.
    func rewrite(_ index: Int, _ header: RTPHeader, _ payload: [UInt8]) -> Bool {
        guard RTPHeader.size + payload.count <= Self.bufferSize, index >= 0, index < Self.capacity else { return false }
        resize(index, RTPHeader.size + payload.count)
        let bytes = packet(index)
        var span = bytes.mutableSpan
        guard header.write(into: &span) else { return false }
        UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(bytes)[RTPHeader.size...]).copyBytes(from: payload)
        return true
    }

    /// Puts packet `index` on the list of what `send` sends out of a socket.
    func queue(_ index: Int, to target: Endpoint, from socket: Int32) {
        let bytes = packet(index)
        guard queued < Self.capacity, let base = bytes.baseAddress else { return }
        targetVectors[queued] = iovec(iov_base: base, iov_len: bytes.count)
        outgoing[queued].header.msg_namelen = SocketAddress.write(target, to: targets + queued * SocketAddress.capacity)
        sockets[queued] = socket
        queued += 1
    }

    /// Sends the list and empties it; how many the kernel took. One it refuses does not hold up those behind it.
    func send() -> Int {
        var offset = 0
        var sent = 0
        while offset < queued {
            var end = offset + 1
            while end < queued, sockets[end] == sockets[offset] { end += 1 }
            let count = LinuxDescriptor.send(sockets[offset], outgoing + offset, end - offset)
            sent += max(0, count)
            offset += max(1, count)
        }
        queued = 0
        return sent
    }
}
