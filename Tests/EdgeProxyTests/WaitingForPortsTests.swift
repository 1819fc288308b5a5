import CoreTypes
import EdgeProxy
import HotDeskPolicy
import Media
import SIPMessage
import Testing

/// Calls that come faster than ports are bound.
@Suite struct WaitingForPortsTests {
    /// A branch whose shell has bound `ports` pairs and is slow with any more.
    private static func branch(ports: Int) -> Branch {
        var branch = Branch()
        branch.connectPBX()
        branch.portsAreSlow = true
        // What was bound at the start goes to calls that stay.
        var phone = Phone(device: 1)
        phone.user = "700"
        while branch.edge.status(now: branch.now).freeMediaPorts > ports {
            branch.deliver(phone.request(.invite, to: "sip:1000@pbx.example", body: phone.offer()), phone.flow)
        }
        _ = branch.servePBX()
        _ = branch.take(phone.flow)
        return branch
    }

    private static func ready(_ count: Int) -> EdgeEvent {
        .media(.portsReady((0..<count).map { MediaPorts(id: UInt32(9_000 + $0), address: Branch.udp.address, rtp: UInt16(50_000 + 2 * $0)) }))
    }

    @Test func theyGoOnInTheirOrder() throws {
        var branch = Self.branch(ports: 4)
        var phone = Phone(device: 2)
        phone.user = "701"
        let invites = (0..<3).map { _ in phone.request(.invite, to: "sip:1000@pbx.example", body: phone.offer()) }
        for invite in invites { branch.deliver(invite, phone.flow) }
        #expect(branch.servePBX().isEmpty)
        #expect(branch.take(phone.flow).compactMap(\.response).map(\.status) == [100, 100, 100])
        // Two pairs a call, and four stay back for an emergency.
        branch.run(Self.ready(4))
        #expect(branch.servePBX().map(\.headers.callID) == invites.prefix(2).map(\.headers.callID))
        branch.run(Self.ready(4))
        #expect(branch.servePBX().map(\.headers.callID) == invites.suffix(1).map(\.headers.callID))
    }

    @Test func withNoneLeftTheyAreRefused() {
        var branch = Self.branch(ports: 4)
        var phone = Phone(device: 2)
        phone.user = "701"
        branch.deliver(phone.request(.invite, to: "sip:1000@pbx.example", body: phone.offer()), phone.flow)
        branch.run(Self.ready(0))
        #expect(branch.take(phone.flow).compactMap(\.response).map(\.status) == [100, 503])
        branch.deliver(phone.request(.invite, to: "sip:1000@pbx.example", body: phone.offer()), phone.flow)
        #expect(branch.take(phone.flow).compactMap(\.response).map(\.status) == [100, 503])
    }

    @Test func aCallerThatGivesUpIsForgotten() {
        var branch = Self.branch(ports: 4)
        var phone = Phone(device: 2)
        phone.user = "701"
        let invite = phone.request(.invite, to: "sip:1000@pbx.example", body: phone.offer())
        branch.deliver(invite, phone.flow)
        var cancel = invite
        cancel.method = .cancel
        cancel.body = []
        cancel.headers.contentType = nil
        cancel.headers.cseq = CSeq(number: invite.headers.cseq.number, method: .cancel)
        branch.deliver(cancel, phone.flow)
        #expect(branch.take(phone.flow).compactMap(\.response).map(\.status) == [100, 200, 487])
        branch.run(Self.ready(8))
        #expect(branch.servePBX().isEmpty)
    }

    @Test func itDoesNotWaitForEver() {
        var branch = Self.branch(ports: 4)
        var phone = Phone(device: 2)
        phone.user = "701"
        branch.deliver(phone.request(.invite, to: "sip:1000@pbx.example", body: phone.offer()), phone.flow)
        branch.advance(.seconds(3))
        #expect(branch.take(phone.flow).compactMap(\.response).map(\.status).prefix(2) == [100, 503])
    }

    @Test func anEmergencyCallDoesNotWait() {
        var branch = Self.branch(ports: 4)
        var phone = Phone(device: 2)
        branch.deliver(phone.request(.invite, to: "sip:112@pbx.example", body: phone.offer()), phone.flow)
        #expect(branch.servePBX().map(\.method) == [.invite])
    }

    @Test func aCallInWaitsToo() {
        var branch = Branch()
        var phone = Phone(device: 1)
        branch.connectPBX()
        branch.register(&phone)
        #expect(branch.logIn(&phone, as: "100"))
        branch.portsAreSlow = true
        var plain = Phone(device: 3)
        plain.user = "700"
        // With five left there is none for the second leg.
        while branch.edge.status(now: branch.now).freeMediaPorts > 5 {
            branch.deliver(plain.request(.invite, to: "sip:1000@pbx.example", body: plain.offer()), plain.flow)
        }
        branch.deliver(plain.request(.invite, to: "sip:100@192.0.2.10:40001", body: plain.offer()), Branch.pbx)
        #expect(branch.take(phone.flow).isEmpty)
        branch.run(Self.ready(4))
        #expect(branch.take(phone.flow).compactMap(\.request).map(\.method) == [.invite])
    }
}
