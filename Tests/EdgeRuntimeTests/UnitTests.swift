import CoreTypes
import CryptoPrimitives
import EdgeProxy
import NIOCore
import SiteFile
import Synchronization
import Testing

@testable import EdgeRuntime

@Suite struct AddressTests {
    @Test(arguments: ["192.0.2.1:5060", "0.0.0.0:0", "255.255.255.255:65535", "[2001:db8::1]:5061", "[::]:1", "[fe80::1:2:3:4]:40000"])
    func anAddressSurvivesTheWayThere(_ text: String) throws {
        let endpoint = try #require(Endpoint(text))
        let address = try #require(endpoint.socketAddress)
        #expect(Endpoint(address) == endpoint)
        #expect(address.port == Int(endpoint.port))
    }

    @Test func aUnixSocketHasNoEndpoint() throws { #expect(Endpoint(try SocketAddress(unixDomainSocketPath: "/x")) == nil) }

    @Test func theCacheForgetsWhenFull() throws {
        var cache = SocketAddressCache(capacity: 2)
        for port in 1...5 as ClosedRange<UInt16> {
            let endpoint = Endpoint(address: IPAddress(v4: 1), port: port)
            #expect(cache.address(of: endpoint)?.port == Int(port))
        }
    }
}

@Suite struct BudgetTests {
    @Test func bothBoundsHold() {
        var limits = ConnectionLimits()
        limits.total = 3
        limits.perSource = 2
        var budget = ConnectionBudget(limits: limits)
        let (a, b, c) = (IPAddress(v4: 1), IPAddress(v4: 2), IPAddress(v4: 3))
        #expect(budget.admit(a) == nil)
        #expect(budget.admit(a) == nil)
        #expect(budget.admit(a) == .tooManyFromSource)
        #expect(budget.admit(b) == nil)
        #expect(budget.admit(c) == .tooMany)
        budget.left(a)
        #expect(budget.admit(c) == nil)
        budget.left(c)
        budget.left(c)
        #expect(budget.count == 2)
    }
}

@Suite struct PINVerifierTests {
    private final class Answers: Sendable {
        private let held = Mutex<[UInt64: Bool]>([:])
        func add(_ check: PINCheckID, _ matches: Bool) { held.withLock { $0[check.rawValue] = matches } }
        var all: [UInt64: Bool] { held.withLock { $0 } }
    }

    @Test func everyCheckIsAnswered() {
        let answers = Answers()
        let verifier = PINVerifier { answers.add($0, $1) }
        let hash = PINHash.make(pin: "2580", salt: Array(0..<16)).text
        let checks: [(String, String?)] = [("2580", hash), ("2581", hash), ("2580", nil), ("2580", "broken"), ("2580", hash)]
        for (index, check) in checks.enumerated() { verifier.verify(PINCheckID(rawValue: UInt64(index)), Personal(check.0), check.1) }
        #expect(eventually { answers.all.count == checks.count })
        #expect(answers.all == [0: true, 1: false, 2: false, 3: false, 4: true])
    }
}

@Suite struct DegradedTests {
    @Test func reasonsComeAndGo() {
        let state = DegradedState()
        #expect(state.set(.trunk(1), "second"))
        #expect(state.set(.trunk(0), "first"))
        #expect(state.set(.store, "disk"))
        #expect(!state.set(.store, "disk"))
        #expect(state.sentences == ["disk", "first", "second"])
        state.set(.trunk(0), nil)
        #expect(state.sentences == ["disk", "second"])
    }

    @Test func theClockNeverRunsBackwards() {
        let clock = EdgeClock()
        var last = clock.started
        for _ in 0..<100 {
            let now = clock.now
            #expect(now >= last)
            last = now
        }
    }
}

@Suite struct SiteChangeTests {
    @Test func whatNeedsARestartIsNamed() throws {
        let folder = TestFolder()
        let old = try testSite(folder)
        var new = old
        new.storePath = "/elsewhere"
        new.configuration.listeners = []
        new.configuration.language = "fr"
        #expect(SiteChanges.needingRestart(from: old, to: old).isEmpty)
        #expect(SiteChanges.needingRestart(from: old, to: new) == ["listen.sip", "the database"])
        let applied = SiteChanges.applicable(new.configuration, on: old.configuration)
        #expect(applied.language == "fr" && applied.listeners == old.configuration.listeners)
    }
}

@Suite struct HeapTrimmerTests {
    @Test func memoryIsGivenBackOnceAfterABusyTime() {
        var trimmer = HeapTrimmer()
        #expect([10, 10_000, 20_000, 20_010, 20_020, 90_000].map { trimmer.look($0) } == [false, false, false, true, false, false])
    }
}

struct MappedCodeTests {
    @Test(arguments: [
        ("55d0c8a00000-55d0c8a10000 r-xp 00001000 fe:00 1234   /usr/bin/a b", 0x55d0_c8a0_0000 as UInt?),
        ("7f0000000000-7f0000001000 r--p 00000000 fe:00 1234   /usr/lib/libc.so.6", nil),
        ("7f0000000000-7f0000001000 rwxp 00000000 fe:00 1234   /usr/lib/libc.so.6", nil),
        ("7ffc00000000-7ffc00001000 r-xp 00000000 00:00 0      [vdso]", nil),
        ("7f0000000000-7f0000001000 r-xp 00000000 00:00 0", nil),
        ("7f0000001000-7f0000000000 r-xp 00000000 fe:00 1234   /usr/lib/libc.so.6", nil),
        ("nonsense", nil),
    ])
    func onlyCodeOfFilesIsLetGo(line: String, start: UInt?) {
        #expect(MappedCode(line: line)?.start == start)
    }
}
