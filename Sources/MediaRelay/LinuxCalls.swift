import Glibc

// Calls of Linux that the Glibc module does not show: epoll, eventfd and timerfd.
// All take and give integers and pointers only, for which the Swift and the C calling convention are one.

@_silgen_name("epoll_create1")
private func linuxEpollCreate(_ flags: Int32) -> Int32

@_silgen_name("epoll_ctl")
private func linuxEpollControl(_ poll: Int32, _ operation: Int32, _ descriptor: Int32, _ event: UnsafeMutableRawPointer?) -> Int32

@_silgen_name("epoll_wait")
private func linuxEpollWait(_ poll: Int32, _ events: UnsafeMutableRawPointer, _ count: Int32, _ timeout: Int32) -> Int32

@_silgen_name("eventfd")
private func linuxEventDescriptor(_ value: UInt32, _ flags: Int32) -> Int32

@_silgen_name("timerfd_create")
private func linuxTimerCreate(_ clock: Int32, _ flags: Int32) -> Int32

@_silgen_name("timerfd_settime")
private func linuxTimerSet(
    _ timer: Int32, _ flags: Int32, _ value: UnsafePointer<itimerspec>, _ old: UnsafeMutablePointer<itimerspec>?
) -> Int32

/// An epoll(7) instance with the memory for what it reports.
struct Poller {
    /// `struct epoll_event` is packed on x86-64 only.
    #if arch(x86_64)
    private static let stride = 12
    private static let dataOffset = 4
    #else
    private static let stride = 16
    private static let dataOffset = 8
    #endif
    private static let closeOnExecute = Int32(O_CLOEXEC)
    private static let add: Int32 = 1
    private static let readable: UInt32 = 1

    static let capacity = 512

    let descriptor: Int32
    private let events: UnsafeMutableRawPointer

    init?() {
        descriptor = linuxEpollCreate(Self.closeOnExecute)
        guard descriptor >= 0 else { return nil }
        events = .allocate(byteCount: Self.stride * Self.capacity, alignment: 16)
    }

    func close() {
        _ = Glibc.close(descriptor)
        events.deallocate()
    }

    /// Watches for input, level-triggered; `token` comes back with each report.
    func watch(_ watched: Int32, token: UInt64) -> Bool {
        withUnsafeTemporaryAllocation(byteCount: Self.stride, alignment: 16) { event in
            event.storeBytes(of: Self.readable, toByteOffset: 0, as: UInt32.self)
            event.storeBytes(of: token, toByteOffset: Self.dataOffset, as: UInt64.self)
            return linuxEpollControl(descriptor, Self.add, watched, event.baseAddress) == 0
        }
    }

    /// Waits for at most `timeout` milliseconds, -1 for ever; how many tokens can be read.
    func wait(timeout: Int32) -> Int { Int(max(0, linuxEpollWait(descriptor, events, Int32(Self.capacity), timeout))) }

    func token(_ index: Int) -> UInt64 {
        events.loadUnaligned(fromByteOffset: index * Self.stride + Self.dataOffset, as: UInt64.self)
    }
}

enum LinuxDescriptor {
    static func makeEvent() -> Int32 { linuxEventDescriptor(0, Int32(O_CLOEXEC) | O_NONBLOCK) }
    static func makeTimer() -> Int32 { linuxTimerCreate(CLOCK_MONOTONIC, Int32(O_CLOEXEC) | O_NONBLOCK) }

    /// Fires every `interval` nanoseconds from now on; 0 stops it.
    static func setTimer(_ timer: Int32, interval: Int) {
        let time = timespec(tv_sec: interval / 1_000_000_000, tv_nsec: interval % 1_000_000_000)
        var value = itimerspec(it_interval: time, it_value: time)
        _ = linuxTimerSet(timer, 0, &value, nil)
    }

    /// The counter of an eventfd or timerfd, set back by reading it; 0 where it has not fired.
    static func take(_ descriptor: Int32) -> UInt64 {
        var count: UInt64 = 0
        return read(descriptor, &count, 8) == 8 ? count : 0
    }

    static func notify(_ event: Int32) {
        var one: UInt64 = 1
        _ = write(event, &one, 8)
    }
}
