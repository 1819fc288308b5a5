public import CoreTypes

/// Why the edge cannot start: what, where, and what to do about it.
public enum EdgeServerError: Error, Equatable, CustomStringConvertible {
    /// Another process holds the address.
    case addressInUse(TransportProtocol, Endpoint)
    /// The machine has no such address.
    case addressNotAvailable(TransportProtocol, Endpoint)
    case notAllowedToBind(TransportProtocol, Endpoint)
    case cannotBind(TransportProtocol, Endpoint, reason: String)
    /// A certificate or key of the trunk or of the phones' listener; the reason names the file.
    case certificate(reason: String)
    /// Phones over TLS would need a certificate to be shown to them, and a site file names none.
    case noCertificateForListener(Endpoint)
    /// Another edge answers on the control socket.
    case controlSocketInUse(path: String)
    case controlSocket(path: String, reason: String)
    case media(reason: String)
    case capture(reason: String)
    case alreadyStarted

    public var description: String {
        switch self {
        case .addressInUse(let transport, let endpoint):
            return "\(transport) \(endpoint) is already in use; stop the other process (ss -lnp shows it) or change listen.sip"
        case .addressNotAvailable(let transport, let endpoint):
            return "\(transport) \(endpoint): this machine has no such address; correct listen.sip or the network settings"
        case .notAllowedToBind(let transport, let endpoint):
            return "\(transport) \(endpoint): not allowed to bind; use a port from 1024 on or grant CAP_NET_BIND_SERVICE"
        case .cannotBind(let transport, let endpoint, let reason):
            return "\(transport) \(endpoint): cannot listen: \(reason); correct listen.sip"
        case .certificate(let reason):
            return "\(reason); put the PEM file there or correct its path in the site file"
        case .noCertificateForListener(let endpoint):
            return "tls \(endpoint): no certificate for phones is configured; name listen.certificate and listen.key, or remove the tls listener"
        case .controlSocketInUse(let path):
            return "\(path): another edge is running and answers here; stop it or give this site a control socket of its own"
        case .controlSocket(let path, let reason):
            return "\(path): the control socket cannot be made: \(reason); check that the folder exists and may be written"
        case .media(let reason):
            return "media: \(reason); correct listen.media"
        case .capture(let reason):
            return "captures cannot be written: \(reason); correct the capture section or make the folder"
        case .alreadyStarted:
            return "this edge was already started"
        }
    }
}
