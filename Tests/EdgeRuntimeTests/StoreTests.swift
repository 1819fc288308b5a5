import CoreTypes
import Dispatch
import EdgeProxy
import Foundation
import HotDeskPolicy
import Synchronization
import Testing

@testable import EdgeRuntime

/// What a store has reported.
private final class Reports: Sendable {
    private struct Held {
        var stored: [UInt64: Bool] = [:]
        var health: [StoreProblem?] = []
        var isUnread = false
    }
    private let held = Mutex(Held())

    func add(_ report: EdgeStore.Report) {
        held.withLock {
            switch report {
            case .stored(let token, let isStored): $0.stored[token.rawValue] = isStored
            case .health(let problem): $0.health.append(problem)
            case .unread: $0.isUnread = true
            }
        }
    }

    func answer(_ token: UInt64) -> Bool? { held.withLock { $0.stored[token] } }
    var isUnread: Bool { held.withLock { $0.isUnread } }
    var health: [StoreProblem?] { held.withLock { $0.health } }
}

@Suite(.serialized) struct StoreTests {
    private let folder = TestFolder()
    private let reports = Reports()
    private let device: DeviceName
    private let other: DeviceName
    private let number: ExtensionNumber

    init() throws {
        device = try #require(DeviceName("HD0001"))
        other = try #require(DeviceName("HD0002"))
        number = try #require(ExtensionNumber("100"))
    }

    private func store(patience: Double = 0.05) -> EdgeStore {
        EdgeStore(
            path: folder.file("edge.sqlite"), clock: EdgeClock(), patience: patience, retryInterval: .milliseconds(20),
            report: { [reports] in reports.add($0) })
    }

    private func session(_ device: DeviceName) -> Session {
        Session(device: device, extension: number, since: Instant(nanoseconds: 5_000_000_000), generation: UInt64.max)
    }

    private var binding: BindingRecord {
        BindingRecord(
            device: device, contact: "<sip:HD0001@192.0.2.5:5060>", transport: .udp,
            local: Endpoint(address: IPAddress(v4: 0x7F00_0001), port: 5060),
            remote: Endpoint(address: IPAddress(v6High: 0x2001_0DB8 << 32, low: 5), port: 5062),
            expires: Instant(nanoseconds: 9), userAgent: "phone \"x\"; drop")
    }

    private func token(_ value: UInt64) -> StoreToken { StoreToken(rawValue: value) }

    @Test func aRestartFindsEverything() throws {
        var attempts = PINAttempts(rules: PINRules())
        _ = attempts.failed(extension: number, device: device, now: Instant(nanoseconds: 1_000_000_000))
        let pin = EmergencyPin(device: other, identity: "5550100", until: Instant(nanoseconds: 7))
        let first = store()
        let empty = try #require(first.open())
        #expect(empty.sessions.isEmpty && empty.bindings.isEmpty && empty.attempts == nil)
        first.submit(.session(session(device)), token(1))
        first.submit(.binding(binding), nil)
        first.submit(.attempts(attempts.snapshot), nil)
        first.submit(.emergencyPin(pin), token(2))
        let plain = PlainBindingRecord(
            token: "0a1b", user: "700", contact: "sip:700@192.0.2.7:5060", local: binding.local, remote: binding.remote,
            expires: Instant(nanoseconds: 11))
        first.submit(.plainBinding(plain), nil)
        first.close()
        #expect(reports.answer(1) == true && reports.answer(2) == true)

        let second = store()
        let found = try #require(second.open())
        #expect(found.sessions == [session(device)])
        #expect(found.bindings == [binding])
        #expect(found.attempts == attempts.snapshot)
        #expect(found.emergencyPins == [pin])
        #expect(found.plainBindings == [plain])
        second.submit(.sessionEnded(device), nil)
        second.submit(.bindingRemoved(device), nil)
        second.submit(.emergencyPinRemoved(other), nil)
        second.submit(.plainBindingRemoved("0a1b"), nil)
        second.close()

        let third = try #require(store().open())
        #expect(third.sessions.isEmpty && third.bindings.isEmpty && third.emergencyPins.isEmpty && third.plainBindings.isEmpty)
    }

    @Test func onePersonHasOneDesk() throws {
        let store = store()
        _ = store.open()
        store.submit(.session(session(device)), nil)
        store.submit(.session(session(other)), nil)
        store.close()
        #expect(try #require(self.store().open()).sessions == [session(other)])
    }

    @Test func aSessionIsOnDiskBeforeItIsAnswered() throws {
        let store = store()
        _ = store.open()
        store.submit(.session(session(device)), token(1))
        #expect(eventually { reports.answer(1) != nil })
        // Another process sees it, while the first still runs.
        let reader = try StoreFile(path: folder.file("edge.sqlite"), patience: 0.05)
        #expect(try reader.load().sessions == [session(device)])
        store.close()
    }

