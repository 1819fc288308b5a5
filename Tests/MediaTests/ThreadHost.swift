import CoreTypes
import Glibc
import Media
import Synchronization

@testable import MediaRelay

/// A thread that hosts media as the tunnel's loop does: it waits by poll(2), and runs what it is given.
final class ThreadHost: MediaHost {
    private struct Work: Sendable {
        var jobs: [@Sendable (inout HostedMedia?) -> Void] = []
        var isOver = false
    }

    private let work = Mutex(Work())
    /// Counts up where jobs wait.
    private let bell = LinuxDescriptor.makeEvent()
    /// Counts up where the media has something to do.
    private let notice = HostedMedia.makeDescriptor()

    init() {
        var started = pthread_t()
        let result = pthread_create(&started, nil, { context in
            guard let context else { return nil }
            let host = Unmanaged<ThreadHost>.fromOpaque(context).takeRetainedValue()
            host.run()
            return nil
        }, Unmanaged.passRetained(self).toOpaque())
        precondition(result == 0)
        pthread_detach(started)
    }

    deinit {
        DatagramSocket.close(bell)
        DatagramSocket.close(notice)
    }

    private func run() {
        var media: HostedMedia?
        var isOver = false
        while !isOver {
            var watched = [pollfd(fd: bell, events: Int16(POLLIN), revents: 0), pollfd(fd: notice, events: Int16(POLLIN), revents: 0)]
            let pause = media?.pause.map { Int32($0.clampedNanoseconds / 1_000_000) } ?? -1
            let count = poll(&watched, 2, pause)
            if watched[1].revents != 0 { _ = LinuxDescriptor.take(notice) }
            if count == 0 || watched[1].revents != 0 { media?.turn() }
            _ = LinuxDescriptor.take(bell)
            let jobs = work.withLock { work in
                defer { work.jobs = [] }
                isOver = work.isOver
                return work.jobs
            }
            for job in jobs { job(&media) }
        }
    }

    private func perform(_ job: @escaping @Sendable (inout HostedMedia?) -> Void) {
        work.withLock { $0.jobs.append(job) }
        LinuxDescriptor.notify(bell)
    }

    /// Runs a job on the thread, and waits for it.
    private func await<Result: Sendable>(_ job: @escaping @Sendable (inout HostedMedia?) -> Result) -> Result? {
        let held = Held<Result>()
        let gate = Gate()
        perform { media in
            let made = job(&media)
            held.value.withLock { $0 = made }
            gate.open()
        }
        gate.wait()
        return held.value.withLock { $0 }
    }

    private final class Held<Value: Sendable>: Sendable {
        let value = Mutex<Value?>(nil)
    }

    private final class Gate: Sendable {
        private let descriptor = LinuxDescriptor.makeEvent()
        deinit { DatagramSocket.close(descriptor) }
        func open() { LinuxDescriptor.notify(descriptor) }
        func wait() {
            var watched = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            while poll(&watched, 1, -1) != 1 {}
        }
    }

    // MARK: MediaHost

    func host(_ make: @escaping @Sendable (Int32) -> HostedMedia?) -> Bool {
        let notice = notice
        return self.await { media in
            media = make(notice)
            media?.turn()
            return media != nil
        } ?? false
    }

    func release() {
        _ = self.await { media in
            media?.close()
            media = nil
        }
        work.withLock { $0.isOver = true }
        LinuxDescriptor.notify(bell)
    }

    func wake() { perform { $0?.turn() } }

    func receive(_ packets: PacketBatch) -> Bool { false }
    func moreWaits() {}
}
