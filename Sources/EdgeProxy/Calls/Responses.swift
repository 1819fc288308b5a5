import CoreTypes
import HotDeskPolicy
import Media
import SIPMessage
import SIPTransaction

/// What comes back for a request the edge has sent.
extension EdgeProxy {
    mutating func responded(_ response: SIPResponse, _ client: ClientTransactionID) {
        if let subject = registrations.subject(of: client) { return registrationAnswered(subject, client, response) }
        if response.status >= 200, checkSyncAnswered(response.status, response, client) || watchAnswered(response.status, client) { return }
        if response.status >= 200, nodeAnswered(client, true) { return }
        if response.status < 200 { noteProvisional(response.status, client) }
        guard let exchange = exchanges[client] else { return ownAnswered(response, client) }
        let response = response.status < 300 && exchange.incoming.method.bringsSession ? response.withSessionOnly : response
        if response.status < 200 {
            guard !exchange.isCancelled, response.status > 100 else { return }
            return pass(response, exchange)
        }
        if exchange.isCancelled {
            if response.status < 300, exchange.incoming.method == .invite { hangUp(answered: response, exchange) }
            return finish(exchange, .cancelled)
        }
        if response.status == 401 || response.status == 407, answerChallenge(response, client, exchange) { return }
        if isRouteFailure(response.status, exchange), tryNextRoute(client, exchange) { return }
        if (300..<400).contains(response.status), follow(response, client, exchange) { return }
        if let refusal = refusal(ofAnswer: response, exchange) { return hangUp(answered: response, client, exchange, refusal) }
        pass(response, exchange)
        if response.status >= 300 || exchange.incoming.method != .invite { settle(client, exchange, response) }
        if response.status < 300, exchange.incoming.method == .invite { settleSuccess(client, exchange) }
    }

    private mutating func noteProvisional(_ status: Int, _ client: ClientTransactionID) {
        guard let index = exchanges.index(forKey: client) else { return }
        exchanges.values[index].value.advance(by: status, ringsUntil: now + Self.ringingLimit)
    }

    /// No answer at all: the next route, or the status that says so.
    mutating func failed(_ client: ClientTransactionID, status: Int) {
        if let subject = registrations.subject(of: client) { return registrationFailed(subject, client) }
        if checkSyncAnswered(status, nil, client) || watchAnswered(status, client) || nodeAnswered(client, false) { return }
        guard let exchange = exchanges[client] else { return ownRequests[client] = nil }
        if !exchange.isCancelled, tryNextRoute(client, exchange) { return }
        forget(client, exchange)
        closeOpen(exchange)
        if !exchange.isCancelled { refuse(exchange.server, exchange.incoming, status) }
        // RFC 3261 §12.2.1.2: a request in a dialog that is never answered ends it.
        if let dialog = exchange.dialog, exchange.incoming.method != .info { endDialog(dialog, exchange.end) }
        finish(exchange, .refused(status))
    }

    mutating func ended(_ client: ClientTransactionID) {
        guard let exchange = exchanges[client] else { return }
        forget(client, exchange)
        guard exchange.isAnswered, exchange.dialog == nil, let key = exchange.call, let call = calls[key] else { return }
        // Branches of a fork that never answered are gone with the INVITE's transaction.
        for dialog in call.dialogs where calls.dialog(dialog)?.isConfirmed != true { calls.removeDialog(dialog) }
        if calls[key]?.dialogs.isEmpty == true { endCall(key, .lost) }
    }

    mutating func emergencyPatienceOver(_ client: ClientTransactionID) {
        guard let exchange = exchanges[client], !exchange.isProgressing, !exchange.isCancelled, !exchange.otherRoutes.isEmpty else {
            return
        }
        if exchange.sawProvisional, !exchange.isPatienceExtended {
            // 100 Trying says only that a machine has read the call.
            exchanges[client]?.isPatienceExtended = true
            return timers.schedule(.emergencyPatience(client), at: now + Self.emergencyPatienceAfterTrying)
        }
        log(.warning, "emergency call: no progress on this route, trying the next")
        transactions.cancel(client, now: now, into: &pending)
        guard tryNextRoute(client, exchange) else { return }
        // Kept until its transaction ends: should it be answered after all, it is hung up.
        var left = exchange
        left.isCancelled = true
        left.call = nil
        exchanges[client] = left
    }

    /// Timer C: whoever still rings is cancelled, and the caller is told.
    mutating func ringingTooLong(_ client: ClientTransactionID) {
        guard let exchange = exchanges[client], let end = exchange.ringsUntil, !exchange.isAnswered, !exchange.isCancelled else { return }
        guard end <= now else { return timers.schedule(.ringing(client), at: end) }
        abandon(client, exchange, status: 408)
    }

