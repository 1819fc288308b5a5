import CoreTypes
import SIPMessage

/// Answers to the PBX's challenges, for whatever the edge sends in somebody's name (RFC 3261 §22.3).
extension SIPRequest {
    /// Brings the account's answer to a challenge, under the next CSeq.
    mutating func authorize(
        _ challenge: DigestChallenge, isProxy: Bool, _ account: EdgeConfiguration.Account, cnonce: String
    ) {
        let credentials = DigestCredentials.answering(
            challenge, method: method, uri: uri.description, username: account.authUser, password: account.secret.exposed,
            cnonce: cnonce, nonceCount: 1)
        headers[isProxy ? .proxyAuthorization : .authorization] = credentials.headerValue
        headers.cseq.number &+= 1
    }
}

extension SIPResponse {
    /// The strongest challenge of a 401 or 407 that we can answer (RFC 8760 §2.4); nil where there is none.
    var challenge: DigestChallenge? {
        let name: HeaderName
        switch status {
        case 401: name = .wwwAuthenticate
        case 407: name = .proxyAuthenticate
        default: return nil
        }
        let challenges = headers.all(name).compactMap { try? DigestChallenge(parsing: $0) }
        return challenges.first { $0.algorithm == .sha256 } ?? challenges.first
    }
}
