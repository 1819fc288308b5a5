import CoreTypes
import Media

extension RelayWorker {
    /// Packets one late wake-up may make good at once.
    private static let maximumCatchUp: UInt64 = 5

    /// Starts phrases on an endpoint of our own.
    func play(_ id: MediaSessionID, _ phrases: [Phrase], language: String, bargeIn: Bool, token: UInt32) {
        guard let session = sessions[id], var speaker = session.speaker else {
            return configuration.log(.warning, "media: play for session \(id.rawValue), which is no endpoint of ours")
        }
        let spoken = configuration.prompts.clips(for: phrases, language: language, format: speaker.announcement.format)
        for problem in spoken.problems { configuration.log(.warning, "media: \(problem)") }
        let isNew = !speaker.announcement.isPlaying
        let dropped = speaker.announcement.play(
            spoken.clips, bargeIn: bargeIn, token: token, now: Instant(nanoseconds: now))
        session.speaker = speaker
        if let dropped { onEvent(.played(id, token: dropped)) }
        if isNew { speaking.append(session) }
        runTimer(true)
    }

    /// Sends the next packets of everybody who speaks.
    func speak(times: UInt64) {
        for _ in 0..<min(times, Self.maximumCatchUp) {
            for session in speaking { speakOnce(session) }
        }
        if speaking.contains(where: { $0.speaker?.announcement.isPlaying != true }) {
            speaking.removeAll { $0.speaker?.announcement.isPlaying != true }
            runTimer(!speaking.isEmpty)
        }
    }

    private func speakOnce(_ session: MediaSession) {
        let packet = speech.withUnsafeMutableBufferPointer { bytes in
            var output = bytes.mutableSpan
            return session.speaker?.announcement.tick(into: &output)
        }
        guard let packet else { return }
        if packet.size > 0, let leg = session.legs.first { send(packet.size, leg) }
        if let token = packet.finished { onEvent(.played(session.id, token: token)) }
    }

    private func send(_ size: Int, _ leg: LegState) {
        guard let target = leg.lock.target else { return counters.drop(.noDestination) }
        guard MediaDestination.isAllowed(target, from: leg.ports.address) else { return counters.drop(.refusedDestination) }
        guard !leg.isBarred else { return counters.drop(.unprotected) }
        speech.withUnsafeMutableBytes { bytes in
            configuration.tap?(UnsafeRawBufferPointer(rebasing: bytes.prefix(size)), leg.local, target, .plain)
            var count = size
            if let security = leg.security {
                guard let protected = security.protect(bytes, count: size) else { return counters.drop(.unprotected) }
                count = protected
            }
            let packet = UnsafeRawBufferPointer(rebasing: bytes.prefix(count))
            guard DatagramSocket.send(packet, from: pool.pairs[leg.pair].rtp, to: target) else {
                return counters.drop(.sendFailed)
            }
            counters.spoken &+= 1
        }
    }

    /// Looks for a key in a packet that came to an endpoint of our own: as event or, in audio, as tones.
    func listen(_ packet: RTPPacket, _ bytes: UnsafeBufferPointer<UInt8>, _ session: MediaSession) {
        if packet.header.payloadType == session.legs.first?.telephoneEvent {
            guard let event = TelephoneEvent(payload: bytes.span.extracting(packet.payload)),
                let key = session.speaker?.decoder.receive(event, header: packet.header)
            else { return }
            onEvent(.digit(session.id, key))
            return interrupt(session)
        }
        guard let format = AudioFormat(payloadType: packet.header.payloadType) else { return }
        for key in session.speaker?.detector.receive(Array(bytes[packet.payload]), format: format) ?? [] {
            onEvent(.tone(session.id, key))
            interrupt(session)
        }
    }

    private func interrupt(_ session: MediaSession) {
        for token in session.speaker?.announcement.interrupt() ?? [] { onEvent(.played(session.id, token: token)) }
    }
}
