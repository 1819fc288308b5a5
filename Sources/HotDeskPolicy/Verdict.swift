/// What a Request-URI asks for. Only the user part, a number or a service name decide; host and port never do.
public enum Target: Hashable, Sendable {
    /// The configured number, whatever stood before or between its digits.
    case emergency(String)
    /// The login code, with the extension if one was dialled.
    case login(ExtensionNumber?)
    case logout
    /// Canonical user part: no parameters, no visual separators.
    case number(String)
    /// Why it is not to be read at all.
    case malformed(String)
    /// A scheme nothing can be called by, or "" where the URI names nobody.
    case foreign(String)
}

/// Who a request comes from, as its credentials or its flow have shown.
public enum Requester: Hashable, Sendable {
    /// A hot desk; without a session it is idle.
    case device(DeviceName, Session?)
    /// A phone that is no hot desk and has credentials of its own at the PBX.
    case plain
    case unknown
}

/// What a dialog is for.
public enum DialogPurpose: String, Hashable, Sendable, Codable {
    case ordinary
    case emergency
    /// Ended at the edge itself: login, logout, hints.
    case local
    case subscription
}

/// Where a request stands (RFC 3261 §12.2).
public enum Standing: Hashable, Sendable {
    /// No To-tag.
    case outside
    /// Call-ID, both tags and the flow match a dialog that is held.
    case inside(DialogPurpose)
    /// A To-tag that matches nothing that is held.
    case foreign
}

/// What becomes of a request.
public enum Verdict: Equatable, Sendable {
    /// Carried on the emergency routes to this number.
    case emergency(String)
    case login(ExtensionNumber?)
    case logout
    /// The lamp of the device's own Login or Logout key.
    case watchSession
    /// To the PBX, to this canonical user part.
    case forward(String)
    /// To the other end of its dialog.
    case forwardInside
    /// REGISTER and OPTIONS outside a dialog (the edge's registrar takes those of plain phones, too), and whatever
    /// stands in a local dialog.
    case answerLocally
    case refuse(Refusal)
}
