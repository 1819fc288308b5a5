public import HotDeskPolicy

/// One request of a phone, as much of it as says who asks for what.
public struct FetchRequest: Sendable, Equatable {
    /// The last part of the path, without the device's token and as it was sent.
    public var fileName: String
    public var userAgent: String?
    /// Subject of the client certificate, in any of the usual forms.
    public var certificateSubject: String?

    public init(fileName: String, userAgent: String? = nil, certificateSubject: String? = nil) {
        self.fileName = fileName
        self.userAgent = userAgent
        self.certificateSubject = certificateSubject
    }
}

/// Who asks, and for what; nothing of it is proof.
public struct Fetch: Sendable, Equatable {
    /// From the path, the User-Agent and the certificate, which agree where they say anything; nil where none does.
    public var mac: MACAddress?
    /// What the User-Agent says; nil where it is none of a known phone.
    public var agent: PhoneAgent?
    /// What the name means for each vendor it may be a file of.
    public var kinds: [Vendor: FileKind]

    /// What the name means for an enrolled model; nil: no file of that vendor has such a name.
    public func kind(for model: PhoneModel) -> FileKind? { model.vendor.flatMap { kinds[$0] } }

    /// Why this cannot be the enrolled phone, or may be another model than was enrolled; nil: all fits.
    public func mismatch(with model: PhoneModel) -> ModelMismatch? {
        guard let agent else { return nil }
        if agent.vendor != model.vendor { return .vendor(enrolled: model.name, seen: agent.vendor) }
        if let seen = agent.model, seen != model.name { return .model(enrolled: model.name, seen: seen) }
        return nil
    }
}

/// A phone by its User-Agent.
public struct PhoneAgent: Sendable, Equatable {
    public var vendor: Vendor
    /// The catalogue's name of the model; nil: the vendor's, but not in the catalogue.
    public var model: String?
    public var firmware: String?
    public var mac: MACAddress?
}

/// Another phone than was enrolled stands at the desk.
public enum ModelMismatch: Sendable, Equatable {
    /// Nothing is served: the file would make no sense to it.
    case vendor(enrolled: String, seen: Vendor)
    /// Served as enrolled, and reported: the key count may differ.
    case model(enrolled: String, seen: String)
}

/// Why a request is nobody's. The phone is told none of it: every refusal is the same 404.
public enum FetchRefusal: Error, Sendable, Equatable {
    /// Longer than 128 bytes, or with characters no phone's file name has.
    case badName
    /// A name no vendor's phone asks for.
    case unknownFile
    /// The User-Agent is one vendor's, the name is another's.
    case vendorDisagreement
    /// Path, User-Agent and certificate name different phones.
    case macDisagreement
}

extension Catalogue {
    public func recognise(_ request: FetchRequest) throws(FetchRefusal) -> Fetch {
        guard Self.isFileName(request.fileName) else { throw .badName }
        let agent = request.userAgent.flatMap(phone)
        var kinds: [Vendor: FileKind] = [:]
        var macs: Set<MACAddress> = []
        for vendor in Vendor.allCases {
            guard let (kind, match) = vendors[vendor]?.kind(of: request.fileName) else { continue }
            kinds[vendor] = kind
            if agent.map({ $0.vendor == vendor }) ?? true, let mac = match.mac { macs.insert(mac) }
        }
        guard !kinds.isEmpty else { throw .unknownFile }
        if let agent {
            guard let kind = kinds[agent.vendor] else { throw .vendorDisagreement }
            kinds = [agent.vendor: kind]
            if let mac = agent.mac { macs.insert(mac) }
        }
        macs.formUnion(request.certificateSubject.map(CertificateSubject.addresses) ?? [])
        guard macs.count <= 1 else { throw .macDisagreement }
        return Fetch(mac: macs.first, agent: agent, kinds: kinds)
    }

    /// A phone by its User-Agent; nil where no vendor's pattern matches.
    public func phone(userAgent text: String) -> PhoneAgent? {
        for vendor in Vendor.allCases {
            for pattern in vendors[vendor]?.userAgents ?? [] {
                guard let match = pattern.match(text) else { continue }
                let model = match.model.flatMap { self.model(of: vendor, agent: $0) }
                return PhoneAgent(vendor: vendor, model: model?.name, firmware: match.version, mac: match.mac)
            }
        }
        return nil
    }

    private static func isFileName(_ name: String) -> Bool {
        (1...128).contains(name.utf8.count) && !name.hasPrefix("..")
            && name.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: return true
                default: return "-_.+".utf8.contains(byte)
                }
            }
    }
}

/// The subject of a phone's factory certificate. Vendors write it as they like: `CN=805EC0AABBCC, O=Yealink`,
/// `/CN=…`, `OU=CP-8841-3PCC, L=…, S=00562b043615`.
enum CertificateSubject {
    /// Every value of CN, S or serialNumber that is a MAC.
    static func addresses(in subject: String) -> Set<MACAddress> {
        var found: Set<MACAddress> = []
        for part in subject.prefix(1024).split(whereSeparator: { $0 == "," || $0 == "/" || $0 == "+" || $0 == "\n" }) {
            let pair = part.split(separator: "=", maxSplits: 1)
            guard pair.count == 2, names.contains(trimmed(pair[0]).lowercased()) else { continue }
            var value = trimmed(pair[1])
            if value.uppercased().hasPrefix("SEP") { value = String(value.dropFirst(3)) }
            if let mac = MACAddress(value) { found.insert(mac) }
        }
        return found
    }

    private static let names: Set<String> = ["cn", "s", "sn", "serialnumber", "st"]

    private static func trimmed(_ text: Substring) -> String {
        var text = text
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
