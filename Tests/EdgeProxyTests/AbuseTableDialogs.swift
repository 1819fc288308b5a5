import CoreTypes
import EdgeProxy
import HotDeskPolicy
import SIPMessage
import Testing

/// Cases 19 to 25: what stands in a dialog, and what only says so.
@Suite struct AbuseTableDialogs {
    /// A call that is up, made by the desk's person or to an emergency number; gives the tag of the far end.
    static func call(_ desk: inout Desk, to uri: String, callID: String = "held") throws -> String {
        desk.attack(RawRequest(uri: uri, headers: [("Call-ID", callID)], body: desk.phone.offer()))
        let invite = try #require(desk.atPBX.compactMap(\.request).last { $0.method == .invite })
        var ok = invite.response(200, toTag: "far")
        ok.headers.contact = .list([desk.phone.address("sip:far@198.51.100.20:5061;transport=tls")])
        desk.branch.deliver(ok, Branch.pbx)
        desk.branch.sent = []
        desk.branch.audit = []
        return "far"
    }

    static func inside(_ method: String, callID: String = "held", lines: [String] = [], body: [UInt8] = []) -> RawRequest {
        RawRequest(
            method: method, uri: "sip:19005550100@evil.example", headers: [("Call-ID", callID), ("To", "<sip:x@pbx.example>;tag=far")],
            lines: lines, body: body)
    }

    @Test(arguments: Carriage.allCases) func dialogOfAnotherIsNotThere(carriage: Carriage) throws {
        var desk = Desk(.loggedIn, carriage)
        _ = try Self.call(&desk, to: "sip:101@pbx.example")
        var thief = Phone(device: 2, transport: carriage.transport)
        desk.branch.register(&thief)
        let own = desk.phone
        desk.phone = thief
        for method in ["BYE", "INVITE", "REFER", "UPDATE", "INFO", "MESSAGE"] {
            #expect(desk.attack(Self.inside(method)).last?.status == 481)
        }
        #expect(desk.atPBX.isEmpty)
        desk.phone = own
        desk.attack(Self.inside("BYE"))
        #expect(desk.atPBX.compactMap(\.request).map(\.method) == [.bye])
    }

    @Test(arguments: Carriage.allCases) func emergencyCallLeadsNowhereElse(carriage: Carriage) throws {
        for state in DeskState.allCases {
            var desk = Desk(state, carriage)
            _ = try Self.call(&desk, to: "sip:911@pbx.example")
            for method in ["REFER", "INFO", "SUBSCRIBE", "MESSAGE", "NOTIFY", "PUBLISH", "REGISTER"] {
                desk.attack(Self.inside(method, lines: ["Refer-To: <sip:19005550100@pbx.example>"]))
            }
            #expect(desk.atPBX.isEmpty)
            #expect(desk.branch.audit.count { $0.kind == .refused } == 7)
            desk.attack(Self.inside("INVITE", lines: ["Replaces: victim;to-tag=a;from-tag=b"], body: desk.phone.offer(port: 31_000)))
            let again = try #require(desk.atPBX.compactMap(\.request).last)
            #expect(again.uri.description.contains("far@198.51.100.20") && again.headers[.replaces] == nil)
        }
    }

    private static let beginnings = ["REFER", "MESSAGE", "SUBSCRIBE", "PUBLISH", "REGISTER", "PLUGH"]

    /// An idle desk that is called back after it called for help is in a call, and can begin nothing in it or out of it.
    @Test(arguments: Carriage.allCases) func aCallBackIsNoWayOut(carriage: Carriage) throws {
        var desk = Desk(.idle, carriage)
        _ = try Self.call(&desk, to: "sip:911@pbx.example", callID: "help")
        var caller = Phone(device: 3)
        caller.user = "911"
        desk.branch.deliver(caller.request(.invite, to: "sip:branch-01@192.0.2.10:40001", body: caller.offer()), Branch.pbx)
        let ringing = try #require(desk.branch.take(desk.phone.flow).compactMap(\.request).last { $0.method == .invite })
        var ok = ringing.response(200, toTag: "desk")
        ok.bring(desk.phone.offer(), contact: desk.phone.contact)
        ok.headers[.pAssertedIdentity] = "<sip:boss@pbx.example>"
        ok.headers[HeaderName("P-Charge-Info")] = "<sip:boss@pbx.example>"
        desk.branch.deliver(ok, desk.phone.flow)
        #expect(desk.atPBX.allSatisfy { !String(decoding: $0.message.serialized(), as: UTF8.self).contains("boss") })
        desk.branch.sent = []
        for method in Self.beginnings {
            let inside = RawRequest(
                method: method, uri: "sip:19005550100@evil.example",
                headers: [
                    ("Call-ID", ringing.headers.callID.value), ("From", "<sip:HD0001@pbx.example>;tag=desk"),
                    ("To", "<sip:911@pbx.example>;tag=\(ringing.headers.from.tag ?? "")"),
                ])
            #expect([403, 501].contains(desk.attack(inside).last?.status), "\(method)")
        }
        #expect(desk.attack(RawRequest(headers: [("Call-ID", "new"), ("Replaces", "help;to-tag=far;from-tag=ft")])).last?.status == 403)
        #expect(desk.atPBX.isEmpty)
    }