    @Test func aFullDiskRefusesSessionsAndComesBack() throws {
        let store = store()
        _ = store.open()
        try store.withFile { try $0?.execute("PRAGMA max_page_count = 1") }
        let entry = AuditEntry(at: Instant(nanoseconds: 1), kind: .refused, detail: String(repeating: "x", count: 200_000))
        store.submit(entry)
        store.submit(.session(session(device)), token(1))
        #expect(eventually { reports.answer(1) != nil })
        #expect(reports.answer(1) == false)
        #expect(reports.health.first == .some(.some(.full(path: folder.file("edge.sqlite")))))
        // A logout must not be lost, though nothing can be written at the moment.
        store.submit(.sessionEnded(other), nil)
        try store.withFile { try $0?.execute("PRAGMA max_page_count = 1000000") }
        #expect(eventually { reports.health.last == .some(.none) })
        store.submit(.session(session(device)), token(2))
        #expect(eventually { reports.answer(2) == true })
        let audit = try store.withFile { try $0?.recentAudit(5) }
        #expect(audit == [entry])
        store.close()
    }

    @Test func aLockedDatabaseRefusesSessionsAndComesBack() throws {
        let store = store()
        _ = store.open()
        store.submit(.session(session(other)), token(1))
        #expect(eventually { reports.answer(1) == true })
        let locker = try StoreFile(path: folder.file("edge.sqlite"), patience: 0.05)
        try locker.withLock {
            store.submit(.sessionEnded(other), nil)
            store.submit(.session(session(device)), token(2))
            #expect(eventually { reports.answer(2) != nil })
            #expect(reports.answer(2) == false)
            #expect(reports.health.last == .some(.some(.locked(path: folder.file("edge.sqlite")))))
        }
        #expect(eventually { reports.health.last == .some(.none) })
        store.close()
        // The logout got there; the refused session did not.
        #expect(try #require(self.store().open()).sessions.isEmpty)
    }

    @Test func aFolderThatIsNotThereIsADegradedState() {
        let store = EdgeStore(
            path: folder.file("missing/edge.sqlite"), clock: EdgeClock(), patience: 0.05, retryInterval: .milliseconds(20),
            report: { [reports] in reports.add($0) })
        #expect(store.open() == nil)
        store.submit(.session(session(device)), token(1))
        #expect(eventually { reports.answer(1) == false })
        guard case .some(.some(.cannotOpen)) = reports.health.first else {
            Issue.record("\(reports.health)")
            return
        }
        #expect(!reports.isUnread)
        try? FileManager.default.createDirectory(atPath: folder.file("missing"), withIntermediateDirectories: true)
        #expect(eventually { reports.isUnread && reports.health.last == .some(.none) })
        store.submit(.session(session(device)), token(2))
        #expect(eventually { reports.answer(2) == true })
        store.close()
    }

    @Test func aFileOfALaterVersionIsLeftAlone() throws {
        let path = folder.file("edge.sqlite")
        try StoreFile(path: path, patience: 0.05).execute("PRAGMA user_version = 99")
        #expect(throws: StoreProblem.newerSchema(path: path, version: 99)) { try StoreFile(path: path, patience: 0.05) }
    }

    @Test func theAuditIsBounded() throws {
        let file = try StoreFile(path: folder.file("edge.sqlite"), patience: 0.05)
        let now = Instant(nanoseconds: 1)
        func entry(_ detail: String) -> AuditEntry { AuditEntry(at: now, kind: .emergency, device: "HD0001", detail: detail) }
        try file.write([], audit: [entry("old")], now: now)
        try file.execute("INSERT INTO audit VALUES (\(StoreFile.auditCapacity), 0, 'refused', '', '', '', 'middle')")
        try file.write([], audit: [entry("new")], now: now)
        #expect(try file.recentAudit(10).map(\.detail) == ["new", "middle"])
    }

    @Test func aBacklogKeepsTheLastChangeOfEachRow() {
        var backlog = StoreBacklog()
        backlog.add(.session(session(device)))
        backlog.add(.binding(binding))
        backlog.add(.sessionEnded(device))
        #expect(backlog.inOrder == [.binding(binding), .sessionEnded(device)])
        let entry = AuditEntry(at: Instant(nanoseconds: 1), kind: .refused)
        backlog.add(Array(repeating: entry, count: StoreBacklog.auditCapacity + 5))
        #expect(backlog.audit.count == StoreBacklog.auditCapacity)
        backlog.clear()
        #expect(backlog.isEmpty)
    }
}
