import CoreTypes
import Glibc
import NIOCore

extension EdgeServerError {
    /// Why a socket could not be bound.
    init(binding transport: TransportProtocol, _ endpoint: Endpoint, _ error: any Error) {
        guard let error = error as? IOError else {
            self = .cannotBind(transport, endpoint, reason: "\(error)")
            return
        }
        switch error.errnoCode {
        case EADDRINUSE: self = .addressInUse(transport, endpoint)
        case EADDRNOTAVAIL: self = .addressNotAvailable(transport, endpoint)
        case EACCES, EPERM: self = .notAllowedToBind(transport, endpoint)
        case let number: self = .cannotBind(transport, endpoint, reason: SystemError.text(number))
        }
    }
}
