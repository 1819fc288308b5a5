import CoreTypes
import Media

/// Keys that must change their form between two legs.
extension RelayWorker {
    enum Conversion {
        /// The packet goes on as it is.
        case passed
        /// Another packet stands in its place, of a key by RFC 4733 or not.
        case changed(RTPHeader, isEvent: Bool)
        /// It goes nowhere.
        case absorbed
    }

    /// Whether a packet is one of a key: of the type its far end has named for what it receives, or of the one that it was
    /// told to send.
    func isEvent(_ header: RTPHeader, from state: LegState, to other: LegState) -> Bool {
        if header.payloadType == state.telephoneEvent { return true }
        return header.payloadType == other.telephoneEvent && header.payloadType >= 96
    }

    /// Keys wait, or one side takes events and the other does not.
    func needsConversion(from state: LegState, to other: LegState) -> Bool {
        !other.keys.isIdle || (state.telephoneEvent == nil) != (other.telephoneEvent == nil)
    }

    func convert(_ index: Int, _ packet: RTPPacket, from state: LegState, to other: LegState, _ isEvent: Bool) -> Conversion {
        if isEvent {
            guard other.telephoneEvent == nil else { return .passed }
            return toneInPlace(index, packet, from: state, to: other)
        }
        guard let format = AudioFormat(payloadType: packet.header.payloadType) else { return .passed }
        state.format = format
        if other.telephoneEvent == nil, other.toneWriter.covers(packet.header) { return .absorbed }
        let time = Instant(nanoseconds: now)
        let isMute = listenForTones(index, packet, format, from: state, to: other, time)
        let form = other.telephoneEvent.map { KeySender.Form.event(payloadType: $0 & 0x7F) } ?? .tone(format)
        let size = packet.payload.count
        if let (header, payload) = other.keys.replace(packet.header, size: size, form: form, now: time, patience: configuration.keyPatience) {
            guard buffers.rewrite(index, header, payload) else { return .absorbed }
            return .changed(header, isEvent: header.payloadType == other.telephoneEvent)
        }
        guard isMute else { return .passed }
        let silence = [UInt8](repeating: format.silence, count: size)
        return buffers.rewrite(index, packet.header, silence) ? .changed(packet.header, isEvent: false) : .absorbed
    }

    /// Looks for keys in the audio of a far end that has no events, for one that takes them; whether a tone is sounding,
    /// which the other is not to hear as well.
    private func listenForTones(
        _ index: Int, _ packet: RTPPacket, _ format: AudioFormat, from state: LegState, to other: LegState, _ time: Instant
    ) -> Bool {
        guard state.telephoneEvent == nil, other.telephoneEvent != nil else { return false }
        let detector = state.detector ?? ToneDetector()
        state.detector = detector
        for key in detector.receive(Array(buffers.packet(index)[packet.payload]), format: format) {
            other.keys.press(key, for: .milliseconds(100), now: time)
        }
        return detector.isSounding
    }

    /// A packet of a key, for a far end that takes tones only.
    private func toneInPlace(_ index: Int, _ packet: RTPPacket, from state: LegState, to other: LegState) -> Conversion {
        guard let format = state.format ?? other.format,
            let event = TelephoneEvent(payload: UnsafeBufferPointer(buffers.packet(index)).span.extracting(packet.payload)),
            let (header, payload) = other.toneWriter.write(event, packet.header, format: format),
            buffers.rewrite(index, header, payload)
        else { return .absorbed }
        return .changed(header, isEvent: false)
    }
}
