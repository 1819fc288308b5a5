import CURing
import CoreTypes
import Glibc

/// Moves datagrams by io_uring(7): the kernel fills buffers of ours from every watched socket by itself, and takes what we send
/// in one call with the wait for the next. Belongs to the thread that makes it.
///
/// A buffer that was filled is the caller's until the next `wait`, or, where it is being sent, until the kernel has it.
final class PacketRing {
    /// What the kernel reports.
    enum Completion {
        /// Buffer `index` holds a packet that came to the socket watched under `token`.
        case packet(index: Int, token: UInt64)
        /// What came to that socket was too long.
        case oversized(token: UInt64)
        /// A watched descriptor can be read.
        case readable(token: UInt64)
        /// The kernel would not send a packet it was given.
        case unsent
        /// Nothing for the caller.
        case none
    }

    /// Buffers for what comes in; a power of two.
    static let capacity = 256
    /// Reports of one round: fewer than buffers, so that some are always free for what comes meanwhile.
    static let roundSize = 128
    private static let submissions: UInt32 = 512
    private static let completions: UInt32 = 4096
    private static let sendTag: UInt64 = 1 << 62
    private static let descriptorTag: UInt64 = 1 << 61
    private static let tokenMask: UInt64 = (1 << 61) - 1
    private static let group: UInt16 = 0

    let buffers: PacketBuffers
    private let ring: UnsafeMutablePointer<io_uring>
    private let free: UnsafeMutablePointer<io_uring_buf_ring>
    private let shape: UnsafeMutablePointer<msghdr>
    private let reports: UnsafeMutablePointer<UnsafeMutablePointer<io_uring_cqe>?>
    private var reported = 0
    /// Buffers to give back when the kernel has taken what is to be sent.
    private var used: [Int] = []
    /// Sockets to be watched again, by token.
    private var descriptors: [UInt64: Int32] = [:]
    private var isClosed = false

