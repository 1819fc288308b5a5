public import CoreTypes
public import PhoneDelivery
public import SIPMessage

/// Who may fetch, and how phones find where.
public struct DeliveryOptions: Sendable, Equatable {
    public var rules: DeliveryRules
    /// How phones prove themselves at their URLs, in order of preference; empty: the URL is enough.
    public var digest: [DigestAlgorithm]
    /// Whether SIP PnP (224.0.1.75) of enrolled phones is answered.
    public var pnp: Bool
    /// Where logs that phones put are kept; nil: nowhere.
    public var logFolder: String?

    public init(rules: DeliveryRules, digest: [DigestAlgorithm] = [], pnp: Bool = true, logFolder: String? = nil) {
        self.rules = rules
        self.digest = digest
        self.pnp = pnp
        self.logFolder = logFolder
    }
}

/// Where the edge speaks HTTP, with phones and with administrators.
public struct WebOptions: Sendable, Equatable {
    /// Nil: not at all.
    public var http: Endpoint?
    /// With the certificate of `Site.serverTLS`; nil: not at all.
    public var https: Endpoint?
    /// PEM file of the authorities that vouch for phones' own certificates; nil: phones are not asked for one.
    public var phoneAuthorityPath: String?
    /// Bearer token of the administrator's interface and the metrics; nil: there is none of them.
    public var apiToken: Personal<String>?

    public init(http: Endpoint? = nil, https: Endpoint? = nil, phoneAuthorityPath: String? = nil, apiToken: Personal<String>? = nil) {
        self.http = http
        self.https = https
        self.phoneAuthorityPath = phoneAuthorityPath
        self.apiToken = apiToken
    }

    public var isOpen: Bool { http != nil || https != nil }
}

extension Site {
    /// Base of all addresses phones fetch from, ends with "/"; nil: nothing is delivered.
    public var deliveryURL: String? {
        guard delivery != nil else { return nil }
        return provisioning.url ?? web.https.map { "https://\($0)/" } ?? web.http.map { "http://\($0)/" }
    }

    /// Where phones that know nothing yet fetch: no secret is in it.
    public var bootstrapURL: String? { deliveryURL.map { "\($0)\(Self.bootstrapPath)/" } }

    /// The first part of that path.
    public static let bootstrapPath = "prov"
}