    /// Nor does anything begin in a dialog that ends at the edge: a login that is being typed, the lamp of its own key.
    @Test(arguments: Carriage.allCases) func dialogsOfTheEdgeLeadNowhere(carriage: Carriage) throws {
        for state in [DeskState.idle, .loggedIn] {
            for (method, lines) in [("INVITE", []), ("SUBSCRIBE", ["Event: dialog"])] {
                var desk = Desk(state, carriage)
                desk.branch.promptsEnd = false
                desk.attack(RawRequest(method: method, uri: "sip:*77*@pbx.example", headers: [("Call-ID", "own")], lines: lines, body: method == "INVITE" ? desk.phone.offer() : []))
                let tag = try #require(desk.branch.take(desk.phone.flow).compactMap(\.response).last { $0.status == 200 }?.headers.to.tag)
                for next in Self.beginnings + ["INVITE", "UPDATE", "NOTIFY", "INFO", "PRACK"] {
                    desk.branch.sent = []
                    let inside = RawRequest(
                        method: next, uri: "sip:19005550100@pbx.example", headers: [("Call-ID", "own"), ("To", "<sip:*77*@pbx.example>;tag=\(tag)")],
                        lines: ["Replaces: x;to-tag=a;from-tag=b"], body: next == "INVITE" ? desk.phone.offer() : [])
                    desk.attack(inside)
                    #expect(!desk.atPBX.contains { $0.request.map { $0.method != .register } ?? true }, "\(method), \(next)")
                }
                #expect(desk.branch.edge.status(now: desk.branch.now).devices[0].session?.extension.text == (state == .loggedIn ? "100" : nil))
            }
        }
    }

