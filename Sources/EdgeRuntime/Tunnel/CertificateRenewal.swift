import CoreTypes
import Logging
import NIOCore
import Tunnel

/// Has the site's certificate renewed by the headend when a third of its life is left. The connection that is up goes on; the
/// next one shows the new certificate.
struct CertificateRenewal {
    /// How often the certificate is looked at, and a request that was not answered is made again, in seconds.
    private static let interval: Int64 = 600

    private var timer: Scheduled<Void>?
    private var key: PrivateKey?

    init() {}

    /// Looks now, and from then on now and again.
    mutating func look(_ trunk: TunnelTrunk) {
        timer?.cancel()
        let here = NIOLoopBound(trunk, eventLoop: trunk.driver.loop)
        let now = trunk.driver.clock.now.unixSeconds
        let facts = trunk.files.facts
        let wait = facts.map { Self.pause($0, now: now) } ?? Self.interval
        timer = trunk.driver.loop.scheduleTask(in: .seconds(wait)) { here.value.renewal.look(here.value) }
        guard let facts, let active = trunk.active else { return }
        guard Self.isDue(facts, now: now) else { return trunk.noteCertificate(facts, now: now) }
        trunk.noteCertificate(facts, now: now)
        do throws(TLSError) {
            let fresh = try PrivateKey()
            let request = try fresh.request(commonName: facts.siteName ?? "site")
            key = fresh
            trunk.places[active].runner.session(.requestCertificate(request))
            trunk.logger.notice("tunnel: asks for a new certificate; the present one ends in \((facts.notAfter - now) / 3600) h")
        } catch {
            trunk.logger.error("tunnel: no request for a certificate can be made: \(error)")
        }
    }

    /// A third of its life is left.
    static func isDue(_ facts: CertificateFacts, now: Int64) -> Bool {
        facts.notAfter - now <= max(0, facts.notAfter - facts.notBefore) / 3
    }

    /// Seconds until the next look: when it is due, then often enough for several requests before the end.
    static func pause(_ facts: CertificateFacts, now: Int64) -> Int64 {
        let life = max(0, facts.notAfter - facts.notBefore)
        let wait = isDue(facts, now: now) ? life / 30 : facts.notAfter - life / 3 - now
        return max(1, min(interval, wait))
    }

    /// The headend has signed: files are replaced, where they fit together.
    mutating func given(_ chain: [UInt8], _ trunk: TunnelTrunk) {
        guard let key else { return }
        self.key = nil
        do {
            let facts = try CertificateFacts.reading(.text(Personal(chain)))
            guard facts.siteName == trunk.files.facts?.siteName else { throw PrivateFile.Failure(description: "it names another site: \(facts)") }
            let identity = TLSIdentity(certificateChain: .text(Personal(chain)), privateKey: .text(key.pem))
            _ = try TLSContext(
                TLSConfiguration(
                    label: "tunnel", role: .client(serverName: "headend", trust: .certificates([.file(trunk.files.authority)])), identity: identity))
            try trunk.files.replace(certificate: chain, key: key.pem)
            look(trunk)
            trunk.logger.notice("tunnel: the site has a new certificate")
        } catch {
            trunk.logger.error("tunnel: the new certificate cannot be used: \(error)")
        }
    }

    mutating func stop() {
        timer?.cancel()
        timer = nil
        key = nil
    }
}

extension TunnelTrunk {
    /// An administrator should know in time.
    func noteCertificate(_ facts: CertificateFacts, now: Int64) {
        let left = facts.notAfter - now
        let isLate = left < min(7 * 86_400, max(0, facts.notAfter - facts.notBefore) / 4)
        degraded.set(.siteCertificate, isLate ? "the site's certificate for the tunnel ends in \(max(0, left) / 3600) h and was not renewed" : nil)
    }
}