    /// The caller's connection is gone: whoever it was ringing is let go.
    mutating func serverEnded(_ server: ServerTransactionID) {
        if let call = localCalls.call(server), call.state != .up { endLocalCall(call.key, byPhone: true) }
        stopWaiting(server)
        guard let client = exchangeOfServer.removeValue(forKey: server), let exchange = exchanges[client] else { return }
        guard exchange.incoming.method == .invite, !exchange.isAnswered, !exchange.isCancelled else { return }
        abandon(client, exchange, status: nil)
    }

    /// Cancels an INVITE that nobody waits for any more; with a status, its caller is answered.
    mutating func abandon(_ client: ClientTransactionID, _ exchange: Boxed<Exchange>, status: Int?) {
        exchanges[client]?.isCancelled = true
        if let call = exchange.call { calls.change(call) { $0.ending = status == 408 ? .unanswered : .cancelled } }
        if let status { refuse(exchange.server, exchange.incoming, status) }
        transactions.cancel(client, now: now, into: &pending)
    }

    // MARK: Other ways

    private func isRouteFailure(_ status: Int, _ exchange: Boxed<Exchange>) -> Bool {
        if isEmergency(exchange), exchange.incoming.method == .invite { return status >= 300 && status != 487 }
        return status == 503
    }

    private mutating func tryNextRoute(_ client: ClientTransactionID, _ exchange: Boxed<Exchange>) -> Bool {
        guard let next = exchange.otherRoutes.first, exchange.dialog == nil else { return false }
        var exchange = exchange
        exchange.otherRoutes.removeFirst()
        exchange.value.forgetChallenge()
        exchanges[client] = nil
        closeOpen(exchange)
        moveMedia(of: &exchange.value, to: next)
        send(exchange.value, on: next)
        return true
    }

    /// Answers the PBX's challenge with the identity's own credentials (RFC 3261 §22.3). The next number of the
    /// phone's CSeq is used up by it, which the call's offset remembers.
    private mutating func answerChallenge(_ response: SIPResponse, _ client: ClientTransactionID, _ exchange: Boxed<Exchange>) -> Bool {
        guard exchange.from == .phone, let account = exchange.identity?.credentials, exchange.challengesAnswered < 2 else { return false }
        guard side(of: exchange.flow) == .trunk else { return false }
        guard let challenge = response.challenge, exchange.challengesAnswered == 0 || challenge.stale else { return false }
        var exchange = exchange
        exchange.challengesAnswered += 1
        // Another request of the phone may have gone out since: its number is taken.
        let taken = exchange.call.flatMap { calls[$0] }?.lastSequence ?? 0
        exchange.value.outgoing.headers.cseq.number = max(exchange.outgoing.headers.cseq.number, taken)
        exchange.outgoing.authorize(challenge, isProxy: response.status == 407, account, cnonce: token(8))
        if let call = exchange.call {
            calls.change(call) { $0.sequenceOffset &+= 1 }
            noteForStore(call)
        }
        exchanges[client] = nil
        closeOpen(exchange)
        send(exchange.value, on: .flow(exchange.flow))
        return true
    }

    // MARK: Passing on

    /// Gives a response to the side the request came from, in that side's own terms.
    private mutating func pass(_ response: SIPResponse, _ exchange: Boxed<Exchange>) {
        let incoming = exchange.incoming.headers
        var headers = Headers(
            via: incoming.via, from: incoming.from, to: incoming.to.with(tag: incoming.to.tag ?? response.headers.to.tag),
            callID: incoming.callID, cseq: incoming.cseq)
        // RFC 3261 §12.1.1: the route of the side that asked, given back to it.
        if (101..<300).contains(response.status) { headers.recordRoute = incoming.recordRoute }
        headers.contentType = response.headers.contentType
        let isManaged = exchange.identity != nil
        for field in response.headers.others where !(isManaged && Self.challengeNames.contains(field.name)) {
            if exchange.from != .phone, Self.staysAtBranch(field.name) { continue }
            headers.others.append(field)
        }
        var passed = SIPResponse(status: response.status, reason: response.reason, headers: headers, body: response.body)
        if isManaged, response.status == 401 || response.status == 407 {
            // The PBX has refused the identity itself: the phone could not answer that.
            passed.status = 403
            passed.reason = "PBX refused the extension"
            audit(
                .registrationRefused, extension: exchange.outgoing.headers.from.uri.user ?? "", request: exchange.incoming.summary,
                detail: "the PBX refused the credentials")
        }
        if let registration = exchange.plainRegistration {
            plainRegistered(response, registration, exchange, &passed)
            return respond(exchange.server, passed)
        }
        if response.headers.contact != nil, response.status < 300 {
            passed.headers.contact = .list([contact(user: exchange.incoming.uri.user, on: exchange.incomingFlow, asked: exchange.incoming.uri)])
        }
        if (300..<400).contains(response.status) { passed.headers.contact = redirectionContacts(response, exchange) }
        noteDialog(response, exchange)
        noteTimers(response, exchange)
        if exchange.from == .phone, let call = exchange.call, response.status >= 200 { noteAllowed(response.headers, in: call) }
        passAnswer(response, exchange, &passed)
        respond(exchange.server, passed)
    }

