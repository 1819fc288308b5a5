import CoreTypes
import Glibc
import NIOCore
public import Tunnel

/// Fetches a site's certificate from a headend: a command's work, blocking, on a connection of its own.
public struct EnrolmentClient {
    public struct Failure: Error, CustomStringConvertible, Equatable {
        public var description: String
    }

    /// What was fetched; the key was made here.
    public struct Result {
        public var site: String
        public var certificate: [UInt8]
        public var authority: [UInt8]
        public var key: [UInt8]
    }

    private static let patience = 10

    public static func enrol(host: String, port: UInt16, token: TunnelEnrolment.Token) throws -> Result {
        ProcessTuning.ignoreBrokenPipes()
        let descriptor = try connect(host, port)
        defer { close(descriptor) }
        let context = try TLSContext(
            TLSConfiguration(label: "headend", role: .client(serverName: host, trust: .nobody), versions: .tls13 ... .tls13))
        var session = try TLSSession(context: context, now: EdgeClock().now)
        try pump(&session, descriptor) { $0.state != .handshaking }
        let exported = try session.enrolmentSecret()
        let key = try PrivateKey()
        try session.send(TunnelEnrolment.request(token, exported: exported, certificateRequest: try key.request(commonName: "site")))
        var heard: [UInt8] = []
        var reading = TunnelEnrolment.Reading<TunnelEnrolment.Answer>.needMore
        try pump(&session, descriptor) { session in
            heard += session.takePlaintext()
            reading = TunnelEnrolment.readAnswer(heard, token, exported: exported)
            return reading != .needMore
        }
        switch reading {
        case .value(let answer): return try result(answer, key)
        case .refused(let reason):
            throw Failure(description: "the headend refuses: the token is wrong, used or too old, or it makes no certificates (\(reason.text))")
        case .needMore, .broken:
            throw Failure(description: "the answer does not prove that the far end knows the token: nothing of it is used")
        }
    }

    /// The chain is the site's certificate with the authority behind it.
    private static func result(_ answer: TunnelEnrolment.Answer, _ key: PrivateKey) throws -> Result {
        let end = Array("-----END CERTIFICATE-----\n".utf8)
        guard let place = answer.chain.firstRange(of: end) else { throw Failure(description: "the headend sent no certificate") }
        let facts = try CertificateFacts.reading(.text(Personal(answer.chain)))
        guard facts.siteName == answer.site else { throw Failure(description: "the certificate names another site: \(facts)") }
        let authority = Array(answer.chain[place.upperBound...])
        _ = try TLSContext(
            TLSConfiguration(
                label: "tunnel", role: .client(serverName: "headend", trust: .certificates([.text(Personal(authority))])),
                identity: TLSIdentity(certificateChain: .text(Personal(answer.chain)), privateKey: .text(key.pem))))
        return Result(site: answer.site, certificate: answer.chain, authority: authority, key: key.pem.exposed)
    }

    private static func connect(_ host: String, _ port: UInt16) throws -> CInt {
        let endpoints: [Endpoint]
        do { endpoints = try HostResolver.resolve(host, port: port) } catch { throw Failure(description: "\(error)") }
        var reason = "\(host) has no address"
        for endpoint in endpoints {
            let family = endpoint.address.family == .v4 ? AF_INET : AF_INET6
            let descriptor = socket(family, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
            guard descriptor >= 0, let address = endpoint.socketAddress else { continue }
            var limit = timeval(tv_sec: patience, tv_usec: 0)
            let size = socklen_t(MemoryLayout<timeval>.size)
            setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
            setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
            if address.withSockAddr({ Glibc.connect(descriptor, $0, socklen_t($1)) }) == 0 { return descriptor }
            reason = "\(endpoint): \(SystemError.text(errno))"
            close(descriptor)
        }
        throw Failure(description: reason)
    }

    /// Carries bytes until `isDone`.
    private static func pump(_ session: inout TLSSession, _ descriptor: CInt, until isDone: (inout TLSSession) -> Bool) throws {
        var block = [UInt8](repeating: 0, count: 16_384)
        while true {
            var rest = session.takeOutput()[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL)) }
                guard count > 0 else { throw Failure(description: "the headend does not take what is sent: \(SystemError.text(errno))") }
                rest = rest.dropFirst(count)
            }
            if isDone(&session) { break }
            if case .closed(.failed(let error)) = session.state { throw Failure(description: error.description) }
            let count = recv(descriptor, &block, block.count, 0)
            guard count >= 0 else { throw Failure(description: "the headend says nothing: \(SystemError.text(errno))") }
            guard count > 0 else { throw Failure(description: "the headend closed the connection: the token is wrong, or it is no headend") }
            session.receive(Array(block.prefix(count)))
        }
        if case .closed(.failed(let error)) = session.state { throw Failure(description: error.description) }
    }
}

/// Puts what was fetched into a folder.
extension EnrolmentClient {
    /// Where the files are: authority, certificate, key.
    public static func store(_ result: Result, in folder: String) throws -> (authority: String, certificate: String, key: String) {
        StateFolder.make(folder)
        let paths = (folder + "/headend-ca.pem", folder + "/\(result.site).pem", folder + "/\(result.site).key")
        try PrivateFile.replace(paths.2, with: result.key)
        try PrivateFile.replace(paths.1, with: result.certificate)
        try PrivateFile.replace(paths.0, with: result.authority)
        return paths
    }
}
