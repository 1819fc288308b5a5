/// The dial codes of a site. A trailing star may be left out when dialling.
public struct DialCodes: Sendable, Equatable {
    /// Followed by an extension, or alone.
    public var login: String
    public var logout: String
    /// The PBX's own codes, known only to find conflicts.
    public var pbx: [String]

    public init(login: String = "*77*", logout: String = "*77*5*", pbx: [String] = []) {
        self.login = login
        self.logout = logout
        self.pbx = pbx
    }
}

public struct EmergencyRules: Sendable, Equatable {
    /// As dialled, without separators: "112", "911".
    public var numbers: [String]
    /// Digits for an outside line, which are neither needed before an emergency number nor in its way.
    public var outsidePrefixes: [String]
    /// How long a device stays reachable after an emergency call.
    public var callBackWindow: Duration

    public init(numbers: [String], outsidePrefixes: [String] = [], callBackWindow: Duration = .seconds(3600)) {
        self.numbers = numbers
        self.outsidePrefixes = outsidePrefixes
        self.callBackWindow = callBackWindow
    }
}

public struct PINRules: Sendable, Equatable {
    /// Wrong PINs within `within` that lock the extension or the device; at least 1.
    public var attempts: Int
    public var within: Duration
    /// How long the first lock lasts. Each further one lasts twice as long, up to `maximumLock`.
    public var lock: Duration
    /// Tries in one call; at least 1.
    public var triesPerCall: Int
    /// Digits of a PIN that can be set.
    public var minLength: Int
    /// Digits after which entry ends by itself.
    public var maxLength: Int
    /// Bound of the doubling, and the quiet time that takes one doubling back.
    public var maximumLock: Duration

    public init(
        attempts: Int = 3, within: Duration = .seconds(300), lock: Duration = .seconds(900), triesPerCall: Int = 3, minLength: Int = 4,
        maxLength: Int = 12, maximumLock: Duration = .seconds(24 * 3600)
    ) {
        self.attempts = attempts
        self.within = within
        self.lock = lock
        self.triesPerCall = triesPerCall
        self.minLength = minLength
        self.maxLength = maxLength
        self.maximumLock = maximumLock
    }
}

/// What happens when a person who sits at one device logs in at another.
public enum SecondLogin: String, Sendable, CaseIterable {
    /// The session moves; the first device becomes idle.
    case move
    /// The second login is refused.
    case refuse
}

public struct AutoLogout: Sendable, Equatable {
    /// Minutes after local midnight, 0...1439; nil: never by the clock.
    public var at: Int?
    /// Nil: never for being unused.
    public var afterIdle: Duration?

    public init(at: Int? = nil, afterIdle: Duration? = nil) {
        self.at = at
        self.afterIdle = afterIdle
    }
}

/// Everything at a site by which requests are judged.
public struct PolicyRules: Sendable, Equatable {
    public var dialCodes: DialCodes
    public var emergency: EmergencyRules
    public var pin: PINRules
    public var secondLogin: SecondLogin
    public var autoLogout: AutoLogout
    /// Numbers beside the site's extensions and the PBX's codes that a PIN-protected person may call at any time.
    public var internalNumbers: [NumberPattern]
    /// Whether a login that would end somebody's session asks first.
    public var confirmsTakeover: Bool

    public init(
        dialCodes: DialCodes = DialCodes(), emergency: EmergencyRules, pin: PINRules = PINRules(), secondLogin: SecondLogin = .move,
        autoLogout: AutoLogout = AutoLogout(), internalNumbers: [NumberPattern] = [], confirmsTakeover: Bool = false
    ) {
        self.dialCodes = dialCodes
        self.emergency = emergency
        self.pin = pin
        self.secondLogin = secondLogin
        self.autoLogout = autoLogout
        self.internalNumbers = internalNumbers
        self.confirmsTakeover = confirmsTakeover
    }

    /// Whether a number is known to lead nowhere outside the company: an extension, of an internal shape, or a code of the
    /// PBX's with nothing else behind it. A code with a number outside behind it may forward calls there.
    ///
    /// - Parameter isExtension: whether a number is an extension of the site.
    public func isInternal(_ number: String, isExtension: (String) -> Bool) -> Bool {
        func isKnown(_ number: String) -> Bool { isExtension(number) || internalNumbers.contains { $0.matches(number) } }
        return isKnown(number)
            || dialCodes.pbx.contains { code in
                guard number.utf8.starts(with: code.utf8) else { return false }
                let behind = number.utf8.dropFirst(code.utf8.count).filter { ASCII.isDigit($0) || $0 == UInt8(ascii: "+") }
                return behind.isEmpty || isKnown(String(decoding: behind, as: UTF8.self))
            }
    }
}
