import CoreTypes
import CryptoPrimitives
import HotDeskPolicy
import Media
import SIPMessage

/// Whether the media of one side of the edge are protected by SRTP.
public enum SRTPPolicy: String, Sendable, Hashable, CaseIterable {
    /// Never: an offer of nothing but SRTP is refused.
    case off
    /// Where the other end offers it.
    case accept
    /// Offered by us, too, in a form that who cannot do it may ignore (RTP/AVP with `a=crypto`).
    case optional
    /// Nothing else, in either direction.
    case required
}

/// SRTP on each side of the edge.
public struct SRTPRules: Sendable, Hashable {
    public var phones: SRTPPolicy
    public var pbx: SRTPPolicy

    public init(phones: SRTPPolicy = .accept, pbx: SRTPPolicy = .accept) {
        self.phones = phones
        self.pbx = pbx
    }
}

/// Why a session description cannot be passed on.
enum MediaRefusal: Error, Hashable, Sendable {
    /// It cannot be read.
    case syntax
    /// The site demands SRTP of this side, and there is none.
    case srtpRequired
    /// Nothing is offered but SRTP, which the site does not allow, or in no form we know.
    case srtpUnusable

    var status: Int {
        switch self {
        case .syntax: return 400
        case .srtpRequired, .srtpUnusable: return 488
        }
    }

    var reason: String {
        switch self {
        case .syntax: return "Bad session description"
        case .srtpRequired: return "SRTP is required"
        case .srtpUnusable: return "SRTP not possible"
        }
    }
}

/// SRTP of one leg of a call by SDES (RFC 4568): what its far end has said, what we say to it, what is in force.
struct LegSecurity: Sendable, Equatable {
    private struct Pending: Sendable, Equatable {
        /// What of the far end's offer we take; nil: plain RTP.
        var accepted: CryptoAttribute?
        /// As the far end wrote it: the answer repeats it (RFC 3264 §6).
        var profile: String
        var isSecureProfile: Bool
    }

    let policy: SRTPPolicy
    /// In force: what the leg's packets are protected with.
    private(set) var terms: SRTPTerms?
    /// Our own keys, one a suite, for the life of the call: a description that comes again names the same.
    private var keys: [SRTPKey] = []
    /// What our last description to the far end named: of that its answer takes one.
    private var told: [CryptoAttribute] = []
    /// An offer of the far end that has no answer of ours yet.
    private var pending: Pending?
    /// The far end speaks RTP/SAVP, so our offers to it do, too.
    private var isSecureProfile = false

    /// Emergency calls go with whatever protection there can be.
    init(policy: SRTPPolicy, isEmergency: Bool = false) {
        switch policy {
        case .off, .accept: self.policy = isEmergency ? .accept : policy
        case .optional, .required: self.policy = isEmergency ? .optional : policy
        }
    }

    // MARK: What the far end says

    /// Whether an offer of this kind can be answered at all.
    func accepts(_ audio: MediaDescription) -> Bool {
        var trial = self
        return (try? trial.takeOffer(audio)) != nil
    }

    mutating func takeOffer(_ audio: MediaDescription) throws(MediaRefusal) {
        guard audio.isKnownProfile else { throw .srtpUnusable }
        let accepted = policy == .off ? nil : audio.cryptoAttributes.first
        if accepted == nil {
            if policy == .required { throw .srtpRequired }
            if audio.isSecureProfile { throw .srtpUnusable }
        }
        pending = Pending(accepted: accepted, profile: audio.transport, isSecureProfile: audio.isSecureProfile)
    }

    /// RFC 4568 §6.1.2: one attribute, with the tag and suite of one of ours.
    mutating func takeAnswer(_ audio: MediaDescription) throws(MediaRefusal) {
        let answer = audio.cryptoAttributes.first { answer in
            told.contains { $0.tag == answer.tag && $0.key.suite == answer.key.suite }
        }
        guard let answer, let ours = told.first(where: { $0.tag == answer.tag })?.key else {
            if policy == .required { throw .srtpRequired }
            if audio.isSecureProfile { throw .srtpUnusable }
            return terms = nil
        }
        terms = SRTPTerms(send: ours, receive: answer.key)
    }

    // MARK: What we say

    private var offersKeys: Bool { terms != nil || policy == .optional || policy == .required }

    /// Puts our offer to the far end into a description.
    mutating func writeOffer(_ audio: inout MediaDescription, _ random: inout RandomStream) {
        audio.setProfile(secure: offersKeys && (policy == .required || isSecureProfile))
        told = []
        guard offersKeys else { return }
        if let suite = terms?.send.suite { _ = key(suite, &random) } else {
            for suite in SRTPSuite.offered { _ = key(suite, &random) }
        }
        tell(keys.enumerated().map { CryptoAttribute(tag: String($0 + 1), key: $1) }, in: &audio)
    }

    /// Puts our answer to the far end's offer into a description; what was agreed is in force from here on.
    mutating func writeAnswer(_ audio: inout MediaDescription, _ random: inout RandomStream) {
        guard let pending else { return audio.setProfile(secure: isSecureProfile && terms != nil) }
        isSecureProfile = pending.isSecureProfile
        audio.transport = pending.profile
        told = []
        guard let accepted = pending.accepted else { return terms = nil }
        let ours = key(accepted.key.suite, &random)
        terms = SRTPTerms(send: ours, receive: accepted.key)
        tell([CryptoAttribute(tag: accepted.tag, key: ours)], in: &audio)
    }

    private mutating func tell(_ attributes: [CryptoAttribute], in audio: inout MediaDescription) {
        told = attributes
        audio.attributes += attributes.map(\.attribute)
    }

    private mutating func key(_ suite: SRTPSuite, _ random: inout RandomStream) -> SRTPKey {
        if let key = keys.first(where: { $0.suite == suite }) { return key }
        let key = SRTPKey(suite: suite, from: &random)
        keys.append(key)
        return key
    }
}
