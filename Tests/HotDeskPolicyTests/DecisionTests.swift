import HotDeskPolicy
import SIPMessage
import Testing

@Suite struct DecisionTests {
    func decide(
        _ method: Method, _ target: String = "sip:5551234@pbx.example", _ standing: Standing = .outside, _ who: Who
    ) throws -> Verdict {
        site.decide(method: method, uri: try URI(parsing: target), standing: standing, requester: try who.requester())
    }

    @Test(arguments: Who.allCases, ["sip:911@pbx.example", "tel:112", "urn:service:sos", "sip:9-911@evil.example:9"])
    func emergencyBeatsEverything(who: Who, target: String) throws {
        guard case .emergency = try decide(.invite, target, .outside, who) else {
            Issue.record("\(who) cannot call \(target)")
            return
        }
    }

    @Test func anEmergencyNumberIsCalledByInviteOnly() throws {
        for method in everyMethod where method != .invite {
            for who in Who.allCases {
                if case .emergency = try decide(method, "sip:911@pbx.example", .outside, who) {
                    Issue.record("\(method) by \(who) became an emergency call")
                }
            }
        }
    }

    @Test(arguments: everyMethod)
    func idleDevice(method: Method) throws {
        let verdict = try decide(method, .idle)
        switch method {
        case .register, .options: #expect(verdict == .answerLocally)
        case .other: #expect(verdict.status == 501)
        case .invite, .ack, .bye, .cancel, .info, .update, .prack, .subscribe, .notify, .refer, .message, .publish:
            #expect(verdict.status == 403)
            guard case .refuse(let refusal) = verdict else { return }
            #expect(refusal.hint == (method == .invite))
            #expect(refusal.phrase == "Log in first: dial *77*")
        }
    }

    private func decide(_ method: Method, _ who: Who) throws -> Verdict { try decide(method, "sip:5551234@pbx.example", .outside, who) }

    @Test(arguments: everyMethod)
    func unknownRequester(method: Method) throws {
        let verdict = try decide(method, .unknown)
        if method == .register || method == .options {
            #expect(verdict == .answerLocally)
        } else {
            #expect(verdict.status == 403)
            #expect(verdict.reason == .unknownRequester)
        }
        for code in ["sip:*77*100*@pbx", "sip:*77*5*@pbx"] where method == .invite {
            #expect(try decide(.invite, code, .outside, .unknown).reason == .unknownRequester)
        }
    }

    @Test(arguments: everyMethod, [Who.loggedIn, .plain])
    func privileged(method: Method, who: Who) throws {
        let verdict = try decide(method, who)
        switch method {
        case .invite, .message, .subscribe, .publish, .refer: #expect(verdict == .forward("5551234"))
        case .register, .options: #expect(verdict == .answerLocally)
        case .ack, .bye, .cancel, .info, .update, .prack, .notify: #expect(verdict.status == 481)
        case .other: #expect(verdict.status == 501)
        }
    }

    @Test func codes() throws {
        let hundred = try number("100")
        for who in [Who.idle, .loggedIn] {
            #expect(try decide(.invite, "sip:*77*100*@pbx", .outside, who) == .login(hundred))
            #expect(try decide(.invite, "sip:*77@pbx", .outside, who) == .login(nil))
            #expect(try decide(.invite, "sip:%2A77%2A5%2A@pbx", .outside, who) == .logout)
            #expect(try decide(.invite, "sip:*77*1x*@pbx", .outside, who).status == 400)
        }
        for code in ["sip:*77*100*@pbx", "sip:*77@pbx", "sip:*77*5*@pbx"] {
            #expect(try decide(.invite, code, .outside, .plain).reason == .notAHotDesk)
            #expect(try decide(.message, code, .outside, .plain).reason == .notAHotDesk)
            #expect(try decide(.message, code, .outside, .loggedIn).reason == .codeWithoutCall)
        }
    }

    @Test func numbersAreForwardedInCanonicalForm() throws {
        #expect(try decide(.invite, "sip:555-12%2034;x=y@evil.example:9;maddr=192.0.2.1", .outside, .loggedIn) == .forward("5551234"))
        #expect(try decide(.message, "sip:911@pbx", .outside, .loggedIn) == .forward("911"))
    }

