/// A rule of the grammar (RFC 3261 §25, RFC 8866 §9, RFC 7616 §3) that some text did not follow.
///
/// It names the rule only: what a peer sent is never in it, so it can be logged.
public enum GrammarRule: String, Hashable, Sendable, CaseIterable {
    case startLine, method, requestURI, statusCode, headerName, headerLine
    case uri, scheme, user, password, host, port, uriParameter, uriHeader, telephoneNumber
    case percentEscape, controlCharacter
    case quotedString, nameAddress, parameter, repeatedParameter, tooManyParameters
    case via, callID, cseq, maxForwards, contact, contentLength, contentType, contentHeader
    case sessionDescription, mediaDescription
    case digestScheme, digestParameter, digestAlgorithm, digestQuality
}

/// Text that does not follow the grammar. Scope: the value it was read from.
public struct SIPSyntaxError: Error, Hashable, Sendable {
    public let rule: GrammarRule
    public init(_ rule: GrammarRule) { self.rule = rule }
}