    /// Why a call must not come about with this answer: SRTP is demanded and not there.
    private func refusal(ofAnswer response: SIPResponse, _ exchange: Boxed<Exchange>) -> MediaRefusal? {
        guard (200..<300).contains(response.status), exchange.dialog == nil, !exchange.isAnswered, response.headers.isSDP,
            let call = exchange.call.flatMap({ calls[$0] }), var media = call.media, media.demandsSRTP
        else { return nil }
        // On a copy: nothing that is tried here is to stay.
        var random = random
        do throws(MediaRefusal) {
            _ = try media.pass(
                response.body, from: exchange.from == .phone ? .trunk : .phone, isOffer: false, forbidden: [],
                source: exchange.flow.remote.address, random: &random)
            return nil
        } catch {
            return error == .syntax ? nil : error
        }
    }

    private mutating func hangUp(
        answered response: SIPResponse, _ client: ClientTransactionID, _ exchange: Boxed<Exchange>, _ refusal: MediaRefusal
    ) {
        log(.notice, "a call is ended as it is answered: \(refusal.reason)")
        hangUp(answered: response, exchange)
        refuse(exchange.server, exchange.incoming, refusal.status, refusal.reason)
        exchanges[client]?.isCancelled = true
        closeOpen(exchange)
        finish(exchange, .refused(refusal.status))
    }

    private mutating func passAnswer(_ response: SIPResponse, _ exchange: Boxed<Exchange>, _ passed: inout SIPResponse) {
        guard response.headers.isSDP, !response.body.isEmpty, let key = exchange.call, let call = calls[key] else { return }
        var media = call.media
        let from: Side = exchange.from == .phone ? .trunk : .phone
        guard let body = try? passSDP(response.body, &media, from: from, exchange.flow, isOffer: false) else {
            passed.body = []
            passed.headers.contentType = nil
            return
        }
        if media != call.media {
            calls.change(key) { $0.media = media }
            noteForStore(key)
        }
        passed.body = body
    }

    /// RFC 3261 §12.1: a 101–299 with a To tag to a request that makes dialogs makes one, early or confirmed.
    private mutating func noteDialog(_ response: SIPResponse, _ exchange: Boxed<Exchange>) {
        guard (101..<300).contains(response.status), let key = exchange.call, let call = calls[key] else { return }
        if let dialog = exchange.dialog {
            noteForStore(key)
            return refreshTarget(dialog, from: exchange.from == .phone ? .trunk : .phone, response.headers)
        }
        guard exchange.incoming.method.createsDialog, !response.headers.refusesReferSubscription, let answererTag = response.headers.to.tag
        else { return }
        let caller = Peer(
            flow: exchange.incomingFlow, target: exchange.incoming.headers.contactURI, routes: exchange.incoming.headers.recordRoute)
        let answerer = Peer(
            flow: exchange.flow, target: response.headers.contactURI, routes: Array(response.headers.recordRoute.reversed()))
        let isOut = exchange.from == .phone
        guard let callerTag = isOut ? exchange.incoming.headers.phoneTag : exchange.incoming.headers.from.tag else { return }
        let dialogKey = DialogKey(
            callID: exchange.incoming.headers.callID, phoneTag: isOut ? callerTag : answererTag,
            farTag: isOut ? answererTag : callerTag)
        if let held = calls.dialog(dialogKey) {
            // Two calls with one Call-ID and the same tags: the first keeps its dialog.
            guard held.call == call.key else { return }
            refreshTarget(dialogKey, from: isOut ? .trunk : .phone, response.headers)
        } else {
            calls.insert(
                Dialog(key: dialogKey, call: call.key, phone: isOut ? caller : answerer, trunk: isOut ? answerer : caller))
        }
        if response.status >= 200 { calls.changeDialog(dialogKey) { $0.isConfirmed = true } }
    }

    /// RFC 3261 §12.2: the Contact of a target refresh replaces the far end's.
    mutating func refreshTarget(_ key: DialogKey, from side: Side, _ headers: Headers) {
        guard let target = headers.contactURI else { return }
        calls.changeDialog(key) { dialog in
            switch side {
            case .phone: dialog.phone.target = target
            case .trunk, .gateway: dialog.trunk.target = target
            }
        }
    }

