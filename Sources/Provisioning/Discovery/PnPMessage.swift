public import CoreTypes
public import HotDeskPolicy
import SIPMessage

/// A phone that asks the network who provisions it: a SUBSCRIBE to 224.0.1.75 (sip.mcast.net).
///
/// Only the MAC counts. Vendor, model and version are what the phone writes into `Event`, which some write wrongly.
public struct PnPSighting: Sendable, Equatable {
    public var mac: MACAddress
    /// Printable ASCII, at most 32 characters each.
    public var vendor, model, version: String

    public init(mac: MACAddress, vendor: String = "", model: String = "", version: String = "") {
        self.mac = mac
        self.vendor = vendor
        self.model = model
        self.version = version
    }
}

/// Where an enrolled phone is sent.
public struct PnPTarget: Sendable, Equatable {
    public var vendor: Vendor
    /// Base of the device's address, ends with "/".
    public var url: Personal<String>

    public init(vendor: Vendor, url: Personal<String>) {
        self.vendor = vendor
        self.url = url
    }

    /// Snom takes the address of a file, all others that of a folder.
    func body(for mac: MACAddress) -> String {
        switch vendor {
        case .snom: return url.exposed + vendor.fileName(of: mac)
        case .yealink, .fanvil, .grandstream, .poly, .cisco: return url.exposed
        }
    }
}

extension PnPSighting {
    /// Nil where it is no request for a profile, or names no MAC.
    init?(_ request: SIPRequest) {
        guard request.method == .subscribe, let event = request.headers[.event], event.utf8.count <= 512 else { return nil }
        let fields = event.split(separator: ";", omittingEmptySubsequences: false).map(Self.trimmed)
        guard fields.first?.lowercased() == "ua-profile" else { return nil }
        guard let mac = Self.mac(in: request.uri) ?? Self.mac(in: request.headers.from.uri) ?? Self.mac(in: request.headers.to.uri) else { return nil }
        func value(_ name: String) -> String {
            for field in fields.dropFirst() {
                let pair = field.split(separator: "=", maxSplits: 1).map(Self.trimmed)
                if pair.count == 2, pair[0].lowercased() == name { return Self.plain(pair[1]) }
            }
            return ""
        }
        self.init(mac: mac, vendor: value("vendor"), model: value("model"), version: value("version"))
    }

    /// `MAC%3a001122334455`, `MAC:001122334455` (which reads as user and password), or the MAC alone.
    private static func mac(in uri: URI) -> MACAddress? {
        guard let sip = uri.sip, let user = sip.user else { return nil }
        let text = sip.password.map { "\(user):\($0)" } ?? user
        let isMarked = text.uppercased().hasPrefix("MAC:")
        return MACAddress(isMarked ? String(text.dropFirst(4)) : text)
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text
        while let first = text.first, first == " " || first == "\t" || first == "\"" { text.removeFirst() }
        while let last = text.last, last == " " || last == "\t" || last == "\"" { text.removeLast() }
        return String(text)
    }

    /// A phone's own words, fit for a log.
    private static func plain(_ text: String) -> String {
        String(decoding: text.utf8.filter { (0x20...0x7E).contains($0) && $0 != UInt8(ascii: "\"") }.prefix(32), as: UTF8.self)
    }
}
