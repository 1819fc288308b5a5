/// RFC 3261 §7.1: a method's name is case-sensitive, so "invite" is another method than "INVITE".
public enum Method: Hashable, Sendable, CustomStringConvertible {
    case invite, ack, bye, cancel, register, options
    /// RFC 6086
    case info
    /// RFC 3311
    case update
    /// RFC 3262
    case prack
    /// RFC 6665
    case subscribe, notify
    /// RFC 3515
    case refer
    /// RFC 3428
    case message
    /// RFC 3903
    case publish
    case other(String)

    public init(_ name: String) {
        switch name {
        case "INVITE": self = .invite
        case "ACK": self = .ack
        case "BYE": self = .bye
        case "CANCEL": self = .cancel
        case "REGISTER": self = .register
        case "OPTIONS": self = .options
        case "INFO": self = .info
        case "UPDATE": self = .update
        case "PRACK": self = .prack
        case "SUBSCRIBE": self = .subscribe
        case "NOTIFY": self = .notify
        case "REFER": self = .refer
        case "MESSAGE": self = .message
        case "PUBLISH": self = .publish
        default: self = .other(name)
        }
    }

    public var name: String {
        switch self {
        case .invite: return "INVITE"
        case .ack: return "ACK"
        case .bye: return "BYE"
        case .cancel: return "CANCEL"
        case .register: return "REGISTER"
        case .options: return "OPTIONS"
        case .info: return "INFO"
        case .update: return "UPDATE"
        case .prack: return "PRACK"
        case .subscribe: return "SUBSCRIBE"
        case .notify: return "NOTIFY"
        case .refer: return "REFER"
        case .message: return "MESSAGE"
        case .publish: return "PUBLISH"
        case .other(let name): return name
        }
    }

    public var description: String { name }
}
