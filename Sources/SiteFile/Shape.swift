/// A site file by its shape alone: every key that may stand in it, with its place, not yet judged.
struct SiteShape {
    var site: SiteSection
    var listen: ListenSection
    var pbx: PBXSection
    var dialCodes: DialCodesSection
    var hotDesk: HotDeskSection
    var emergency: EmergencySection
    var gateways: [GatewaySection]
    var media: MediaRulesSection
    var prompts: PromptsSection
    var provisioning: ProvisioningSection
    var redirect: RedirectSection
    var capture: CaptureSection?
    var log: LogSection
    var devices: [DeviceSection]
    var extensions: [ExtensionSection]
}

extension SiteShape {
    init(_ document: [String: TOMLNode], problems: Problems) {
        let top = TableReader(document, path: .root, problems: problems)
        /// An absent section reads like an empty one.
        func section<Section>(_ key: String, _ read: (TableReader) -> Section) -> Section {
            let reader = top.table(key) ?? TableReader([:], path: KeyPath.root.key(key), problems: problems)
            return finished(reader, read)
        }
        func finished<Section>(_ reader: TableReader, _ read: (TableReader) -> Section) -> Section {
            let section = read(reader)
            reader.finish()
            return section
        }
        site = section("site", SiteSection.init)
        listen = section("listen", ListenSection.init)
        pbx = section("pbx", PBXSection.init)
        dialCodes = section("dial_codes", DialCodesSection.init)
        hotDesk = section("hotdesk", HotDeskSection.init)
        emergency = section("emergency", EmergencySection.init)
        gateways = top.tables("gateway").map { finished($0, GatewaySection.init) }
        media = section("media", MediaRulesSection.init)
        prompts = section("prompts", PromptsSection.init)
        provisioning = section("provisioning", ProvisioningSection.init)
        redirect = section("redirect", RedirectSection.init)
        capture = top.table("capture").map { finished($0, CaptureSection.init) }
        log = section("log", LogSection.init)
        devices = top.tables("device").map { finished($0, DeviceSection.init) }
        extensions = top.tables("extension").map { finished($0, ExtensionSection.init) }
        top.finish()
    }
}

struct SiteSection {
    var path: KeyPath
    var name, language, location, extensionsFile: Placed<String>?

    init(_ reader: TableReader) {
        path = reader.path
        name = reader.string("name")
        language = reader.string("language")
        location = reader.string("location")
        extensionsFile = reader.string("extensions_file")
    }
}

struct ListenSection {
    var path: KeyPath
    var sip: Placed<[Placed<String>]>?
    var media: MediaSection?
    var control, store, certificate, key, http, https, phoneCA, apiTokenFile: Placed<String>?
    var dscp: DSCPSection?

    init(_ reader: TableReader) {
        path = reader.path
        sip = reader.stringOrStrings("sip")
        media = reader.table("media").map(MediaSection.init)
        control = reader.string("control")
        store = reader.string("store")
        certificate = reader.string("certificate")
        key = reader.string("key")
        http = reader.string("http")
        https = reader.string("https")
        phoneCA = reader.string("phone_ca")
        apiTokenFile = reader.string("api_token_file")
        dscp = reader.table("dscp").map(DSCPSection.init)
    }
}

struct MediaSection {
    var path: KeyPath
    var address: Placed<[Placed<String>]>?
    var ports: Placed<String>?

    init(_ reader: TableReader) {
        path = reader.path
        address = reader.stringOrStrings("address")
        ports = reader.string("ports")
        reader.finish()
    }
}

struct DSCPSection {
    var signalling, media: Placed<Int>?

    init(_ reader: TableReader) {
        signalling = reader.integer("signalling")
        media = reader.integer("media")
        reader.finish()
    }
}

struct PBXSection {
    var path: KeyPath
    var via, domain, ca, certificate, key, registrationExpires: Placed<String>?
    var servers, headends: Placed<[Placed<String>]>?
    var mtu: Placed<Int>?
    var account: AccountSection?

    init(_ reader: TableReader) {
        path = reader.path
        via = reader.string("via")
        domain = reader.string("domain")
        servers = reader.stringOrStrings("servers")
        headends = reader.stringOrStrings("headends")
        mtu = reader.integer("mtu")
        ca = reader.string("ca")
        certificate = reader.string("certificate")
        key = reader.string("key")
        account = reader.table("account").map(AccountSection.init)
        registrationExpires = reader.string("registration_expires")
    }
}

/// `{ user, auth_user, secret_file }`; an extension's `auth` has the same shape.
struct AccountSection {
    var path: KeyPath
    var user, authUser: Placed<String>?
    var secret: SecretSection
}

extension AccountSection {
    init(_ reader: TableReader) {
        path = reader.path
        user = reader.string("user")
        authUser = reader.string("auth_user")
        secret = SecretSection(reader)
        reader.finish()
    }
}

