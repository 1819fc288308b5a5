/// Why a request was refused: one case for each reason, as it stands in the audit.
public enum RefusalReason: String, Sendable, CaseIterable {
    /// A call by an idle device to something that is neither an emergency number nor a dial code.
    case idleCall
    /// SUBSCRIBE, or NOTIFY, of an idle device.
    case idleSubscription
    case idlePublication
    case idleMessage
    /// REFER of an idle device, in a call that outlived its session too.
    case idleTransfer
    /// Another request of an idle device that has no place outside a dialog.
    case idleRequest
    /// A dial code by another method than INVITE.
    case codeWithoutCall
    /// A dial code by a phone that is no hot desk.
    case notAHotDesk
    case unknownRequester
    case malformedTarget
    case unsupportedScheme
    /// A URI that names nobody.
    case nobodyNamed
    /// A To-tag that belongs to no dialog here.
    case noDialog
    /// A method that exists only inside a dialog, sent outside one.
    case outsideDialog
    /// In an emergency call only the session itself may change.
    case emergencyDialog
    /// What has no place in the dialog of a subscription.
    case subscriptionDialog
    case unknownMethod
    /// A call outside by a person who must give the PIN first, where it cannot be asked for or was not given.
    case pinDue
}

/// A refusal, in a form for the phone and one for the audit.
public struct Refusal: Equatable, Sendable, Error {
    /// 400...599
    public var status: Int
    /// A short sentence that a phone can show.
    public var phrase: String
    public var reason: RefusalReason
    /// Whether to speak the log-in hint where the phone takes early media.
    public var hint: Bool

    public init(status: Int, phrase: String, reason: RefusalReason, hint: Bool = false) {
        self.status = status
        self.phrase = phrase
        self.reason = reason
        self.hint = hint
    }
}

extension PolicyRules {
    /// The refusal for a reason, in words.
    func refusal(_ reason: RefusalReason, hint: Bool = false) -> Verdict {
        let (status, phrase) = answer(reason)
        return .refuse(Refusal(status: status, phrase: phrase, reason: reason, hint: hint))
    }

    /// What whoever has not given the PIN is told.
    public var pinDue: Refusal {
        let (status, phrase) = answer(.pinDue)
        return Refusal(status: status, phrase: phrase, reason: .pinDue)
    }

    private func answer(_ reason: RefusalReason) -> (Int, String) {
        switch reason {
        case .idleCall, .idleSubscription, .idlePublication, .idleMessage, .idleTransfer, .idleRequest:
            return (403, "Log in first: dial \(dialCodes.login)")
        case .codeWithoutCall: return (403, "Call the code to use it")
        case .notAHotDesk: return (403, "This phone is not a hot desk")
        case .unknownRequester: return (403, "This phone is not known here")
        case .malformedTarget: return (400, "This number cannot be read")
        case .unsupportedScheme: return (416, "This address cannot be called")
        case .nobodyNamed: return (404, "No number was given")
        case .noDialog, .outsideDialog: return (481, "This call does not exist")
        case .emergencyDialog: return (403, "Not in an emergency call")
        case .subscriptionDialog: return (403, "Not in a subscription")
        case .pinDue: return (403, "Your PIN is needed for this")
        case .unknownMethod: return (501, "Not implemented")
        }
    }
}
