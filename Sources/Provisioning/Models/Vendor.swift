/// Whose phones: each vendor has one configuration format, and so one renderer.
public enum Vendor: String, Sendable, Hashable, CaseIterable, Codable {
    case yealink, fanvil, snom, grandstream, poly, cisco

    /// The name on the phone.
    public var title: String {
        switch self {
        case .yealink: return "Yealink"
        case .fanvil: return "Fanvil"
        case .snom: return "Snom"
        case .grandstream: return "Grandstream"
        case .poly: return "Poly"
        case .cisco: return "Cisco"
        }
    }

    /// Of a configuration file, as the vendor's phones expect it.
    public var contentType: String {
        switch self {
        case .yealink: return "text/plain; charset=utf-8"
        case .fanvil, .snom, .grandstream, .poly, .cisco: return "application/xml; charset=utf-8"
        }
    }
}