    /// Sets a ring up; throws what the kernel said.
    ///
    /// - Parameter extra: buffers behind those the kernel fills, for the caller.
    init(extra: Int) throws(SocketError) {
        ring = .allocate(capacity: 1)
        ring.initialize(to: io_uring())
        var parameters = io_uring_params()
        parameters.flags = Self.flags
        parameters.cq_entries = Self.completions
        let result = io_uring_queue_init_params(Self.submissions, ring, &parameters)
        guard result == 0 else {
            ring.deallocate()
            throw SocketError(number: -result)
        }
        buffers = PacketBuffers(count: Self.capacity + extra)
        let size = MemoryLayout<io_uring_buf>.stride * Self.capacity
        let memory = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 4096)
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: size)
        free = memory.assumingMemoryBound(to: io_uring_buf_ring.self)
        shape = .allocate(capacity: 1)
        shape.initialize(to: msghdr())
        shape.pointee.msg_namelen = UInt32(PacketBuffers.nameRoom)
        reports = .allocate(capacity: Self.roundSize)
        reports.initialize(repeating: nil, count: Self.roundSize)
        used.reserveCapacity(Self.capacity)
        var registration = io_uring_buf_reg()
        registration.ring_addr = UInt64(UInt(bitPattern: memory))
        registration.ring_entries = UInt32(Self.capacity)
        registration.bgid = Self.group
        let registered = io_uring_register_buf_ring(ring, &registration, 0)
        guard registered == 0 else {
            close()
            throw SocketError(number: -registered)
        }
        io_uring_buf_ring_init(free)
        used = Array(0..<Self.capacity)
        giveBack()
    }

    deinit {
        close()
        UnsafeMutableRawPointer(free).deallocate()
        shape.deallocate()
        reports.deallocate()
        ring.deallocate()
    }

    /// One thread uses the ring, and is not interrupted for what has come: it is handed over when the thread asks.
    private static var flags: UInt32 {
        UInt32(IORING_SETUP_CQSIZE) | UInt32(IORING_SETUP_SINGLE_ISSUER) | UInt32(IORING_SETUP_DEFER_TASKRUN) | UInt32(IORING_SETUP_TASKRUN_FLAG)
    }

    /// Gives the sockets up and ends the ring; on the thread that made it.
    func close() {
        guard !isClosed else { return }
        isClosed = true
        // What is under way holds its socket, and so its port, until it is over; the kernel would end it in its own time.
        var all = io_uring_sync_cancel_reg()
        all.fd = -1
        all.flags = UInt32(IORING_ASYNC_CANCEL_ANY) | UInt32(IORING_ASYNC_CANCEL_ALL)
        all.timeout = __kernel_timespec(tv_sec: -1, tv_nsec: -1)
        descriptors.removeAll()
        _ = io_uring_submit(ring)
        _ = io_uring_register_sync_cancel(ring, &all)
        _ = io_uring_get_events(ring)
        io_uring_queue_exit(ring)
    }

    /// Sees that the ring does what is asked of it: has a packet go from a socket on `address` to itself.
    func check(on address: IPAddress) throws(SocketError) {
        let socket = try DatagramSocket.bind(Endpoint(address: address, port: 0), trafficClass: nil)
        defer { DatagramSocket.close(socket) }
        guard let own = DatagramSocket.name(of: socket) else { throw SocketError(number: EBADF) }
        let token = Self.tokenMask
        watch(socket, token: token)
        let trial = Self.capacity
        guard Array("edgeproxy".utf8).withUnsafeBytes({ buffers.load(trial, $0, from: own) }) else { throw SocketError(number: EINVAL) }
        send(trial, to: own, from: socket)
        var hasCome = false
        for _ in 0..<4 where !hasCome {
            for index in 0..<wait(milliseconds: 500) {
                if case .packet(let index, token) = take(index), buffers.sender(index) == own { hasCome = true }
            }
        }
        descriptors[token] = nil
        cancel(socket)
        guard hasCome else { throw SocketError(number: EOPNOTSUPP) }
    }

    /// Fills buffers with what comes to a socket, for good; `token` is below 2^61 - 1.
    func watch(_ socket: Int32, token: UInt64) {
        descriptors[token] = socket
        guard let entry = entry() else { return }
        io_uring_prep_recvmsg_multishot(entry, socket, shape, 0)
        entry.pointee.flags |= UInt8(1 << IOSQE_BUFFER_SELECT_BIT)
        entry.pointee.buf_group = Self.group
        entry.pointee.user_data = token
    }

    /// Reports each time a descriptor becomes readable.
    func watchReadable(_ descriptor: Int32, token: UInt64) {
        descriptors[token | Self.descriptorTag] = descriptor
        guard let entry = entry() else { return }
        io_uring_prep_poll_multishot(entry, descriptor, UInt32(POLLIN))
        entry.pointee.user_data = token | Self.descriptorTag
    }

    private func cancel(_ socket: Int32) {
        guard let entry = entry() else { return }
        io_uring_prep_cancel_fd(entry, socket, UInt32(IORING_ASYNC_CANCEL_ALL))
        entry.pointee.user_data = Self.sendTag
        _ = io_uring_submit(ring)
    }

    /// Sends packet `index`; it goes with the next `wait`.
    func send(_ index: Int, to target: Endpoint, from socket: Int32) {
        guard let entry = entry() else { return }
        let name = buffers.name(index)
        let size = SocketAddress.write(target, to: name)
        let bytes = buffers.packet(index)
        io_uring_prep_send(entry, socket, bytes.baseAddress, bytes.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
        io_uring_prep_send_set_addr(entry, name.assumingMemoryBound(to: sockaddr.self), UInt16(size))
        // It is done or refused before the call returns, and only a refusal is worth a report.
        entry.pointee.flags |= UInt8(1 << IOSQE_CQE_SKIP_SUCCESS_BIT)
        entry.pointee.user_data = Self.sendTag
    }

    private func entry() -> UnsafeMutablePointer<io_uring_sqe>? {
        if let entry = io_uring_get_sqe(ring) { return entry }
        _ = io_uring_submit(ring)
        return io_uring_get_sqe(ring)
    }

    /// Gives the kernel what is to be sent, and waits until there is a report; how many there are. What was reported
    /// before is gone.
    ///
    /// - Parameter milliseconds: negative: for ever; 0: does not wait.
    func wait(milliseconds: Int32) -> Int {
        io_uring_cq_advance(ring, UInt32(reported))
        reported = 0
        if milliseconds == 0 {
            _ = io_uring_submit_and_get_events(ring)
        } else if milliseconds < 0 {
            _ = io_uring_submit_and_wait(ring, 1)
        } else {
            var time = __kernel_timespec(tv_sec: Int64(milliseconds / 1000), tv_nsec: Int64(milliseconds % 1000) * 1_000_000)
            var first: UnsafeMutablePointer<io_uring_cqe>?
            _ = io_uring_submit_and_wait_timeout(ring, &first, 1, &time, nil)
        }
        if io_uring_sq_ready(ring) == 0 { giveBack() }
        reported = Int(io_uring_peek_batch_cqe(ring, reports, UInt32(Self.roundSize)))
        return reported
    }

    // MARK: Where another loop waits

    /// Counts an eventfd(2) up whenever there is something to report.
    func notify(_ descriptor: Int32) throws(SocketError) {
        let result = io_uring_register_eventfd(ring, descriptor)
        guard result == 0 else { throw SocketError(number: -result) }
    }

    func setNotifying(_ isOn: Bool) { _ = io_uring_cq_eventfd_toggle(ring, isOn) }

    /// Whether something has come that was not reported.
    var hasNews: Bool {
        io_uring_cq_ready(ring) > UInt32(reported) || ring.pointee.sq.kflags.pointee & UInt32(IORING_SQ_TASKRUN) != 0
    }

    /// Gives the kernel what is to be sent, and back what it may fill.
    func submit() {
        if io_uring_sq_ready(ring) > 0 { _ = io_uring_submit(ring) }
        if io_uring_sq_ready(ring) == 0 { giveBack() }
    }

    /// Report `index` of the last `wait`; to be taken once.
    func take(_ index: Int) -> Completion {
        guard index < reported, let report = reports[index] else { return .none }
        let (data, result, flags) = (report.pointee.user_data, report.pointee.res, report.pointee.flags)
        if data & Self.sendTag != 0 { return result < 0 ? .unsent : .none }
        let isWatched = flags & UInt32(IORING_CQE_F_MORE) != 0
        if data & Self.descriptorTag != 0 {
            if !isWatched, let descriptor = descriptors[data] { watchReadable(descriptor, token: data & Self.tokenMask) }
            return .readable(token: data & Self.tokenMask)
        }
        // Out of buffers, for one: those of this round are back when the kernel reads the new entry.
        if !isWatched, let socket = descriptors[data] { watch(socket, token: data) }
        guard flags & UInt32(IORING_CQE_F_BUFFER) != 0 else { return .none }
        let buffer = Int(flags >> UInt32(IORING_CQE_BUFFER_SHIFT))
        used.append(buffer)
        guard result >= PacketBuffers.headroom else { return .none }
        let head = buffers.name(buffer) - PacketBuffers.nameOffset
        let said = head.load(as: io_uring_recvmsg_out.self)
        guard said.flags & UInt32(MSG_TRUNC) == 0 else { return .oversized(token: data) }
        buffers.resize(buffer, Int(result) - PacketBuffers.headroom)
        return .packet(index: buffer, token: data)
    }

    /// The kernel may fill these again.
    private func giveBack() {
        guard !used.isEmpty else { return }
        for (offset, index) in used.enumerated() {
            let memory = buffers.memory + index * PacketBuffers.stride
            io_uring_buf_ring_add(
                free, memory, UInt32(PacketBuffers.stride), UInt16(index), Int32(Self.capacity - 1), Int32(offset))
        }
        io_uring_buf_ring_advance(free, Int32(used.count))
        used.removeAll(keepingCapacity: true)
    }
}
