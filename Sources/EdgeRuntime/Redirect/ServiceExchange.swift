import CoreTypes

/// One request to a vendor's service.
struct ServiceRequest: Equatable {
    var method = "POST"
    var url: ServiceURL
    var headers: [(name: String, value: String)] = []
    var body: [UInt8] = []

    static func == (left: ServiceRequest, right: ServiceRequest) -> Bool {
        left.method == right.method && left.url == right.url && left.body == right.body
            && left.headers.map(\.name) == right.headers.map(\.name) && left.headers.map(\.value) == right.headers.map(\.value)
    }
}

struct ServiceAnswer: Equatable {
    var status: Int
    /// Names in lower case; of repeated ones the first.
    var headers: [String: String]
    var body: [UInt8]
}

/// `https://host[:port]/path[?query]`.
struct ServiceURL: Hashable, CustomStringConvertible {
    /// Without brackets.
    var host: String
    var port: UInt16
    /// Begins with "/"; with the query.
    var target: String

    /// Nil for anything that is not HTTPS or has bytes that are no part of a URL.
    init?(_ text: String) {
        guard text.hasPrefix("https://"), text.utf8.count <= 2048, text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else { return nil }
        let rest = text.dropFirst(8)
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        let path = rest.dropFirst(authority.count)
        guard !authority.isEmpty, !authority.contains("@") else { return nil }
        var name = authority
        port = 443
        if let colon = authority.lastIndex(of: ":"), !authority.hasSuffix("]") {
            guard let number = UInt16(authority[authority.index(after: colon)...]), number > 0 else { return nil }
            port = number
            name = authority[..<colon]
        }
        if name.hasPrefix("["), name.hasSuffix("]") { name = name.dropFirst().dropLast() }
        guard !name.isEmpty else { return nil }
        host = String(name)
        target = path.isEmpty ? "/" : path.hasPrefix("/") ? String(path) : "/" + path
    }

    var authority: String {
        let name = host.utf8.contains(0x3A) ? "[\(host)]" : host
        return port == 443 ? name : "\(name):\(port)"
    }

    var description: String { "https://\(authority)\(target)" }

    /// Another path at the same place; the path begins with "/".
    func at(_ target: String) -> ServiceURL {
        var url = self
        url.target = target
        return url
    }

    func isSamePlace(as other: ServiceURL) -> Bool { host == other.host && port == other.port }
}

/// Carries requests to a vendor's service and their answers back. Blocks.
protocol ServiceExchange {
    func answer(to request: ServiceRequest) throws(ServiceFailure) -> ServiceAnswer
}

/// Why a service did not do what it was asked for.
enum ServiceFailure: Error, Equatable, CustomStringConvertible {
    /// The service answered and will not do it for this phone.
    case refused(String)
    /// It cannot be used for any phone at the moment.
    case unavailable(String)

    var description: String {
        switch self {
        case .refused(let why), .unavailable(let why): return why
        }
    }

    /// By the status of an answer that should have been 200.
    init(status: Int, _ text: String = "") {
        let detail = text.isEmpty ? "" : ": \(text)"
        switch status {
        case 401, 403: self = .unavailable("it does not accept our account (status \(status))\(detail)")
        case 400, 404, 405, 409, 410, 415, 422: self = .refused("it answered with status \(status)\(detail)")
        default: self = .unavailable("it answered with status \(status)\(detail)")
        }
    }
}

/// A vendor's redirect service. Every call blocks, and may take as long as the exchange allows.
protocol VendorService {
    /// The phone with this MAC is sent to `url` from now on, whatever was registered before.
    func register(_ mac: String, url: String) throws(ServiceFailure)
    /// The phone with this MAC is sent nowhere; that it never was is no failure.
    func unregister(_ mac: String) throws(ServiceFailure)
    /// Whether the service knows our account. Changes nothing.
    func check() throws(ServiceFailure)
}

/// What a stranger wrote, made fit for a log: one line, no control characters, not long.
enum ServiceText {
    static func clean(_ text: some StringProtocol) -> String {
        var clean = ""
        for scalar in text.unicodeScalars.prefix(160) {
            clean.unicodeScalars.append(scalar.properties.generalCategory == .control || scalar.value == 0x2028 || scalar.value == 0x2029 ? " " : scalar)
        }
        return clean
    }
}
