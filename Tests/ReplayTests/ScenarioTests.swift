import Capture
import CoreTypes
import EdgeProxy
import HotDeskPolicy
import Replay
import SIPMessage
import Testing

/// Captures of one step each, with tags, nonces and masked digits of an edge that is not the replay's.
@Suite struct ScenarioTests {
    @Test func anIdleDeskIsRefused() {
        var capture = CaptureBuilder()
        var desk = Desk(name: "HD0001", host: 1)
        capture.register(&desk)
        capture.refused(&desk, "101")
        let result = TestSite.replayer().run(capture.packets)
        #expect(result.verdicts == ["HD0001 101: refuse 403 idleCall"])
        #expect(result.crossings == [])
        #expect(result.registered == ["branch-01 600"])
        let row = result.requests.last { $0.method == "INVITE" }
        #expect(row?.answer == 403)
        #expect(row?.capturedAnswer == 403)
        #expect(row?.reason.contains("nobody is logged in") == true)
    }

    @Test func anIdleDeskMayCallForHelp() {
        var capture = CaptureBuilder()
        var desk = Desk(name: "HD0001", host: 1)
        let invite = capture.invite(&desk, "112", challenge: false)
        let ok = capture.established(&desk, invite)
        capture.hangUp(&desk, invite, ok)
        let result = TestSite.replayer().run(capture.packets)
        #expect(result.verdicts == ["HD0001 112: emergency 112"])
        #expect(result.crossings == ["INVITE branch-01>112", "ACK branch-01", "BYE branch-01"])
        #expect(result.audit.contains { $0.kind == .emergency })
    }

    @Test(arguments: [false, true]) func aDeskLogsIn(info: Bool) {
        var capture = CaptureBuilder()
        var desk = Desk(name: "HD0001", host: 1)
        capture.register(&desk)
        capture.login(&desk, info: info)
        let result = TestSite.replayer(["4711"]).run(capture.packets)
        #expect(result.verdicts.first == "HD0001 *77*100*: login 100")
        #expect(result.audit.map(\.kind) == [.loginSucceeded])
        #expect(result.registered == ["branch-01 600", "100 600"])
        #expect(result.crossings == [])
        #expect(result.status?.devices.first?.session?.extension.text == "100")
        #expect(result.requests.last { $0.target == "*77*100*" && $0.method == "INVITE" }?.reason.contains("logged in as 100") == true)
    }

    @Test func pinsAreTypedKeyByKey() {
        var capture = CaptureBuilder()
        var desk = Desk(name: "HD0001", host: 1)
        let invite = capture.invite(&desk, "*77*100*")
        let ok = capture.established(&desk, invite, ringing: false)
        capture.type(Array("00000".utf8), &desk, invite, ok, info: false)
        // Without "#": the end of patience ends the entry.
        capture.now = capture.now + .seconds(2)
        for key in 0..<4 { capture.press(UInt8(ascii: "0"), 100_000 + UInt32(key) * 2_400, desk) }
        capture.now = capture.now + .seconds(6)
        capture.endedByEdge(desk, invite, ok)
        let result = TestSite.replayer(["1111#4711#"]).run(capture.packets)
        #expect(result.audit.map(\.kind) == [.loginFailed, .loginSucceeded])
    }

    @Test func wrongPINsLock() {
        var capture = CaptureBuilder()
        var desk = Desk(name: "HD0001", host: 1)
        let invite = capture.invite(&desk, "*77*100*")
        let ok = capture.established(&desk, invite, ringing: false)
        for attempt in 0..<3 {
            capture.now = capture.now + .seconds(3)
            for key in 0..<5 { capture.press(UInt8(ascii: "0"), UInt32(attempt * 50_000 + key * 2_400), desk) }
        }
        capture.endedByEdge(desk, invite, ok)
        capture.login(&desk, success: false)
        let result = TestSite.replayer(["0000#1111#2222#", "4711#"]).run(capture.packets)
        #expect(result.audit.filter { $0.kind == .loginSucceeded }.isEmpty)
        #expect(result.audit.contains { $0.kind == .lockedOut })
        #expect(result.status?.devices.first?.session == nil)
    }

    @Test func aCallOutGoesAsThePerson() {
        var capture = CaptureBuilder()
        var desk = Desk(name: "HD0001", host: 1)
        capture.register(&desk)
        capture.login(&desk)
        let invite = capture.invite(&desk, "101")
        let ok = capture.established(&desk, invite)
        capture.hangUp(&desk, invite, ok)
        let result = TestSite.replayer(["4711"]).run(capture.packets)
        #expect(result.verdicts == ["HD0001 *77*100*: login 100", "HD0001 101: forward as 100"])
        #expect(result.crossings == ["INVITE 100>101", "ACK 100", "BYE 100"])
        #expect(result.requests.last { $0.method == "BYE" }?.verdict == .forwardInside)
    }

