import CoreTypes
import HotDeskPolicy
import SIPMessage
import SIPTransaction

/// A call that has been sent elsewhere by a 3xx.
struct Redirection: Sendable, Equatable {
    /// Numbers that were tried, the first one dialled included.
    var tried: [String]
    /// What is to be added to the phone's CSeq number, so that the next try has a higher one (RFC 3261 §8.1.3.4).
    var sequenceOffset: UInt32

    /// Tries in all.
    static let maximum = 5
}

/// 3xx answers (RFC 3261 §8.1.3.4, §21.3). Where each of them goes is judged as a new call by that phone would be.
///
/// For a hot desk the edge tries the next number itself: not every phone does, and the PBX's addresses stay
/// hidden. A plain phone, whose digest is its own, is told the number. What a desk answers to a call goes to the PBX,
/// which has the caller.
extension EdgeProxy {
    /// Calls the first number of a 3xx that the desk may call; false where there is none.
    mutating func follow(_ response: SIPResponse, _ client: ClientTransactionID, _ exchange: Boxed<Exchange>) -> Bool {
        guard exchange.from == .phone, exchange.incoming.method == .invite, exchange.dialog == nil, let key = exchange.call,
            let call = calls[key], call.purpose == .ordinary, call.party.device != nil
        else { return false }
        var tried = exchange.redirection?.tried ?? [exchange.target.user ?? ""]
        guard tried.count < Redirection.maximum else { return false }
        let requester = requester(call.party, in: call)
        for contact in response.headers.contacts {
            let verdict = configuration.policy.decide(method: .invite, uri: contact.uri, standing: .outside, requester: requester)
            guard let number = verdict.number, !tried.contains(number) else { continue }
            tried.append(number)
            log(.info, "\(call.party.text): sent on to \(number) by \(response.status)")
            let next = Redirection(tried: tried, sequenceOffset: call.sequenceOffset &+ 1)
            leave(client, exchange, key)
            var request = exchange.incoming
            request.uri = contact.uri
            redirect(request, exchange, call.party, verdict, next)
            return true
        }
        return false
    }

    private mutating func redirect(
        _ request: SIPRequest, _ exchange: Boxed<Exchange>, _ party: Party, _ verdict: Verdict, _ redirection: Redirection
    ) {
        switch verdict {
        case .emergency(let number):
            emergency(
                number, request, exchange.server, exchange.incomingFlow, Claim(party: party, isProven: true), redirection: redirection)
        case .forward(let user):
            place(request, exchange.server, exchange.incomingFlow, party, user, redirection: redirection)
        case .login, .logout, .watchSession, .forwardInside, .answerLocally, .refuse: refuse(exchange.server, exchange.incoming, 480)
        }
    }

    /// The numbers of a 3xx that whoever asked may be told, with the PBX's domain in place of any host.
    func redirectionContacts(_ response: SIPResponse, _ exchange: Boxed<Exchange>) -> ContactField? {
        guard exchange.incoming.method == .invite, exchange.dialog == nil, let call = exchange.call.flatMap({ calls[$0] }) else { return nil }
        switch (exchange.from, call.party) {
        case (.trunk, .device), (.trunk, .plain), (.phone, .plain): break
        case (.phone, .device), (.gateway, _), (_, .unknown): return nil
        }
        let requester = requester(call.party, in: call)
        guard call.purpose == .ordinary else { return nil }
        let contacts = response.headers.contacts.compactMap { contact -> NameAddress? in
            let verdict = configuration.policy.decide(method: .invite, uri: contact.uri, standing: .outside, requester: requester)
            guard case .forward(let user) = verdict, !requiresPIN(user, call.party, contact.uri) else { return nil }
            return NameAddress(
                displayName: contact.displayName, uri: .sip(SIPURI(user: user, host: targetHost(contact.uri, call.party))),
                parameters: contact.parameters.filter { $0.name == "q" })
        }
        return contacts.isEmpty ? nil : .list(contacts)
    }
}

extension Verdict {
    /// The number of a call that leaves the edge.
    fileprivate var number: String? {
        switch self {
        case .emergency(let number), .forward(let number): return number
        case .login, .logout, .watchSession, .forwardInside, .answerLocally, .refuse: return nil
        }
    }
}

extension Headers {
    /// Contacts of a redirection, those the sender likes best first (RFC 3261 §20.10 q).
    fileprivate var contacts: [NameAddress] {
        let addresses = Array((contact?.addresses ?? []).prefix(8))
        return addresses.enumerated().sorted { ($1.element.preference, $0.offset) < ($0.element.preference, $1.offset) }.map(\.element)
    }
}

extension NameAddress {
    /// Thousandths of `q`, 1000 where there is none or it cannot be read.
    fileprivate var preference: Int {
        guard let text = parameter("q")?.value, let value = Double(text), (0...1).contains(value) else { return 1000 }
        return Int(value * 1000)
    }
}