    @Test(arguments: Who.allCases)
    func malformedAndForeign(who: Who) throws {
        #expect(try decide(.invite, "sip:911%40evil@pbx", .outside, who).status == 400)
        #expect(try decide(.invite, "sip:100@pbx?Route=%3Csip:evil%3E", .outside, who).status == 400)
        let status = try decide(.invite, "mailto:x@y", .outside, who).status
        #expect(status == (who == .idle || who == .unknown ? 403 : 416))
        let nobody = try decide(.invite, "sip:pbx.example", .outside, who)
        #expect(nobody.status == (who == .idle || who == .unknown ? 403 : 404))
        if case .refuse(let refusal) = nobody { #expect(!refusal.hint) }
        #expect(try decide(.options, "sip:pbx.example", .outside, who) == .answerLocally)
        #expect(try decide(.register, "sip:pbx.example", .outside, who) == .answerLocally)
    }

    @Test(arguments: everyMethod, Who.allCases)
    func inventedToTag(method: Method, who: Who) throws {
        for target in ["sip:5551234@pbx", "sip:911@pbx", "sip:*77*100*@pbx"] {
            #expect(try decide(method, target, .foreign, who).status == 481)
        }
    }

    @Test(arguments: everyMethod, Who.allCases)
    func insideALocalDialog(method: Method, who: Who) throws {
        #expect(try decide(method, "sip:*77*100*@192.0.2.10", .inside(.local), who) == .answerLocally)
    }

    @Test(arguments: everyMethod, Who.allCases)
    func insideACall(method: Method, who: Who) throws {
        let verdict = try decide(method, "sip:anything@192.0.2.10", .inside(.ordinary), who)
        switch method {
        case .invite, .ack, .bye, .cancel, .update, .prack, .info, .options, .notify: #expect(verdict == .forwardInside)
        case .refer, .message, .subscribe:
            if who == .idle { #expect(verdict.status == 403) } else { #expect(verdict == .forwardInside) }
        case .publish, .register, .other: #expect(verdict.status == 501)
        }
    }

    /// The Request-URI of a request inside a dialog is a Contact: an emergency number there begins nothing.
    @Test(arguments: everyMethod, Who.allCases)
    func insideAnEmergencyCall(method: Method, who: Who) throws {
        let verdict = try decide(method, "sip:911@192.0.2.10", .inside(.emergency), who)
        switch method {
        case .invite, .ack, .bye, .cancel, .update, .prack: #expect(verdict == .forwardInside)
        case .options: #expect(verdict == .answerLocally)
        case .refer, .info, .message, .subscribe, .notify, .publish, .register:
            #expect(verdict.status == 403)
            #expect(verdict.reason == .emergencyDialog)
        case .other: #expect(verdict.status == 501)
        }
    }

    @Test(arguments: everyMethod, Who.allCases)
    func insideASubscription(method: Method, who: Who) throws {
        let verdict = try decide(method, "sip:101@192.0.2.10", .inside(.subscription), who)
        switch method {
        case .notify, .options: #expect(verdict == .forwardInside)
        case .subscribe, .refer:
            if who == .idle { #expect(verdict.status == 403) } else { #expect(verdict == .forwardInside) }
        case .invite, .ack, .bye, .cancel, .register, .info, .update, .prack, .message, .publish: #expect(verdict.status == 403)
        case .other: #expect(verdict.status == 501)
        }
    }

    /// The lamp of a device's own key: the bare code, by SUBSCRIBE, of a hot desk alone.
    @Test(arguments: ["sip:*77*@192.0.2.10", "sip:*77@192.0.2.10", "sip:*77*5*@192.0.2.10"])
    func ownKeyMayBeWatched(code: String) throws {
        #expect(try decide(.subscribe, code, .outside, .idle) == .watchSession)
        #expect(try decide(.subscribe, code, .outside, .loggedIn) == .watchSession)
        #expect(try decide(.subscribe, code, .outside, .plain).reason == .notAHotDesk)
        #expect(try decide(.publish, code, .outside, .loggedIn).reason == .codeWithoutCall)
        #expect(try decide(.subscribe, "sip:*77*100*@192.0.2.10", .outside, .loggedIn).reason == .codeWithoutCall)
        #expect(try decide(.subscribe, "sip:*77*100*@192.0.2.10", .outside, .idle).reason == .idleSubscription)
    }

    /// Nothing else is a lamp: no other method, no code with anything behind it, nobody but a hot desk, no dialog.
    @Test(arguments: everyMethod, Who.allCases) func nothingElseIsALamp(method: Method, who: Who) throws {
        let isDesk = who == .idle || who == .loggedIn
        for target in ["sip:*77*@pbx", "sip:*77*5*@pbx", "sip:*77*100*@pbx", "sip:*77*51*@pbx", "sip:*77*5*5@pbx", "sip:100@pbx", "tel:*77*", "sip:911@pbx"] {
            for standing in [Standing.outside, .foreign, .inside(.ordinary), .inside(.emergency), .inside(.subscription), .inside(.local)] {
                let isLamp = try decide(method, target, standing, who) == .watchSession
                let isBare = ["sip:*77*@pbx", "sip:*77*5*@pbx", "tel:*77*"].contains(target)
                #expect(isLamp == (method == .subscribe && isDesk && isBare && standing == .outside), "\(method) \(target) \(standing) \(who)")
            }
        }
    }

    /// What an idle device asks for never gets out, whatever it is.
    @Test func nothingOfAnIdleDeviceIsForwarded() throws {
        for method in everyMethod {
            for target in ["sip:100@pbx", "sip:9110@pbx", "tel:+15551234", "sip:911@pbx", "sip:*62@pbx", "sip:alice@pbx", "sip:pbx"] {
                switch try decide(method, target, .outside, .idle) {
                case .forward, .forwardInside: Issue.record("\(method) \(target) got out")
                case .emergency(let number): #expect(method == .invite && number == "911")
                case .login, .logout, .watchSession, .answerLocally, .refuse: break
                }
            }
        }
    }

    @Test func phrasesFitAPhone() throws {
        #expect(site.pinDue.phrase.utf8.count <= 40 && site.pinDue.status == 403)
        // A PIN that is due is the edge's to know, which keeps the time of the last one.
        for reason in RefusalReason.allCases where reason != .pinDue {
            var seen = false
            for method in everyMethod {
                for who in Who.allCases {
                    for standing in [Standing.outside, .foreign, .inside(.ordinary), .inside(.emergency), .inside(.subscription)] {
                        for target in ["sip:100@pbx", "sip:*77*100*@pbx", "sip:a%40b@pbx", "sip:pbx", "mailto:x"] {
                            guard case .refuse(let refusal) = try decide(method, target, standing, who), refusal.reason == reason else { continue }
                            seen = true
                            #expect((1...40).contains(refusal.phrase.utf8.count))
                            #expect(!refusal.phrase.contains("\"") && (400...599).contains(refusal.status))
                        }
                    }
                }
            }
            #expect(seen, "no request is refused for \(reason)")
        }
    }
}