/// Where a secret is kept: never in the site file itself.
struct SecretSection {
    /// The table it belongs in.
    var path: KeyPath
    var file: Placed<String>?
    /// The secret itself: a mistake in a site file, allowed in a list of extensions.
    var plain: Placed<String>?
}

extension SecretSection {
    init(_ reader: TableReader) {
        path = reader.path
        file = reader.string("secret_file")
        plain = reader.string("secret")
    }
}

struct DialCodesSection {
    var path: KeyPath
    var login, logout: Placed<String>?
    var pbx: Placed<[Placed<String>]>?

    init(_ reader: TableReader) {
        path = reader.path
        login = reader.string("login")
        logout = reader.string("logout")
        pbx = reader.strings("pbx")
    }
}

struct HotDeskSection {
    var secondLogin, deviceExpires, autoLogoutAt, autoLogoutAfterIdle, pinWithin, pinLock: Placed<String>?
    var plainPhones, confirmTakeover: Placed<Bool>?
    var internalNumbers: Placed<[Placed<String>]>?
    var deviceDigest: Placed<[Placed<String>]>?
    var pinAttempts, pinTriesPerCall: Placed<Int>?

    init(_ reader: TableReader) {
        secondLogin = reader.string("second_login")
        deviceExpires = reader.string("device_expires")
        plainPhones = reader.boolean("plain_phones")
        confirmTakeover = reader.boolean("confirm_takeover")
        internalNumbers = reader.strings("internal_numbers")
        deviceDigest = reader.stringOrStrings("device_digest")
        if let automatic = reader.table("auto_logout") {
            autoLogoutAt = automatic.string("at")
            autoLogoutAfterIdle = automatic.string("after_idle")
            automatic.finish()
        }
        if let pin = reader.table("pin") {
            pinAttempts = pin.integer("attempts")
            pinTriesPerCall = pin.integer("tries_per_call")
            pinWithin = pin.string("within")
            pinLock = pin.string("lock")
            pin.finish()
        }
    }
}

struct EmergencySection {
    var path: KeyPath
    var numbers, routes, outsidePrefixes: Placed<[Placed<String>]>?
    var callBackWindow: Placed<String>?

    init(_ reader: TableReader) {
        path = reader.path
        numbers = reader.strings("numbers")
        routes = reader.strings("routes")
        outsidePrefixes = reader.strings("outside_prefixes")
        callBackWindow = reader.string("call_back_window")
    }
}

struct GatewaySection {
    var path: KeyPath
    var name, address: Placed<String>?

    init(_ reader: TableReader) {
        path = reader.path
        name = reader.string("name")
        address = reader.string("address")
    }
}

/// What becomes of calls by their media; where media goes is said in `listen`.
struct MediaRulesSection {
    var endAfterSilence: Placed<String>?
    var usesRing: Placed<Bool>?
    var srtp: SRTPSection?

    init(_ reader: TableReader) {
        endAfterSilence = reader.string("end_after_silence")
        usesRing = reader.boolean("io_uring")
        srtp = reader.table("srtp").map(SRTPSection.init)
    }
}

struct SRTPSection {
    var phones, pbx: Placed<String>?

    init(_ reader: TableReader) {
        phones = reader.string("phones")
        pbx = reader.string("pbx")
        reader.finish()
    }
}

struct PromptsSection {
    var directory: Placed<String>?
    init(_ reader: TableReader) { directory = reader.string("directory") }
}

struct CaptureSection {
    var path: KeyPath
    var directory, maxSize: Placed<String>?

    init(_ reader: TableReader) {
        path = reader.path
        directory = reader.string("directory")
        maxSize = reader.string("max_size")
    }
}

struct LogSection {
    var level: Placed<String>?
    init(_ reader: TableReader) { level = reader.string("level") }
}

struct DeviceSection {
    var path: KeyPath
    var name, mac, model, connection, location, emergencyIdentity, router, address: Placed<String>?
    var modules: Placed<Int>?
    var secret: SecretSection

    init(_ reader: TableReader) {
        path = reader.path
        name = reader.string("name")
        mac = reader.string("mac")
        model = reader.string("model")
        connection = reader.string("connection")
        location = reader.string("location")
        emergencyIdentity = reader.string("emergency_identity")
        router = reader.string("router")
        address = reader.string("address")
        modules = reader.integer("modules")
        secret = SecretSection(reader)
    }
}

struct ExtensionSection {
    var path: KeyPath
    var number, name, pin, language, pinTimeout: Placed<String>?
    var auth: AccountSection?
    var hotDesk, pinProtected: Placed<Bool>?
    var blf: Placed<[Placed<String>]>?
}

extension ExtensionSection {
    init(_ reader: TableReader) {
        path = reader.path
        number = reader.string("number")
        name = reader.string("name")
        pin = reader.string("pin")
        language = reader.string("language")
        auth = reader.table("auth").map(AccountSection.init)
        hotDesk = reader.boolean("hot_desk")
        pinProtected = reader.boolean("pin_protected")
        pinTimeout = reader.string("pin_timeout")
        blf = reader.strings("blf")
    }
}
