public import CoreTypes

/// What a source nobody announced has to show.
public struct SourceLockLimits: Hashable, Sendable {
    /// Packets one candidate may hold the place of the candidate for, those of others counted.
    public var probationPackets = 5
    /// Packets in a row that lock a candidate where a NAT is between: it has the address signalling comes from, and the
    /// signalled address is another.
    public var translatedRun = 2
    /// Packets in a row that lock another port of the very host that was signalled: half a second in which the signalled
    /// port has the chance to speak.
    public var otherPortRun = 25
    /// Packets for which the source of before a re-INVITE stays welcome; then it is taken to have stayed where it was.
    public var previousPackets = 50
    public init() {}
}

/// Decides which packets of a leg come from its true far end, and so where media for it goes.
///
/// The address in the SDP is believed at once and always wins. Besides it only two hosts can be the far end: the one in the
/// SDP, by another port, and the one that signalling comes from, which is what is seen of a phone behind a NAT. Such a source
/// is locked when packets in a row are of one SSRC with consecutive sequence numbers (RFC 3550 A.1 asks the same of a new
/// source). Nothing of a candidate is forwarded before that, nothing of any other host ever, and nothing of anybody else
/// once a source is locked; however many ports are sprayed with packets, and whatever SSRC these bear.
///
/// A source changes by signalling alone: a new address by re-INVITE opens the lock again, and when signalling comes from
/// another host (a phone that registers again after it got another address) that host may take the place of the locked one.
/// While the far end has no address at all (not answered yet, or on hold) nobody new is accepted and nothing is sent.
public struct SourceLock: Equatable, Sendable {
    public enum Verdict: Hashable, Sendable {
        /// From the far end: forward it.
        case accept
        /// As `accept`, and from now on only this source.
        case lock
        /// Of a candidate: drop it.
        case probation
        /// Of somebody else: drop it.
        case foreign
    }

    public enum ControlVerdict: Hashable, Sendable {
        case accept
        /// No source of RTP is locked yet.
        case early
        case foreign
    }

    private struct Candidate: Equatable, Sendable {
        var endpoint: Endpoint
        var source: UInt32
        var sequenceNumber: UInt16
        /// Packets in a row.
        var run = 1

        init(_ endpoint: Endpoint, _ header: RTPHeader) {
            self.endpoint = endpoint
            source = header.source
            sequenceNumber = header.sequenceNumber
        }

        func isFollowed(by header: RTPHeader, from endpoint: Endpoint) -> Bool {
            endpoint == self.endpoint && header.source == source && header.sequenceNumber == sequenceNumber &+ 1
        }
    }

    private struct Previous: Equatable, Sendable {
        var endpoint: Endpoint
        var remaining: Int
        /// It was not the signalled address then: media for it stays there until another is locked.
        var wasBehindNAT: Bool
    }

    private struct Open: Equatable, Sendable {
        var candidate: Candidate?
        /// Packets seen while this candidate holds its place.
        var spent = 0
        var previous: Previous?
    }

    private struct Locked: Equatable, Sendable {
        var endpoint: Endpoint
        var isSignalled: Bool
        var control: Endpoint?
        /// Signalling has moved to this host since.
        var successor: IPAddress?
        /// A source on it.
        var heir: Candidate?
    }

    private enum State: Equatable, Sendable {
        case open(Open)
        case locked(Locked)
    }

    /// RTP address by SDP.
    public private(set) var signalled: Endpoint?
    /// RTCP address by SDP.
    public private(set) var signalledControl: Endpoint?
    /// The last RTP address there was by SDP, holds apart.
    private var lastSignalled: Endpoint?
    /// Where the far end's signalling comes from; nil: not known.
    private var signallingSource: IPAddress?
    private let limits: SourceLockLimits
    private var state = State.open(Open())

    public init(
        signalled: Endpoint?, control: Endpoint?, signallingSource: IPAddress? = nil, limits: SourceLockLimits = .init()
    ) {
        self.signalled = signalled
        self.signallingSource = signallingSource
        signalledControl = control
        lastSignalled = signalled
        self.limits = limits
    }

    /// The locked source of RTP.
    public var source: Endpoint? {
        switch state {
        case .open: return nil
        case .locked(let locked): return locked.endpoint
        }
    }

    /// Where RTP for this leg goes: the locked source (RFC 4961, symmetric RTP), before that the signalled address.
    public var target: Endpoint? {
        guard signalled != nil else { return nil }
        switch state {
        case .locked(let locked): return locked.endpoint
        case .open(let open):
            if let previous = open.previous, previous.wasBehindNAT { return previous.endpoint }
            return signalled
        }
    }

    /// Where RTCP for this leg goes.
    public var controlTarget: Endpoint? {
        guard signalled != nil else { return nil }
        switch state {
        case .locked(let locked):
            if let control = locked.control { return control }
            if locked.isSignalled { return signalledControl }
            return Self.portAbove(locked.endpoint)
        case .open: return signalledControl
        }
    }