    @Test(arguments: [true, false]) func aCallInFindsTheDesk(holdsPBX: Bool) {
        var capture = CaptureBuilder(holdsPBX: holdsPBX)
        var desk = Desk(name: "HD0001", host: 1)
        capture.register(&desk)
        capture.login(&desk)
        capture.callIn(&desk, "100")
        let result = TestSite.replayer(["4711"]).run(capture.packets)
        #expect(result.crossings == ["in INVITE 101>100", "in ACK 101", "in BYE 101"])
        #expect(result.requests.filter { $0.origin == .pbx }.map(\.verdict) == [.deliver("HD0001"), .forwardInside, .forwardInside])
        #expect(result.requests.filter { $0.origin == .pbx && $0.method != "ACK" }.map(\.answer) == [200, 200])
    }

    @Test func aPersonMovesToAnotherDesk() {
        var capture = CaptureBuilder()
        var first = Desk(name: "HD0001", host: 1)
        var second = Desk(name: "HD0002", host: 2)
        capture.login(&first)
        capture.login(&second)
        capture.refused(&first, "101")
        let result = TestSite.replayer(["4711", "4711"]).run(capture.packets)
        #expect(
            result.verdicts == ["HD0001 *77*100*: login 100", "HD0002 *77*100*: login 100", "HD0001 101: refuse 403 idleCall"])
        #expect(result.audit.map(\.kind) == [.loginSucceeded, .loggedOut, .loginSucceeded, .refused]
            || result.audit.map(\.kind) == [.loginSucceeded, .loginSucceeded, .loggedOut, .refused])
    }

    @Test(arguments: ["*77*5*", "%2A77%2A5%2A"]) func aDeskIsGivenBack(code: String) {
        var capture = CaptureBuilder()
        var desk = Desk(name: "HD0001", host: 1)
        capture.login(&desk)
        let invite = capture.invite(&desk, code)
        let ok = capture.established(&desk, invite, ringing: false)
        capture.endedByEdge(desk, invite, ok)
        capture.refused(&desk, "101")
        let result = TestSite.replayer(["4711"]).run(capture.packets)
        #expect(result.verdicts == ["HD0001 *77*100*: login 100", "HD0001 *77*5*: logout", "HD0001 101: refuse 403 idleCall"])
        #expect(result.registered == ["branch-01 600", "100 600", "100 0"])
    }

    @Test func aCallIsGivenUp() {
        var capture = CaptureBuilder()
        var desk = Desk(name: "HD0001", host: 1)
        capture.login(&desk)
        let invite = capture.invite(&desk, "101")
        capture.answer(invite.response(180, toTag: "ringing"), desk)
        var cancel = invite
        cancel.method = .cancel
        cancel.body = []
        cancel.headers.contentType = nil
        cancel.headers.cseq.method = .cancel
        capture.send(cancel, desk, after: .seconds(2))
        capture.answer(cancel.response(200, toTag: "edge"), desk)
        let terminated = invite.response(487, toTag: "ringing")
        capture.answer(terminated, desk)
        capture.send(desk.acknowledge(invite, terminated, own: false), desk)
        let result = TestSite.replayer(["4711"]).run(capture.packets)
        #expect(result.crossings.prefix(2) == ["INVITE 100>101", "CANCEL 100>101"])
        #expect(result.requests.last { $0.method == "INVITE" }?.answer == 487)
    }

    @Test func aBusyFarEndStaysBusy() {
        var capture = CaptureBuilder()
        var desk = Desk(name: "HD0001", host: 1)
        capture.login(&desk)
        capture.refused(&desk, "101", 486)
        let result = TestSite.replayer(["4711"]).run(capture.packets)
        #expect(result.verdicts.last == "HD0001 101: forward as 100")
        #expect(result.requests.last { $0.method == "INVITE" }?.answer == 486)
    }

    @Test func withoutThePBXCallsFail() {
        var capture = CaptureBuilder()
        var desk = Desk(name: "HD0001", host: 1)
        capture.login(&desk)
        capture.refused(&desk, "101", 503)
        var replayer = TestSite.replayer(["4711"])
        replayer.trunkUp = false
        let result = replayer.run(capture.packets)
        #expect(result.audit.contains { $0.kind == .loginSucceeded })
        #expect(result.toPBX.isEmpty)
        #expect(result.requests.last { $0.method == "INVITE" }?.verdict == .refuse(503, "PBX unreachable"))
    }
}
