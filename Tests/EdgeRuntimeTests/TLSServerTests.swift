import CoreTypes
import Glibc
import NIOCore
import NIOEmbedded
import Testing
import Tunnel

@testable import EdgeRuntime

/// The server's side of TLS as a NIO handler, both ends in memory.
@Suite struct TLSServerTests {
    static let pki = Result { try TestPKI() }
    let pki: TestPKI
    static let now = Instant(nanoseconds: Int64(time(nil)) * 1_000_000_000)

    init() throws { pki = try Self.pki.get() }

    /// Says back what it is told, and keeps what happens.
    private final class Echo: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        var opened: TLSPeer?
        var errors: [TLSServerError] = []
        var received: [UInt8] = []

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = unwrapInboundIn(data)
            received += bytes.readableBytesView
            context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
        }
        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if case .opened(let peer)? = event as? TLSServerEvent { opened = peer }
        }
        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            if let error = error as? TLSServerError { errors.append(error) }
        }
    }

    /// A server in an embedded channel, and a client session that talks to it.
    private final class Pair {
        let channel = EmbeddedChannel()
        let echo = Echo()
        var client: TLSSession

        init(
            _ pki: TestPKI, clients: TLSServerFiles.Clients = .notAsked, identity: TLSIdentity? = nil,
            limits: TLSServerLimits = TLSServerLimits(), versions: ClosedRange<TLSVersion> = .tls12 ... .tls13
        ) throws {
            let server = try TLSServerContext(
                label: "test", files: TLSServerFiles(certificatePath: pki.certificate, keyPath: pki.key, clients: clients))
            let trust = TLSTrust.certificates([.file(pki.authority)])
            client = try TLSSession(
                context: TLSContext(
                    TLSConfiguration(role: .client(serverName: "localhost", trust: trust), identity: identity, versions: versions)),
                now: TLSServerTests.now)
            try channel.pipeline.syncOperations.addHandler(
                TLSServerHandler(context: server.current, limits: limits, now: TLSServerTests.now))
            try channel.pipeline.syncOperations.addHandler(echo)
            try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        }

        /// Carries bytes both ways until nothing moves; the client's are cut into pieces of `size`.
        func talk(pieces size: Int = .max) throws {
            var hasMoved = true
            while hasMoved {
                hasMoved = false
                let output = client.takeOutput()
                for start in stride(from: 0, to: output.count, by: min(size, max(output.count, 1))) {
                    hasMoved = true
                    let piece = output[start..<min(output.count, start.addingReportingOverflow(size).overflow ? output.count : start + size)]
                    try channel.writeInbound(ByteBuffer(bytes: piece))
                }
                while let bytes = try channel.readOutbound(as: ByteBuffer.self) {
                    hasMoved = true
                    client.receive(Array(bytes.readableBytesView))
                }
            }
        }
    }

    @Test(arguments: [TLSVersion.tls12, .tls13], [1, 7, Int.max])
    func plainTextGoesBothWays(_ version: TLSVersion, _ size: Int) throws {
        let pair = try Pair(pki, versions: version...version)
        try pair.talk(pieces: size)
        #expect(pair.client.state == .open)
        #expect(pair.echo.opened?.version == (version == .tls12 ? "TLSv1.2" : "TLSv1.3"))
        let text = [UInt8](repeating: 0x41, count: 70_000)
        try pair.client.send(text)
        try pair.talk(pieces: max(size, 64))
        #expect(pair.echo.received == text)
        #expect(pair.client.takePlaintext() == text)
        #expect(pair.echo.errors.isEmpty)
    }

    @Test(arguments: [true, false])
    func theClientsCertificateIsKnownWhereItShowsOne(_ shows: Bool) throws {
        let own = TLSIdentity(certificateChain: .file(pki.certificate), privateKey: .file(pki.key))
        let pair = try Pair(pki, clients: .asked(authorityPath: pki.authority), identity: shows ? own : nil)
        try pair.talk()
        let peer = try #require(pair.echo.opened)
        #expect(peer.subject == (shows ? "CN=localhost" : ""))
    }

    @Test func aCertificateNobodyVouchesForEndsTheHandshake() throws {
        let own = TLSIdentity(certificateChain: .file(pki.certificate), privateKey: .file(pki.key))
        let pair = try Pair(pki, clients: .asked(authorityPath: pki.stranger), identity: own)
        try pair.talk()
        #expect(pair.echo.opened == nil)
        guard case .tls(.unknownAuthority) = pair.echo.errors.first else {
            Issue.record("\(pair.echo.errors)")
            return
        }
        #expect(!pair.channel.isActive)
    }

    @Test func noCertificateWhereOneIsRequiredEndsTheHandshake() throws {
        let pair = try Pair(pki, clients: .required(authorityPath: pki.authority))
        try pair.talk()
        #expect(pair.echo.errors == [.tls(.certificateMissing)])
        #expect(pair.echo.opened == nil)
    }

    @Test func aHandshakeHasItsTime() throws {
        let pair = try Pair(pki)
        pair.channel.embeddedEventLoop.advanceTime(by: .seconds(9))
        #expect(pair.channel.isActive)
        pair.channel.embeddedEventLoop.advanceTime(by: .seconds(2))
        #expect(pair.echo.errors == [.handshakeTooSlow])
        #expect(!pair.channel.isActive)
    }

    @Test func timeAfterTheHandshakeIsNotLimited() throws {
        let pair = try Pair(pki)
        try pair.talk()
        pair.channel.embeddedEventLoop.advanceTime(by: .seconds(60))
        #expect(pair.channel.isActive && pair.echo.errors.isEmpty)
    }

    @Test func aHandshakeHasItsSize() throws {
        var limits = TLSServerLimits()
        limits.handshakeBytes = 100
        let pair = try Pair(pki, limits: limits)
        try pair.talk()
        #expect(pair.echo.errors == [.handshakeTooLarge])
        #expect(!pair.channel.isActive)
    }

    /// Plain text that comes in one read with the end of the handshake is no part of it.
    @Test func whatFollowsAHandshakeAtOnceIsNotCounted() throws {
        var limits = TLSServerLimits()
        limits.handshakeBytes = 4096
        let pair = try Pair(pki, limits: limits)
        try pair.channel.writeInbound(ByteBuffer(bytes: pair.client.takeOutput()))
        while let bytes = try pair.channel.readOutbound(as: ByteBuffer.self) { pair.client.receive(Array(bytes.readableBytesView)) }
        try pair.client.send([UInt8](repeating: 0x41, count: 60_000))
        try pair.talk()
        #expect(pair.echo.received.count == 60_000 && pair.echo.errors.isEmpty)
    }

    @Test func whatIsNoTLSEndsTheConnection() throws {
        let pair = try Pair(pki)
        try pair.channel.writeInbound(ByteBuffer(string: "OPTIONS sip:edge SIP/2.0\r\n\r\n"))
        #expect(pair.echo.errors == [.tls(.notTLS)])
        #expect(!pair.channel.isActive)
    }

    @Test func whatIsWrittenEarlyWaitsForTheHandshake() throws {
        let pair = try Pair(pki)
        let promise = pair.channel.eventLoop.makePromise(of: Void.self)
        pair.channel.writeAndFlush(ByteBuffer(string: "hello"), promise: promise)
        #expect(try pair.channel.readOutbound(as: ByteBuffer.self) == nil)
        try pair.talk()
        try promise.futureResult.wait()
        #expect(pair.client.takePlaintext() == Array("hello".utf8))
    }

    @Test func tooMuchBeforeTheHandshakeEndsTheConnection() throws {
        let pair = try Pair(pki)
        let promise = pair.channel.eventLoop.makePromise(of: Void.self)
        pair.channel.writeAndFlush(ByteBuffer(bytes: [UInt8](repeating: 0, count: 65_537)), promise: promise)
        #expect(throws: (any Error).self) { try promise.futureResult.wait() }
        #expect(pair.echo.errors == [.tooMuchBeforeHandshake])
    }

    @Test func bothEndsSayGoodbye() throws {
        let here = try Pair(pki)
        try here.talk()
        here.channel.close(promise: nil)
        try here.talk()
        #expect(here.client.state == .closed(.byPeer))

        let there = try Pair(pki)
        try there.talk()
        try there.client.send(Array("last".utf8))
        there.client.close()
        try there.talk()
        #expect(there.echo.received == Array("last".utf8))
        #expect(there.echo.errors.isEmpty && !there.channel.isActive)
    }

    @Test func aConnectionCutOffIsAnError() throws {
        let pair = try Pair(pki)
        try pair.talk()
        pair.channel.pipeline.fireChannelInactive()
        #expect(pair.echo.errors == [.tls(.truncated)])
    }
}
