import CoreTypes
import Glibc
import Tunnel

/// A phone that speaks TLS, on a blocking socket.
final class TestTLSClient {
    private let socket: TestSocket
    private var session: TLSSession

    /// Nil: nothing listens there.
    init?(to remote: Endpoint, trust authority: String, identity: TLSIdentity? = nil, versions: ClosedRange<TLSVersion> = .tls12 ... .tls13) throws {
        guard let socket = TestSocket(.tcp, to: remote) else { return nil }
        self.socket = socket
        let context = try TLSContext(
            TLSConfiguration(
                label: "phone", role: .client(serverName: "127.0.0.1", trust: .certificates([.file(authority)])), identity: identity,
                versions: versions))
        session = try TLSSession(context: context, now: Instant(nanoseconds: Int64(time(nil)) * 1_000_000_000))
    }

    var state: TLSSession.State { session.state }
    var peer: TLSPeer? { session.peer }

    /// Goes through the handshake; false where it fails.
    func connect() -> Bool {
        while session.state == .handshaking {
            socket.send(session.takeOutput())
            guard session.state == .handshaking else { break }
            guard let bytes = socket.receiveBytes() else { return false }
            if bytes.isEmpty { session.transportClosed() } else { session.receive(bytes) }
        }
        socket.send(session.takeOutput())
        return session.state == .open
    }

    /// Sends each piece in a TLS record and a write of its own.
    func send(_ pieces: [[UInt8]]) throws {
        for piece in pieces {
            try session.send(piece)
            socket.send(session.takeOutput())
        }
    }

    func send(_ text: String) throws { try send([Array(text.utf8)]) }

    /// Reads until the text holds `end`, or nothing more comes.
    func receive(until end: String) -> String {
        var text = ""
        while true {
            text += String(decoding: session.takePlaintext(), as: UTF8.self)
            guard !text.contains(end), session.state == .open, let bytes = socket.receiveBytes() else { return text }
            if bytes.isEmpty { session.transportClosed() } else { session.receive(bytes) }
        }
    }
}
