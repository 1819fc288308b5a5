import CoreTypes
import EdgeProxy
import Media
import SIPMessage

/// A call that is over, as it goes over the control socket. Times are seconds since the Unix epoch.
public struct ControlCall: Codable, Sendable, Equatable {
    /// Who at the branch: a device or plain phone, or "".
    public var party: String
    /// The extension it was made as, or "".
    public var `extension`: String
    /// "outbound" or "inbound", seen from the branch.
    public var direction: String
    public var emergency: Bool
    public var from: String
    public var to: String
    public var began: Int64
    /// Nil: it was not answered.
    public var answered: Int64?
    public var ended: Int64
    /// How long people could speak, in seconds.
    public var talked: Int64
    /// Why it is over, in words.
    public var reason: String
    /// Nil where there was no media.
    public var phone: ControlLeg?
    public var pbx: ControlLeg?

    init(_ record: CallRecord) {
        party = record.party
        `extension` = record.extension
        direction = record.direction.rawValue
        emergency = record.isEmergency
        from = record.from.description
        to = record.to.description
        began = record.began.unixSeconds
        answered = record.answered?.unixSeconds
        ended = record.ended.unixSeconds
        talked = record.talked.components.seconds
        reason = record.reason.description
        phone = record.quality.first.map(ControlLeg.init)
        pbx = record.quality.dropFirst().first.map(ControlLeg.init)
    }

    init(
        party: String, extension: String, direction: String, emergency: Bool, from: String, to: String, began: Int64, answered: Int64?,
        ended: Int64, talked: Int64, reason: String, legs: [ControlLeg]
    ) {
        self.party = party
        self.extension = `extension`
        self.direction = direction
        self.emergency = emergency
        self.from = from
        self.to = to
        self.began = began
        self.answered = answered
        self.ended = ended
        self.talked = talked
        self.reason = reason
        phone = legs.first
        pbx = legs.dropFirst().first
    }
}

/// How the media of one leg of a call fared: what came from its far end, and what that says it heard.
public struct ControlLeg: Codable, Sendable, Equatable {
    /// RTP packets that came.
    public var received: UInt64
    public var lost: UInt64
    public var lossPercent: Double
    /// Milliseconds.
    public var jitter: Double?
    /// Between edge and far end and back, in milliseconds.
    public var roundTrip: Double?
    /// Nil: none that is rated.
    public var codec: String?
    /// What comes from the far end, by the E-model: 1...4.5.
    public var mos: Double?
    /// What the far end hears, by its own reports; nil without any.
    public var reportedLossPercent: Double?
    public var reportedMOS: Double?

    init(_ leg: LegQuality) {
        received = leg.received
        lost = leg.lost
        lossPercent = Self.hundredths(leg.loss * 100)
        jitter = leg.jitter.map(Self.milliseconds)
        roundTrip = leg.roundTrip.map(Self.milliseconds)
        codec = leg.codec?.rawValue
        mos = leg.mos.map(Self.hundredths)
        reportedLossPercent = leg.reported.map { Self.hundredths($0.loss * 100) }
        reportedMOS = leg.reportedMOS.map(Self.hundredths)
    }

    private static func hundredths(_ value: Double) -> Double { (value * 100).rounded() / 100 }
    private static func milliseconds(_ duration: Duration) -> Double { hundredths(Double(duration.clampedNanoseconds) / 1e6) }
}

extension ControlStatus {
    /// A call that goes on.
    public struct Call: Codable, Sendable, Equatable {
        /// Who at the branch: a device or plain phone, or "".
        public var party: String
        public var `extension`: String
        /// "outbound" or "inbound", seen from the branch.
        public var direction: String
        public var emergency: Bool
        /// The other end's number.
        public var other: String
        public var began: Int64
        /// Nil: it rings.
        public var answered: Int64?
        /// Nil where there is no media yet.
        public var phone: ControlLeg?
        public var pbx: ControlLeg?
        /// By which lane of the tunnel its media goes: "datagram" or "stream"; nil without a tunnel.
        public var lane: String?

        init(_ call: EdgeStatus.CallStatus) {
            party = call.party
            `extension` = call.extension
            direction = call.direction.rawValue
            emergency = call.isEmergency
            other = call.other
            began = call.began.unixSeconds
            answered = call.answered?.unixSeconds
            phone = call.quality.first.map(ControlLeg.init)
            pbx = call.quality.dropFirst().first.map(ControlLeg.init)
        }
    }
}

extension CallRecord {
    /// One line for the log: what is empty is left out.
    var line: String {
        var line = "call ended"
        if isEmergency { line += " emergency" }
        line += " \(direction.rawValue)"
        if !party.isEmpty { line += " device=\(party)" }
        if !`extension`.isEmpty { line += " extension=\(`extension`)" }
        line += " from=\"\(from)\" to=\"\(to)\" talked=\(talked.components.seconds)s reason=\"\(reason)\""
        for (name, leg) in zip(["phone", "pbx"], quality.map(ControlLeg.init)) {
            line += " \(name)=\(leg.mos.map { "\($0)" } ?? "-")"
            if let heard = leg.reportedMOS { line += "/\(heard)" }
            line += ",\(leg.lossPercent)%"
        }
        return line
    }
}
