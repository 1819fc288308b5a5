public import CoreTypes
public import HotDeskPolicy

/// A file for a phone.
public struct RenderedFile: Sendable, Equatable {
    public var contentType: String
    public var bytes: [UInt8]

    public init(contentType: String, bytes: [UInt8]) {
        self.contentType = contentType
        self.bytes = bytes
    }

    public var text: String { String(decoding: bytes, as: UTF8.self) }
}

/// Makes the files phones fetch. Equal configurations give equal bytes.
public enum Renderer {
    /// The device's own file, with its secret; nil for a model that cannot be provisioned.
    public static func device(_ configuration: PhoneConfiguration) -> RenderedFile? {
        guard let vendor = configuration.model.vendor else { return nil }
        let text: String
        switch vendor {
        case .yealink: text = YealinkFile(configuration).text
        case .fanvil: text = FanvilFile(configuration).text
        case .snom: text = SnomFile(configuration).text
        case .grandstream: text = GrandstreamFile(configuration).text
        case .poly: text = PolyFile(configuration).text
        case .cisco: text = CiscoFile(configuration).text
        }
        return RenderedFile(contentType: vendor.contentType, bytes: Array(text.utf8))
    }

    /// The file that names the device's file, for vendors that ask for one first (Yealink `.boot`, Poly's master);
    /// nil for the others, which get a 404.
    public static func index(vendor: Vendor, mac: MACAddress) -> RenderedFile? {
        let text: String
        switch vendor {
        case .yealink: text = YealinkFile.index(mac)
        case .poly: text = PolyFile.index(mac)
        case .fanvil, .snom, .grandstream, .cisco: return nil
        }
        return RenderedFile(contentType: vendor.contentType, bytes: Array(text.utf8))
    }

    /// What an armed phone gets before it is known: the address of its own files and no secret of SIP.
    public static func bootstrap(_ bootstrap: Bootstrap) -> RenderedFile {
        let text: String
        switch bootstrap.vendor {
        case .yealink: text = YealinkFile.bootstrap(bootstrap)
        case .fanvil: text = FanvilFile.bootstrap(bootstrap)
        case .snom: text = SnomFile.bootstrap(bootstrap)
        case .grandstream: text = GrandstreamFile.bootstrap(bootstrap)
        case .poly: text = PolyFile.bootstrap(bootstrap)
        case .cisco: text = CiscoFile.bootstrap(bootstrap)
        }
        return RenderedFile(contentType: bootstrap.vendor.contentType, bytes: Array(text.utf8))
    }
}

/// The first file of a phone that comes out of its box.
public struct Bootstrap: Sendable, Equatable {
    public var vendor: Vendor
    public var mac: MACAddress
    /// The device's address, ends with "/", holds its token.
    public var url: Personal<String>
    /// Where the authority of the edge's own certificate can be fetched; nil: the phone knows it already, or plain HTTP is used.
    public var authorityURL: String?
    /// What the phone proves itself with at that address; nil: the address is enough.
    public var fetch: FetchCredentials?

    public init(vendor: Vendor, mac: MACAddress, url: Personal<String>, authorityURL: String? = nil, fetch: FetchCredentials? = nil) {
        self.vendor = vendor
        self.mac = mac
        self.url = url
        self.authorityURL = authorityURL
        self.fetch = fetch
    }
}