    /// A new answer or offer of the far end, or another host its signalling comes from. The same addresses change nothing; another
    /// media address opens the lock.
    public mutating func update(signalled: Endpoint?, control: Endpoint?, signallingSource: IPAddress? = nil) {
        let hasMoved = signallingSource != nil && signallingSource != self.signallingSource
        self.signallingSource = signallingSource
        self.signalled = signalled
        signalledControl = control
        guard let signalled, signalled != lastSignalled else {
            if hasMoved { follow(signallingSource) }
            return
        }
        lastSignalled = signalled
        switch state {
        case .open(var open):
            open.candidate = nil
            open.spent = 0
            state = .open(open)
        case .locked(let locked):
            guard locked.endpoint != signalled else {
                state = .locked(Locked(endpoint: locked.endpoint, isSignalled: true))
                return
            }
            let previous = Previous(
                endpoint: locked.endpoint, remaining: limits.previousPackets, wasBehindNAT: !locked.isSignalled)
            state = .open(Open(previous: previous))
        }
    }

    /// Lets the host that signalling comes from now take over.
    private mutating func follow(_ host: IPAddress?) {
        guard case .locked(var locked) = state else { return }
        locked.successor = host == locked.endpoint.address ? nil : host
        locked.heir = nil
        state = .locked(locked)
    }

    /// Goes on where a lock of an earlier process was: the source of then is welcome at once, and media goes to it.
    public mutating func resume(at source: Endpoint) {
        state = .open(
            Open(previous: Previous(endpoint: source, remaining: limits.previousPackets, wasBehindNAT: source != signalled)))
    }

    /// Whether a packet from there has any chance, so that who has none costs nothing more.
    public func mayAccept(_ endpoint: Endpoint) -> Bool {
        switch state {
        case .locked(let locked):
            return endpoint == locked.endpoint || !locked.isSignalled && endpoint == signalled || endpoint.address == locked.successor
        case .open(let open): return endpoint == open.previous?.endpoint || run(for: endpoint) != nil
        }
    }

    /// Packets in a row that make a source nobody announced the far end; nil: nothing does.
    private func run(for endpoint: Endpoint) -> Int? {
        guard let signalled else { return nil }
        if endpoint.address == signalled.address { return limits.otherPortRun }
        if endpoint.address == signallingSource { return limits.translatedRun }
        // All of 127.0.0.0/8 is one host (RFC 1122 §3.2.1.3), which sends from any of it.
        guard endpoint.address.isLoopback, signalled.address.isLoopback else { return nil }
        return endpoint.port == signalled.port ? limits.translatedRun : limits.otherPortRun
    }

    /// Judges a valid RTP packet.
    public mutating func receive(_ header: RTPHeader, from endpoint: Endpoint) -> Verdict {
        switch state {
        case .locked(let locked):
            if locked.endpoint == endpoint { return .accept }
            if !locked.isSignalled, endpoint == signalled { return lock(endpoint) }
            return succeed(locked, header, endpoint)
        case .open(let open):
            if endpoint == signalled { return lock(endpoint) }
            if let previous = open.previous, previous.endpoint == endpoint { return stay(open, previous) }
            return probation(open, header, endpoint)
        }
    }

    /// A packet of another than the locked source: of the host signalling has moved to, or of nobody.
    private mutating func succeed(_ locked: Locked, _ header: RTPHeader, _ endpoint: Endpoint) -> Verdict {
        guard endpoint.address == locked.successor, signalled != nil else { return .foreign }
        var heir = Candidate(endpoint, header)
        if let before = locked.heir, before.isFollowed(by: header, from: endpoint) { heir.run = before.run + 1 }
        guard heir.run < limits.translatedRun else { return lock(endpoint) }
        var locked = locked
        locked.heir = heir
        state = .locked(locked)
        return .probation
    }

    /// Judges a valid RTCP packet: it must come from the address RTP is locked to, and from one port of it.
    public mutating func receiveControl(from endpoint: Endpoint) -> ControlVerdict {
        switch state {
        case .open: return .early
        case .locked(var locked):
            guard endpoint.address == locked.endpoint.address else { return .foreign }
            guard locked.control != endpoint else { return .accept }
            guard locked.control == nil || endpoint == signalledControl else { return .foreign }
            locked.control = endpoint
            state = .locked(locked)
            return .accept
        }
    }

    private mutating func lock(_ endpoint: Endpoint) -> Verdict {
        state = .locked(Locked(endpoint: endpoint, isSignalled: endpoint == signalled))
        return .lock
    }

    private mutating func stay(_ open: Open, _ previous: Previous) -> Verdict {
        var open = open
        var previous = previous
        previous.remaining -= 1
        guard previous.remaining > 0 else { return lock(previous.endpoint) }
        open.previous = previous
        state = .open(open)
        return .accept
    }

    private mutating func probation(_ open: Open, _ header: RTPHeader, _ endpoint: Endpoint) -> Verdict {
        guard let enough = run(for: endpoint) else { return .foreign }
        var open = open
        if var candidate = open.candidate, candidate.isFollowed(by: header, from: endpoint) {
            candidate.run += 1
            if candidate.run >= enough { return lock(endpoint) }
            candidate.sequenceNumber = header.sequenceNumber
            open.candidate = candidate
            state = .open(open)
            return .probation
        }
        open.spent += 1
        let isOver = open.spent >= limits.probationPackets
        if isOver || open.candidate == nil || open.candidate?.endpoint == endpoint {
            open.candidate = Candidate(endpoint, header)
            open.spent = isOver ? 1 : open.spent
        }
        state = .open(open)
        return .probation
    }

    private static func portAbove(_ endpoint: Endpoint) -> Endpoint? {
        guard endpoint.port < UInt16.max else { return nil }
        return Endpoint(address: endpoint.address, port: endpoint.port + 1)
    }
}
