public import SIPMessage

extension PolicyRules {
    /// Judges one request of a phone. Total: every request gets exactly one verdict.
    ///
    /// A call to an emergency number is judged before anything else, whoever calls. A request with a To-tag is
    /// judged by its dialog and never by its Request-URI, which then names the far end's Contact.
    public func decide(method: Method, uri: URI, standing: Standing, requester: Requester) -> Verdict {
        switch standing {
        case .outside: return outside(method, uri, requester)
        case .inside(.ordinary): return insideOrdinary(method, requester)
        case .inside(.emergency): return insideEmergency(method)
        case .inside(.subscription): return insideSubscription(method, requester)
        case .inside(.local): return .answerLocally
        case .foreign: return refusal(.noDialog)
        }
    }

    // MARK: Outside a dialog

    private func outside(_ method: Method, _ uri: URI, _ requester: Requester) -> Verdict {
        switch method {
        case .register, .options: return .answerLocally
        case .invite, .ack, .bye, .cancel, .info, .update, .prack, .subscribe, .notify, .refer, .message, .publish, .other: break
        }
        let target = classify(uri)
        if method == .invite, case .emergency(let number) = target { return .emergency(number) }
        if case .malformed = target { return refusal(.malformedTarget) }
        switch requester {
        case .unknown: return refusal(.unknownRequester)
        case .device(_, nil): return idle(method, target)
        case .device(_, .some): return privileged(method, target, isHotDesk: true)
        case .plain: return privileged(method, target, isHotDesk: false)
        }
    }

    /// An idle device: the codes, and nothing else.
    private func idle(_ method: Method, _ target: Target) -> Verdict {
        switch method {
        case .invite:
            switch target {
            case .emergency(let number): return .emergency(number)
            case .login(let number): return .login(number)
            case .logout: return .logout
            case .number: return refusal(.idleCall, hint: true)
            case .malformed: return refusal(.malformedTarget)
            case .foreign: return refusal(.idleCall)
            }
        case .register, .options: return .answerLocally
        case .subscribe: return Self.isOwnCode(target) ? .watchSession : refusal(.idleSubscription)
        case .notify: return refusal(.idleSubscription)
        case .publish: return refusal(.idlePublication)
        case .message: return refusal(.idleMessage)
        case .refer: return refusal(.idleTransfer)
        case .ack, .bye, .cancel, .info, .update, .prack: return refusal(.idleRequest)
        case .other: return refusal(.unknownMethod)
        }
    }

    /// A device with a session, or a plain phone.
    private func privileged(_ method: Method, _ target: Target, isHotDesk: Bool) -> Verdict {
        switch method {
        case .invite: return call(target, isHotDesk: isHotDesk)
        case .subscribe where isHotDesk && Self.isOwnCode(target): return .watchSession
        case .subscribe, .publish, .message, .refer: return pass(target, isHotDesk: isHotDesk)
        case .register, .options: return .answerLocally
        case .ack, .bye, .cancel, .info, .update, .prack, .notify: return refusal(.outsideDialog)
        case .other: return refusal(.unknownMethod)
        }
    }

    /// The code alone, as it stands on the key.
    private static func isOwnCode(_ target: Target) -> Bool {
        switch target {
        case .login(nil), .logout: return true
        case .login(.some), .emergency, .number, .malformed, .foreign: return false
        }
    }

    private func call(_ target: Target, isHotDesk: Bool) -> Verdict {
        switch target {
        case .emergency(let number): return .emergency(number)
        case .login(let number): return isHotDesk ? .login(number) : refusal(.notAHotDesk)
        case .logout: return isHotDesk ? .logout : refusal(.notAHotDesk)
        case .number(let user): return .forward(user)
        case .malformed: return refusal(.malformedTarget)
        case .foreign(let scheme): return refusal(scheme.isEmpty ? .nobodyNamed : .unsupportedScheme)
        }
    }

    /// What is no call: an emergency number is a number like others here, a code is none.
    private func pass(_ target: Target, isHotDesk: Bool) -> Verdict {
        switch target {
        case .emergency(let user), .number(let user): return .forward(user)
        case .login, .logout: return refusal(isHotDesk ? .codeWithoutCall : .notAHotDesk)
        case .malformed: return refusal(.malformedTarget)
        case .foreign(let scheme): return refusal(scheme.isEmpty ? .nobodyNamed : .unsupportedScheme)
        }
    }

    // MARK: Inside a dialog

    /// A call that is up goes on to its BYE even when the session is over, but begins nothing new then.
    private func insideOrdinary(_ method: Method, _ requester: Requester) -> Verdict {
        switch method {
        case .invite, .ack, .bye, .cancel, .update, .prack, .info, .options, .notify: return .forwardInside
        case .refer: return isIdle(requester) ? refusal(.idleTransfer) : .forwardInside
        case .message: return isIdle(requester) ? refusal(.idleMessage) : .forwardInside
        case .subscribe: return isIdle(requester) ? refusal(.idleSubscription) : .forwardInside
        case .publish, .register, .other: return refusal(.unknownMethod)
        }
    }

    /// Only the session may change, and it may end.
    private func insideEmergency(_ method: Method) -> Verdict {
        switch method {
        case .invite, .ack, .bye, .cancel, .update, .prack: return .forwardInside
        case .options: return .answerLocally
        case .register, .info, .subscribe, .notify, .refer, .message, .publish: return refusal(.emergencyDialog)
        case .other: return refusal(.unknownMethod)
        }
    }

    /// RFC 6665 §4.1.2: refreshed and ended by SUBSCRIBE, fed by NOTIFY.
    private func insideSubscription(_ method: Method, _ requester: Requester) -> Verdict {
        switch method {
        case .notify, .options: return .forwardInside
        case .subscribe, .refer: return isIdle(requester) ? refusal(.idleSubscription) : .forwardInside
        case .invite, .ack, .bye, .cancel, .register, .info, .update, .prack, .message, .publish: return refusal(.subscriptionDialog)
        case .other: return refusal(.unknownMethod)
        }
    }

    private func isIdle(_ requester: Requester) -> Bool {
        switch requester {
        case .device(_, let session): return session == nil
        case .plain, .unknown: return false
        }
    }
}
