import CoreTypes
import HotDeskPolicy
import Media
import SIPMessage
import SIPTransaction

/// The life of calls that end at the edge: answered, spoken to, hung up.
extension EdgeProxy {
    // MARK: Beginning

    mutating func beginLogin(
        _ number: ExtensionNumber?, _ request: SIPRequest, _ server: ServerTransactionID, _ flow: Flow, _ party: Party
    ) {
        guard let device = party.device else { return refuse(server, request, 403) }
        log(.info, "verdict login: \(device.text) asks for \(number?.text ?? "the extension to be typed")")
        let dialogue = LoginDialogue(device: device, asked: number, rules: configuration.policy)
        guard answer(request, server, flow, device, .login(dialogue)) else {
            return refuse(server, request, 488, "The login needs G.711 or G.722 audio")
        }
    }

    mutating func beginLogout(_ request: SIPRequest, _ server: ServerTransactionID, _ flow: Flow, _ party: Party) {
        guard let device = party.device else { return refuse(server, request, 403) }
        let wasIdle = sessions.session(on: device) == nil
        let language = language(of: device)
        log(.info, "verdict logout: \(device.text)")
        endSession(on: device, reason: .code)
        let phrases: [Phrase] = wasIdle ? [.notLoggedIn] : [.loggedOut]
        guard !answer(request, server, flow, device, .announcement(phrases), language: language) else { return }
        // Without audio the logout stands all the same; the phone shows why the call ends.
        refuse(server, request, 480, wasIdle ? "Nobody is logged in" : "Logged out")
    }

    /// Speaks a hint as early media before the refusal (RFC 3960); false where the phone or the site cannot.
    mutating func speakHint(
        _ request: SIPRequest, _ server: ServerTransactionID, _ flow: Flow, _ device: DeviceName, _ refusal: Refusal
    ) -> Bool {
        guard request.method == .invite, request.headers.isSDP, localCalls.count < LocalCallTable.maximum / 2 else { return false }
        return answer(request, server, flow, device, .hint(refusal))
    }

    /// Answers an INVITE: 183 for what is spoken before an answer, 200 for the rest. False where no answer in audio can be given.
    mutating func answer(
        _ request: SIPRequest, _ server: ServerTransactionID, _ flow: Flow, _ device: DeviceName, _ kind: LocalCall.Kind,
        language: String? = nil
    ) -> Bool {
        guard localCalls.count < LocalCallTable.maximum, localCalls.count(of: device) < LocalCallTable.perDevice else { return false }
        guard let phoneTag = request.headers.from.tag, let pair = ports.take(mediaFamily(near: flow), emergency: false) else { return false }
        let media = MediaSessionID(rawValue: identifier())
        let hasOffer = request.headers.isSDP && !request.body.isEmpty
        let leg = MediaLeg(ports: pair, signallingSource: flow.remote.address)
        let security = LegSecurity(policy: configuration.srtp.phones)
        guard let answer = hasOffer
            ? LocalAnswer(
                offer: request.body, leg: leg, security: security, session: media.rawValue, forbidden: pbxAddresses, random: &random)
            : LocalAnswer(offeringOn: leg, security: security, session: media.rawValue, random: &random)
        else {
            ports.add([pair])
            return false
        }
        let tag = newTag()
        let isEarly = kind.isEarly
        let call = LocalCall(
            key: LocalCallKey(rawValue: identifier()), kind: kind, state: isEarly ? .early : .answered, device: device, server: server,
            invite: request, flow: flow,
            dialog: DialogKey(callID: request.headers.callID, phoneTag: phoneTag, farTag: tag), media: media, leg: answer.leg,
            security: answer.security, language: language ?? self.language(of: device), sdp: answer.sdp)
        localCalls.insert(call)
        out.append(.media(.announce(media, answer.leg, answer.format)))
        var response = request.response(isEarly ? 183 : 200, toTag: tag)
        response.headers.contact = .list([contact(user: request.uri.user, on: flow, asked: request.uri)])
        response.headers.contentType = "application/sdp"
        if !isEarly { response.headers[.allow] = Self.allowed }
        response.body = answer.sdp
        respond(server, response, retransmitSuccess: !isEarly)
        switch kind {
        case .hint:
            play(call.key, [.logInFirst], bargeIn: false, token: 0)
            timers.schedule(.localCall(call.key), at: now + .seconds(15))
        case .gate: tell(call.key, .answered)
        case .login, .announcement: break
        }
        return true
    }

