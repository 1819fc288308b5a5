internal import CSRTP
import CoreTypes

/// SRTP and SRTCP of one leg (RFC 3711) on libsrtp2. Packets are changed in place.
///
/// Belongs to one thread. Keys are copied into the library at once and wiped by it when the session ends.
public final class SRTPSession {
    /// Why a packet of the far end was not taken.
    public enum Failure: Error, Hashable, Sendable {
        /// Changed on the way, made with another key, or no SRTP at all.
        case unauthentic
        /// Seen before, or too old to tell (RFC 3711 §3.3.2).
        case replayed
    }

    /// Room that must be free behind a packet that is protected: tag, index and what the library may touch.
    public static let room = Int(SRTP_MAX_TAG_LEN + SRTP_MAX_MKI_LEN) + 4
    /// Sources one end may send under, one after the other. A far end that changes its SSRC with every packet would
    /// otherwise cost memory for each.
    static let maximumSources = 64

    public let terms: SRTPTerms
    private let outbound: SRTPContext
    private let inbound: SRTPContext

    /// Nil where the library refuses the suite.
    ///
    /// - Parameter earlier: the session of before. A direction whose key stays goes on in it: its packet index and replay
    ///   window must not begin again under the same key.
    public init?(_ terms: SRTPTerms, after earlier: SRTPSession? = nil) {
        let kept = (outbound: earlier.flatMap { $0.terms.send == terms.send ? $0.outbound : nil },
            inbound: earlier.flatMap { $0.terms.receive == terms.receive ? $0.inbound : nil })
        guard let outbound = kept.outbound ?? SRTPContext(terms.send, ssrc_any_outbound),
            let inbound = kept.inbound ?? SRTPContext(terms.receive, ssrc_any_inbound)
        else { return nil }
        self.terms = terms
        self.outbound = outbound
        self.inbound = inbound
    }

    /// Protects an RTP packet; its new length, or nil where there is no room, it is no RTP, its sequence number went out
    /// before, or its far end changes its SSRC too often.
    public func protect(_ packet: UnsafeMutableRawBufferPointer, count: Int) -> Int? {
        guard count >= RTPHeader.size, packet.count - count >= Self.room, let base = packet.baseAddress else { return nil }
        guard outbound.admit(packet.loadUnaligned(fromByteOffset: 8, as: UInt32.self)) else { return nil }
        var length = Int32(truncatingIfNeeded: count)
        return srtp_protect(outbound.session, base, &length) == srtp_err_status_ok ? Int(length) : nil
    }

    /// Protects an RTCP packet; its new length.
    public func protectControl(_ packet: UnsafeMutableRawBufferPointer, count: Int) -> Int? {
        guard count >= 8, packet.count - count >= Self.room, let base = packet.baseAddress else { return nil }
        guard outbound.admit(packet.loadUnaligned(fromByteOffset: 4, as: UInt32.self)) else { return nil }
        var length = Int32(truncatingIfNeeded: count)
        return srtp_protect_rtcp(outbound.session, base, &length) == srtp_err_status_ok ? Int(length) : nil
    }

    /// Checks an RTP packet and makes it plain; its new length.
    public func unprotect(_ packet: UnsafeMutableRawBufferPointer) throws(Failure) -> Int {
        guard packet.count >= RTPHeader.size, let base = packet.baseAddress else { throw .unauthentic }
        var length = Int32(truncatingIfNeeded: packet.count)
        let status = srtp_unprotect(inbound.session, base, &length)
        return try Self.checked(status, length)
    }

    /// Checks an RTCP packet and makes it plain; its new length.
    public func unprotectControl(_ packet: UnsafeMutableRawBufferPointer) throws(Failure) -> Int {
        guard packet.count >= 8, let base = packet.baseAddress else { throw .unauthentic }
        var length = Int32(truncatingIfNeeded: packet.count)
        let status = srtp_unprotect_rtcp(inbound.session, base, &length)
        return try Self.checked(status, length)
    }

    private static func checked(_ status: srtp_err_status_t, _ length: Int32) throws(Failure) -> Int {
        switch status {
        case srtp_err_status_ok: return Int(max(0, length))
        case srtp_err_status_replay_fail, srtp_err_status_replay_old: throw .replayed
        default: throw .unauthentic
        }
    }
}

/// One direction in the library.
private final class SRTPContext {
    let session: srtp_t
    private var sources: [UInt32] = []

    private static let isReady = srtp_init() == srtp_err_status_ok

    init?(_ key: SRTPKey, _ direction: srtp_ssrc_type_t) {
        guard Self.isReady else { return nil }
        var policy = srtp_policy_t()
        policy.ssrc.type = direction
        key.suite.set(&policy.rtp, &policy.rtcp)
        policy.window_size = 128
        var material = key.material.exposed
        var made: srtp_t?
        let status = material.withUnsafeMutableBufferPointer { bytes in
            policy.key = bytes.baseAddress
            return srtp_create(&made, &policy)
        }
        guard status == srtp_err_status_ok, let made else { return nil }
        session = made
    }

    deinit { srtp_dealloc(session) }

    /// Whether one more source, or one that is known, may send.
    func admit(_ source: UInt32) -> Bool {
        if sources.last == source || sources.contains(source) { return true }
        guard sources.count < SRTPSession.maximumSources else { return false }
        sources.append(source)
        return true
    }
}

extension SRTPSuite {
    /// RFC 4568 §6.2.2: the short tag is for RTP only, RTCP keeps the long one.
    fileprivate func set(_ rtp: inout srtp_crypto_policy_t, _ rtcp: inout srtp_crypto_policy_t) {
        switch self {
        case .aes256GCM:
            srtp_crypto_policy_set_aes_gcm_256_16_auth(&rtp)
            srtp_crypto_policy_set_aes_gcm_256_16_auth(&rtcp)
        case .aes128GCM:
            srtp_crypto_policy_set_aes_gcm_128_16_auth(&rtp)
            srtp_crypto_policy_set_aes_gcm_128_16_auth(&rtcp)
        case .aes256SHA80:
            srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80(&rtp)
            srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80(&rtcp)
        case .aes256SHA32:
            srtp_crypto_policy_set_aes_cm_256_hmac_sha1_32(&rtp)
            srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80(&rtcp)
        case .aes128SHA80:
            srtp_crypto_policy_set_rtp_default(&rtp)
            srtp_crypto_policy_set_rtcp_default(&rtcp)
        case .aes128SHA32:
            srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32(&rtp)
            srtp_crypto_policy_set_rtcp_default(&rtcp)
        }
    }
}