    // MARK: Ends

    private mutating func forget(_ client: ClientTransactionID, _ exchange: Boxed<Exchange>) {
        exchanges[client] = nil
        // Another route may have taken over since.
        if exchangeOfServer[exchange.server] == client { exchangeOfServer[exchange.server] = nil }
    }

    private mutating func settle(_ client: ClientTransactionID, _ exchange: Boxed<Exchange>, _ response: SIPResponse) {
        forget(client, exchange)
        closeOpen(exchange)
        if let dialog = exchange.dialog {
            let endsIt = exchange.incoming.method == .bye || response.status == 481 || response.status == 408
            if endsIt { endDialog(dialog, exchange.end) }
            if response.status >= 300 { takeBackOffer(exchange) }
            return
        }
        // RFC 4488: a REFER may have been taken without a subscription.
        let isNothingLeft = exchange.incoming.method == .refer && exchange.call.flatMap { calls[$0] }?.dialogs.isEmpty ?? true
        if response.status >= 300 || isNothingLeft { finish(exchange, .refused(response.status)) }
    }

    /// The INVITE is answered; the exchange stays for the 2xx that come again until its transaction ends.
    private mutating func settleSuccess(_ client: ClientTransactionID, _ exchange: Boxed<Exchange>) {
        guard !exchange.isAnswered, let index = exchanges.index(forKey: client) else { return }
        exchanges.values[index].value.becomeAnswered()
        closeOpen(exchange)
        if exchange.dialog == nil, let call = exchange.call { callAnswered(call) }
    }

    /// What a refused re-INVITE or UPDATE has said of the media does not hold.
    private mutating func takeBackOffer(_ exchange: Boxed<Exchange>) {
        guard let before = exchange.mediaBefore, let key = exchange.call, var media = calls[key]?.media else { return }
        let offered = media
        media.takeBack(before, of: exchange.from)
        guard media != offered else { return }
        calls.change(key) { $0.media = media }
        out.append(.media(.relay(media.id, media.phone, media.trunk)))
    }

    /// Leaves an exchange and its call behind, since the phone's request goes elsewhere.
    mutating func leave(_ client: ClientTransactionID, _ exchange: Boxed<Exchange>, _ key: CallKey) {
        forget(client, exchange)
        if let call = calls.remove(key) { releaseMedia(of: call) }
    }

    private mutating func closeOpen(_ exchange: Boxed<Exchange>) {
        guard let call = exchange.call else { return }
        calls.change(call) { $0.open = max(0, $0.open - 1) }
    }

    /// Removes a call whose beginning has failed.
    private mutating func finish(_ exchange: Boxed<Exchange>, _ reason: CallEnd) {
        guard exchange.dialog == nil, let key = exchange.call, let call = calls[key] else { return }
        for dialog in call.dialogs where calls.dialog(dialog)?.isConfirmed != true { calls.removeDialog(dialog) }
        if let rest = calls[key], rest.dialogs.isEmpty { endCall(key, reason) }
    }

    mutating func endDialog(_ key: DialogKey, _ reason: CallEnd) {
        guard let dialog = calls.dialog(key) else { return }
        calls.removeDialog(key)
        if let call = calls[dialog.call], call.dialogs.isEmpty { endCall(call.key, reason) }
    }

    mutating func endCall(_ key: CallKey, _ reason: CallEnd) {
        guard let call = calls.remove(key) else { return }
        releaseMedia(of: call)
        if call.isStored { out.append(.store(.callRemoved(key.rawValue), nil)) }
        record(call, reason)
    }

    /// Subscriptions whose time is over without a word, and calls nobody has ended in a day.
    mutating func expireCalls() {
        for call in calls.calls.values {
            let isEmpty = call.dialogs.isEmpty && call.open == 0
            let isStale = now - call.began > .seconds(86_400) || (isEmpty && now - call.began > .seconds(300))
            if call.expires.map({ $0 <= now }) ?? isStale { endCall(call.key, .expired) }
            if let end = call.sessionEnds, end <= now { endUnrefreshed(call) }
        }
    }
}

extension Exchange {
    /// Why the dialog is over that ends with this request.
    fileprivate var end: CallEnd {
        guard incoming.method == .bye else { return .lost }
        return from == .phone ? .hungUpHere : .hungUpThere
    }
}

extension Headers {
    /// RFC 4488 §4: `Refer-Sub: false` in a 2xx.
    fileprivate var refusesReferSubscription: Bool { tokens(.referSub).first == "false" }

    /// The URI of the only Contact of a request or response that refreshes a target.
    var contactURI: URI? {
        guard case .list(let contacts)? = contact else { return nil }
        return contacts.first?.uri
    }
}