    func language(of device: DeviceName) -> String {
        let person = sessions.session(on: device).flatMap { extensions[$0.extension] }
        return person?.language ?? configuration.language
    }

    // MARK: What the phone does

    mutating func localCallAcknowledged(_ key: LocalCallKey, _ request: SIPRequest) {
        guard let call = localCalls[key], call.state == .answered else { return }
        transactions.acknowledged(call.server)
        localCalls.change(key) { $0.state = .up }
        if !call.invite.headers.isSDP, request.headers.isSDP { learnAnswer(request.body, key) }
        switch call.kind {
        case .login: tell(key, .answered)
        case .announcement(let phrases):
            play(key, phrases, bargeIn: false, token: 0)
            timers.schedule(.localCall(key), at: now + .seconds(20))
        case .hint, .gate: break
        }
    }

    /// The phone's answer to our own offer, in its ACK.
    private mutating func learnAnswer(_ body: [UInt8], _ key: LocalCallKey) {
        guard var call = localCalls[key], let description = try? SessionDescription(parsing: body),
            let audio = description.media.first(where: \.isAudio)
        else { return }
        call.leg.learn(audio, sessionConnection: description.connection, forbidden: pbxAddresses)
        guard (try? call.security.takeAnswer(audio)) != nil, let (format, _) = LocalAnswer.choose(audio) else {
            return hangUpLocalCall(key)
        }
        call.leg.srtp = call.security.terms
        localCalls.change(key) { $0 = call }
        out.append(.media(.announce(call.media, call.leg, format)))
    }

    /// A request in the dialog of a local call.
    mutating func localCallRequest(_ request: SIPRequest, _ server: ServerTransactionID) {
        guard let key = DialogKey(ofPhone: request.headers), let call = localCalls.call(key) else { return refuse(server, request, 481) }
        switch request.method {
        case .bye:
            respond(server, request.response(200))
            // RFC 3261 §15.1.2: an INVITE that is still open is answered too, or it would be open for ever.
            if call.state == .early { refuse(call.server, call.invite, 487) }
            endLocalCall(call.key, byPhone: true)
        case .info:
            respond(server, request.response(200))
            infoDigit(request, call)
        case .invite: answerAgain(request, server, call)
        case .update:
            guard request.body.isEmpty else { return answerAgain(request, server, call) }
            respond(server, request.response(200))
        case .options, .prack, .notify: respond(server, request.response(200))
        case .refer, .subscribe, .message, .publish, .register, .ack, .cancel, .other: refuse(server, request, 403)
        }
    }

    /// A re-INVITE or UPDATE: the same session again, to wherever the phone now wants it (RFC 3261 §14.2).
    private mutating func answerAgain(_ request: SIPRequest, _ server: ServerTransactionID, _ call: LocalCall) {
        guard call.state == .up else { return refuse(server, request, 491) }
        var response = request.response(200)
        response.headers.contact = .list([contact(user: call.invite.uri.user, on: call.flow, asked: call.invite.uri)])
        response.headers.contentType = "application/sdp"
        response.body = call.sdp
        if request.headers.isSDP, !request.body.isEmpty {
            guard let answer = LocalAnswer(
                offer: request.body, leg: call.leg, security: call.security, session: call.media.rawValue, forbidden: pbxAddresses,
                random: &random)
            else {
                return refuse(server, request, 488)
            }
            localCalls.change(call.key) {
                $0.leg = answer.leg
                $0.security = answer.security
                $0.sdp = answer.sdp
            }
            out.append(.media(.announce(call.media, answer.leg, answer.format)))
            response.body = answer.sdp
        }
        respond(server, response)
    }

