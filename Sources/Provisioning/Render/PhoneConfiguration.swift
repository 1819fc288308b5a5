public import CoreTypes
import CryptoPrimitives
public import HotDeskPolicy

/// Everything that goes into a phone's own configuration file.
public struct PhoneConfiguration: Sendable, Equatable {
    public var site: PhoneSite
    public var device: DeviceName
    public var mac: MACAddress
    public var model: PhoneModel
    /// Expansion modules at this phone.
    public var modules: Int
    /// The device's digest secret at the edge. It is the same whoever sits here: a person's secret never reaches a phone.
    public var secret: Personal<String>
    /// Where the phone sends its SIP: the edge, or the router phone it is behind.
    public var proxy: PhoneProxy
    /// Nil: the phone is idle.
    public var person: PhonePerson?
    /// Rises with each login, logout and forced renewal: files of one generation are the same byte for byte, and no
    /// phone takes a newer one for the file it has.
    public var generation: UInt64
    /// Where the phone fetches this file: ends with "/", holds the device's token.
    public var url: Personal<String>
    /// What the phone proves itself with where it fetches; nil: its address is enough.
    public var fetch: FetchCredentials?

    public init(
        site: PhoneSite, device: DeviceName, mac: MACAddress, model: PhoneModel, modules: Int = 0, secret: Personal<String>,
        proxy: PhoneProxy, person: PhonePerson? = nil, generation: UInt64, url: Personal<String>,
        fetch: FetchCredentials? = nil
    ) {
        self.site = site
        self.device = device
        self.mac = mac
        self.model = model
        self.modules = modules
        self.secret = secret
        self.proxy = proxy
        self.person = person
        self.generation = generation
        self.url = url
        self.fetch = fetch
    }

    /// The same with nothing in it that must not be seen: for a preview.
    public var masked: PhoneConfiguration {
        var masked = self
        masked.secret = Personal("********")
        masked.url = Personal(site.url + "p/********/")
        masked.fetch?.password = Personal("********")
        if site.adminPassword != nil { masked.site.adminPassword = Personal("********") }
        return masked
    }

    /// All keys, laid out.
    public var keyPlan: KeyPlan {
        let service = person == nil ? (label: "Login", code: site.loginCode) : (label: "Logout", code: site.logoutCode)
        return KeyPlan(layout: model.keys, modules: modules, service: service, wanted: person?.keys ?? [], names: site.names)
    }
}

/// User and password of HTTP where a phone fetches (RFC 7616).
public struct FetchCredentials: Sendable, Equatable {
    public var user: String
    public var password: Personal<String>

    /// The password is made of the device's SIP secret and tells nothing of it, so there is nothing more to keep.
    public init(device: DeviceName, secret: Personal<String>) {
        user = device.text
        password = Personal(String(hexadecimal(Hash.hmacSHA256(key: Array(secret.exposed.utf8), Array("edgeproxy fetch \(device.text)".utf8))).prefix(32)))
    }
}

/// What is the same for every phone of a site.
public struct PhoneSite: Sendable, Equatable {
    /// The SIP domain phones register under.
    public var domain: String
    /// Seconds a registration is asked for.
    public var registrationExpires: UInt32
    public var emergencyNumbers: [String]
    /// `*77*` and `*77*5*` unless the site has others.
    public var loginCode: String
    public var logoutCode: String
    /// What the PBX takes before a number to pick up a call that rings there.
    public var pickupCode: String
    /// "en", "es", "fr", "it", "ru".
    public var language: String
    /// Names of extensions, by number: labels of keys.
    public var names: [String: String]
    /// Base of the edge's own provisioning address, ends with "/": no secret is in it.
    public var url: String
    /// Host name or address; nil: phones keep theirs.
    public var timeServer: String?
    /// Minutes east of Greenwich, -720...840; nil: phones keep theirs.
    public var utcOffset: Int?
    /// Of the phone's own menus and web page; nil: phones keep theirs.
    public var adminPassword: Personal<String>?
    /// Minutes between two looks for a new file, as a safety net.
    public var pollMinutes: Int
    /// Code points of the phones' packets.
    public var signallingDSCP: UInt8
    public var mediaDSCP: UInt8

    public init(
        domain: String, registrationExpires: UInt32 = 3600, emergencyNumbers: [String], loginCode: String = "*77*",
        logoutCode: String = "*77*5*", pickupCode: String = "**", language: String = "en", names: [String: String] = [:], url: String,
        timeServer: String? = nil, utcOffset: Int? = nil, adminPassword: Personal<String>? = nil, pollMinutes: Int = 15,
        signallingDSCP: UInt8 = 24, mediaDSCP: UInt8 = 46
    ) {
        self.domain = domain
        self.registrationExpires = registrationExpires
        self.emergencyNumbers = emergencyNumbers
        self.loginCode = loginCode
        self.logoutCode = logoutCode
        self.pickupCode = pickupCode
        self.language = language
        self.names = names
        self.url = url
        self.timeServer = timeServer
        self.utcOffset = utcOffset
        self.adminPassword = adminPassword
        self.pollMinutes = pollMinutes
        self.signallingDSCP = signallingDSCP
        self.mediaDSCP = mediaDSCP
    }
}

/// Where a phone sends its SIP.
public struct PhoneProxy: Sendable, Equatable {
    public var endpoint: Endpoint
    public var transport: TransportProtocol

    public init(endpoint: Endpoint, transport: TransportProtocol) {
        self.endpoint = endpoint
        self.transport = transport
    }

    /// An IPv6 address in brackets.
    var host: String { endpoint.address.family == .v6 ? "[\(endpoint.address)]" : "\(endpoint.address)" }
    var port: Int { Int(endpoint.port) }

    /// The transport as a vendor calls it.
    func named<Word>(udp: Word, tcp: Word, tls: Word) -> Word {
        switch transport {
        case .udp: return udp
        case .tcp: return tcp
        case .tls: return tls
        }
    }
}

/// Who sits at a phone, as far as the phone shows it.
public struct PhonePerson: Sendable, Equatable {
    public var number: ExtensionNumber
    public var name: String
    /// Nil: the site's.
    public var language: String?
    /// With gaps, as the person's list has them.
    public var keys: [KeyAssignment]

    public init(number: ExtensionNumber, name: String, language: String? = nil, keys: [KeyAssignment] = []) {
        self.number = number
        self.name = name
        self.language = language
        self.keys = keys
    }
}
