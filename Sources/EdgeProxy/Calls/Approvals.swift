import CoreTypes
import SIPMessage

/// What the policy has let through, told at the moment it was decided and before a request is made of it: who looks at
/// what reached the PBX can compare.
extension EdgeProxy {
    /// One line of the debug log, where `tellsApprovals` asks for it.
    ///
    /// - Parameters:
    ///   - target: the user part that was judged, "" where the request is for the domain.
    ///   - user: who it goes out as.
    ///   - names: Call-ID and tags, which pass the edge as they are.
    mutating func approved(_ method: Method, to target: String, as user: String, _ names: Headers) {
        guard tellsApprovals else { return }
        log(
            .debug,
            "approved method=\(method.name) target=\(target) from=\(user) call=\(names.callID.value) from-tag=\(names.phoneTag) to-tag=\(names.to.tag ?? "")"
        )
    }
}