    /// Case 25: the call of a person goes on; whoever sits down next can do nothing in it that costs the first.
    @Test(arguments: [nil, "101"]) func callOutlivesItsSession(next: String?) throws {
        var desk = Desk(.loggedIn, .tcp)
        _ = try Self.call(&desk, to: "sip:101@pbx.example")
        desk.branch.run(.logout(try #require(DeviceName("HD0001"))))
        if let next { #expect(desk.branch.logIn(&desk.phone, as: next)) }
        desk.branch.sent = []
        for method in ["REFER", "SUBSCRIBE", "MESSAGE"] {
            #expect(desk.attack(Self.inside(method, lines: ["Refer-To: <sip:19005550100@pbx.example>"])).last?.status == 403)
        }
        #expect(!desk.atPBX.contains { $0.request.map { $0.method != .register } ?? false })
        desk.attack(Self.inside("BYE"))
        #expect(desk.atPBX.compactMap(\.request).last?.headers.from.uri.user == "100")
    }

    /// From inside a dialog is nobody's claim: the desk cannot pass for a plain phone there.
    @Test func fromInADialogIsNotAsked() throws {
        var desk = Desk(.loggedIn, .udp)
        _ = try Self.call(&desk, to: "sip:101@pbx.example")
        desk.attack(RawRequest(method: "REGISTER", uri: "sip:pbx.example", headers: [("To", "<sip:HD0001@pbx.example>"), ("Contact", "*"), ("Expires", "0")]))
        desk.branch.run(.logout(try #require(DeviceName("HD0001"))))
        desk.branch.sent = []
        var refer = Self.inside("REFER", lines: ["Refer-To: <sip:19005550100@pbx.example>"])
        refer.headers.append(("From", "<sip:bob@pbx.example>;tag=ft"))
        #expect(desk.attack(refer).last?.status == 403)
        #expect(!desk.atPBX.contains { $0.request?.method == .refer })
    }

    /// Case 21: a CANCEL counts only from where its INVITE came.
    @Test func cancelOfAnotherIsNothing() {
        var desk = Desk(.loggedIn, .tcp)
        desk.attack(RawRequest())
        var thief = Phone(device: 2, transport: .tcp)
        thief.user = "HD0001"
        let flow = desk.phone.flow
        let bytes = RawRequest(method: "CANCEL", headers: [("Via", "SIP/2.0/TCP \(flow.remote);branch=z9hG4bKabuseHD0001\(desk.number);rport")])
        desk.deliver(bytes.bytes(from: thief, number: desk.number), on: thief.flow)
        #expect(desk.branch.take(thief.flow).last?.response?.status == 481)
        #expect(desk.atPBX.allSatisfy { $0.request?.method != .cancel })
    }

    /// Case 22: a 2xx that comes after the CANCEL is acknowledged and ended; several 2xx leave nobody ringing.
    @Test func lateAnswersAreHungUp() throws {
        var desk = Desk(.loggedIn, .tcp)
        desk.attack(RawRequest())
        let invite = try #require(desk.atPBX.compactMap(\.request).first)
        desk.branch.deliver(invite.response(180, toTag: "far"), Branch.pbx)
        desk.deliver(RawRequest(method: "CANCEL").bytes(from: desk.phone, number: desk.number))
        desk.branch.sent.removeAll { $0.flow == Branch.pbx }
        var ok = invite.response(200, toTag: "far")
        ok.headers.contact = .list([desk.phone.address("sip:far@198.51.100.20:5061")])
        desk.branch.deliver(ok, Branch.pbx)
        #expect(desk.atPBX.compactMap(\.request).map(\.method) == [.ack, .bye])
        desk.branch.advance(.seconds(400))
        #expect(desk.branch.edge.status(now: desk.branch.now).calls == 0)
    }

    /// Case 23: two desks that invent the same names stay apart.
    @Test func sameNamesStayApart() throws {
        var desk = Desk(.loggedIn, .tcp)
        _ = try Self.call(&desk, to: "sip:101@pbx.example", callID: "same")
        var other = Phone(device: 2, transport: .tcp)
        desk.branch.register(&other)
        #expect(desk.branch.logIn(&other, as: "101"))
        let first = desk.phone
        desk.branch.sent = []
        desk.phone = other
        desk.attack(RawRequest(headers: [("Call-ID", "same")], body: other.offer()))
        let invite = try #require(desk.atPBX.compactMap(\.request).last)
        var ok = invite.response(200, toTag: "far")
        ok.headers.contact = .list([other.address("sip:thief@198.51.100.99")])
        desk.branch.deliver(ok, Branch.pbx)
        desk.branch.sent = []
        desk.phone = first
        desk.attack(Self.inside("INFO", callID: "same"))
        let info = try #require(desk.atPBX.compactMap(\.request).first)
        #expect(info.uri.description.contains("198.51.100.20") && info.headers.from.uri.user == "100")
    }

    /// Case 19: Call-ID of one call and tags of another, and tags the wrong way round, are no dialog; each call goes on.
    @Test func crossedDialogsAreNone() throws {
        var desk = Desk(.loggedIn, .tcp)
        for callID in ["first", "second"] {
            desk.attack(RawRequest(headers: [("Call-ID", callID), ("From", "<sip:HD0001@pbx.example>;tag=\(callID)-near")], body: desk.phone.offer()))
            let invite = try #require(desk.atPBX.compactMap(\.request).last { $0.method == .invite })
            var ok = invite.response(200, toTag: "\(callID)-far")
            ok.headers.contact = .list([desk.phone.address("sip:\(callID)@198.51.100.20:5061")])
            desk.branch.deliver(ok, Branch.pbx)
        }
        desk.branch.sent = []
        func say(_ method: String, _ callID: String, from: String, to: String) -> RawRequest {
            RawRequest(
                method: method, uri: "sip:x@evil.example",
                headers: [("Call-ID", callID), ("From", "<sip:HD0001@pbx.example>;tag=\(from)"), ("To", "<sip:x@pbx.example>;tag=\(to)")])
        }
        for method in ["BYE", "INFO", "UPDATE", "REFER", "NOTIFY"] {
            for callID in ["first", "second"] {
                for (from, to) in [("first-near", "second-far"), ("second-near", "first-far"), ("\(callID)-far", "\(callID)-near"), ("\(callID)-near", "\(callID)-near")] {
                    #expect(desk.attack(say(method, callID, from: from, to: to)).last?.status == 481)
                }
            }
            #expect(desk.attack(say(method, "first", from: "second-near", to: "second-far")).last?.status == 481)
        }
        #expect(desk.atPBX.isEmpty)
        for callID in ["first", "second"] {
            desk.branch.sent = []
            desk.attack(say("BYE", callID, from: "\(callID)-near", to: "\(callID)-far"))
            #expect(desk.atPBX.compactMap(\.request).map(\.uri.description) == ["sip:\(callID)@198.51.100.20:5061"])
        }
    }

    /// Case 22: a CANCEL that comes after the answer ends nothing (RFC 3261 §9.2), not even when the 2xx comes again.
    @Test(arguments: [Carriage.udp, .tcp]) func aLateCancelEndsNothing(carriage: Carriage) throws {
        var desk = Desk(.loggedIn, carriage)
        desk.attack(RawRequest(body: desk.phone.offer()))
        let invite = try #require(desk.atPBX.compactMap(\.request).first)
        var ok = invite.response(200, toTag: "far")
        ok.headers.contact = .list([desk.phone.address("sip:far@198.51.100.20:5061")])
        desk.branch.deliver(ok, Branch.pbx)
        desk.branch.sent = []
        desk.deliver(RawRequest(method: "CANCEL").bytes(from: desk.phone, number: desk.number))
        #expect(desk.branch.take(desk.phone.flow).compactMap(\.response).contains { $0.status == 200 && $0.headers.cseq.method == .cancel })
        desk.branch.deliver(ok, Branch.pbx)
        #expect(desk.atPBX.isEmpty)
        let answers = desk.branch.take(desk.phone.flow).compactMap(\.response).filter { $0.headers.cseq.method == .invite }
        #expect(answers.allSatisfy { $0.status == 200 } && desk.branch.edge.status(now: desk.branch.now).calls == 1)
        desk.attack(Self.inside("BYE", callID: "abuse-HD0001"))
        #expect(desk.atPBX.compactMap(\.request).map(\.method) == [.bye])
    }

    /// Case 24: where the PBX would send a call is judged like a new call by that device, its host never asked.
    @Test func redirectionIsJudged() throws {
        var desk = Desk(.loggedIn, .tcp)
        desk.attack(RawRequest())
        var moved = try #require(desk.atPBX.compactMap(\.request).first).response(302, toTag: "far")
        moved.headers.contact = .list([desk.phone.address("sip:19005550100@evil.example")])
        desk.branch.sent = []
        desk.branch.deliver(moved, Branch.pbx)
        let requests = desk.atPBX.compactMap(\.request)
        #expect(requests.map(\.method) == [.ack, .invite])
        #expect(requests.last?.uri.description == "sip:19005550100@pbx.example" && requests.last?.headers.from.uri.user == "100")
        #expect(desk.branch.take(desk.phone.flow).isEmpty)
        // A code is nothing to be sent to, and an idle desk goes nowhere.
        desk.branch.run(.logout(try #require(DeviceName("HD0001"))))
        var again = try #require(requests.last).response(302, toTag: "far")
        again.headers.contact = .list(["sip:*77*101*@pbx.example", "sip:19005550101@evil.example"].map { desk.phone.address($0) })
        desk.branch.sent = []
        desk.branch.deliver(again, Branch.pbx)
        #expect(!desk.atPBX.contains { $0.request?.method == .invite })
        let answer = try #require(desk.branch.take(desk.phone.flow).compactMap(\.response).last)
        #expect(answer.status == 302 && !String(decoding: answer.serialized(), as: UTF8.self).contains("evil"))
    }

    /// A BYE into a spoken hint ends its INVITE too, so that hints cannot fill the transaction table.
    @Test func hintThatIsHungUpLeavesNothing() throws {
        var desk = Desk(.idle, .tcp)
        desk.branch.promptsEnd = false
        desk.number += 1
        let invite = RawRequest(headers: [("Call-ID", "hint")], body: desk.phone.offer())
        desk.deliver(invite.bytes(from: desk.phone, number: desk.number))
        let early = try #require(desk.branch.take(desk.phone.flow).compactMap(\.response).last)
        #expect(early.status == 183)
        var bye = Self.inside("BYE", callID: "hint")
        bye.headers[1].value = early.headers.to.description
        #expect(desk.attack(bye).map(\.status).sorted() == [200, 487])
        #expect(desk.atPBX.isEmpty)
    }
}