    /// Digits by SIP INFO: `application/dtmf-relay` ("Signal=5") and `application/dtmf` ("5").
    private mutating func infoDigit(_ request: SIPRequest, _ call: LocalCall) {
        guard call.lastInfo != request.headers.cseq.number else { return }
        localCalls.change(call.key) { $0.lastInfo = request.headers.cseq.number }
        guard let press = InfoDigit(request) else { return }
        localCallDigit(call.media, press.key, as: .info)
    }

    mutating func localCallCancelled(_ server: ServerTransactionID) -> Bool {
        guard let call = localCalls.call(server) else { return false }
        guard call.state == .early else { return true }
        refuse(server, call.invite, 487)
        endLocalCall(call.key, byPhone: true)
        return true
    }

    mutating func localCallUnacknowledged(_ server: ServerTransactionID) {
        guard let call = localCalls.call(server) else { return }
        hangUpLocalCall(call.key)
    }

    // MARK: What the media say

    mutating func localCallDigit(_ media: MediaSessionID, _ digit: UInt8, as form: KeyFilter.Form) {
        guard var call = localCalls.call(media), call.takesDigits else { return }
        let counts = call.keys.counts(digit, as: form, at: now)
        localCalls.change(call.key) { $0.keys = call.keys }
        if counts { tell(call.key, .digit(digit)) }
    }

    mutating func localCallPlayed(_ media: MediaSessionID, _ token: UInt32) {
        guard let call = localCalls.call(media) else { return }
        switch call.kind {
        case .login, .gate: tell(call.key, .played(token: token))
        case .announcement, .hint: finishAnnouncement(call)
        }
    }

    mutating func localCallTick(_ key: LocalCallKey) {
        guard let call = localCalls[key] else { return }
        switch call.kind {
        case .login(let dialogue), .gate(let dialogue, _):
            guard let due = dialogue.nextDeadline, due <= now else { return }
            tell(key, .tick)
        case .announcement, .hint: finishAnnouncement(call)
        }
    }

    private mutating func finishAnnouncement(_ call: LocalCall) {
        switch call.kind {
        case .hint(let refusal):
            guard call.state == .early else { return }
            respond(call.server, refusalResponse(call.invite, refusal, toTag: call.dialog.farTag))
            endLocalCall(call.key, byPhone: true)
        case .announcement, .login, .gate: hangUpLocalCall(call.key)
        }
    }

    mutating func play(_ key: LocalCallKey, _ phrases: [Phrase], bargeIn: Bool, token: UInt32) {
        guard let call = localCalls[key] else { return }
        out.append(.media(.play(call.media, phrases, language: call.language, bargeIn: bargeIn, token: token)))
    }

    // MARK: Ending

    /// Ends a local call with a BYE of our own (RFC 3261 §15.1.1).
    mutating func hangUpLocalCall(_ key: LocalCallKey) {
        guard let call = localCalls[key], call.state != .ended else { return }
        if case .gate = call.kind { return refuseGated(key) }
        if call.state != .early, let target = call.invite.headers.contactURI {
            var bye = SIPRequest(
                method: .bye, uri: target,
                headers: Headers(
                    via: [], from: call.invite.headers.to.with(tag: call.dialog.farTag), to: call.invite.headers.from,
                    callID: call.dialog.callID, cseq: CSeq(number: call.sequence, method: .bye)))
            bye.headers.maxForwards = 70
            bye.headers.route = call.invite.headers.recordRoute
            sendOwn(bye, on: call.flow)
        }
        endLocalCall(key, byPhone: false)
    }

    mutating func endLocalCall(_ key: LocalCallKey, byPhone: Bool) {
        localCalls.change(key) { $0.state = .ended }
        if byPhone { tell(key, .hungUp) }
        guard let call = localCalls.remove(key) else { return }
        out.append(.media(.close(call.media)))
    }
}
