import SIPMessage

extension URI {
    /// The user part for a test to compare, or "".
    var user: String {
        switch self {
        case .sip(let uri): return uri.user ?? ""
        case .tel(let uri): return uri.number
        case .other: return ""
        }
    }
}
