import CoreTypes
import Logging
import Media
import MediaRelay
import NIOCore
import SiteFile
import Tunnel

/// The headend's media ports and their relay: one leg to the PBX, one a stream of a site's tunnel. Lives on the headend's loop.
final class HeadendMedia {
    /// Free pairs below which more are bound.
    private static let low = 16
    private static let batch = 32
    /// Bits of a tunnel leg's number that are the stream's; the site's stand above.
    private static let streamBits: UInt32 = 14

    private let loop: MediaLoop
    private let family: IPAddress.Family
    private var free: [MediaPorts] = []
    private var head = 0
    private var isAsked = false
    private var isExhausted = false
    /// Who waits for a pair.
    private var waiting: [(MediaPorts?) -> Void] = []
    private var lastSession: UInt64 = 0

    init(loop: MediaLoop, family: IPAddress.Family) {
        self.loop = loop
        self.family = family
        replenish()
    }

    var freeCount: Int { free.count - head }

    static func leg(slot: UInt32, _ id: StreamID) -> UInt32 { bits(ofSlot: slot) | UInt32(id.rawValue) }
    static func bits(ofSlot slot: UInt32) -> UInt32 { slot << streamBits }
    static func slot(of leg: UInt32) -> UInt32 { leg >> streamBits }

    /// A pair of ports, at once or when some are bound; nil: there are no more.
    func take(_ answer: @escaping (MediaPorts?) -> Void) {
        defer { replenish() }
        if head < free.count {
            let pair = free[head]
            head += 1
            if head > 64, head * 2 > free.count {
                free.removeFirst(head)
                head = 0
            }
            return answer(pair)
        }
        if isExhausted { answer(nil) } else { waiting.append(answer) }
    }

    private func replenish() {
        guard freeCount < Self.low, !isAsked, !isExhausted else { return }
        isAsked = true
        loop.perform(.reserve(count: Self.batch, family: family))
    }

    func event(_ event: MediaEvent) {
        guard case .portsReady(let pairs) = event else { return }
        isAsked = false
        isExhausted = pairs.isEmpty
        free += pairs
        while !waiting.isEmpty, isExhausted || head < free.count { take(waiting.removeFirst()) }
        replenish()
    }

    func newSession() -> MediaSessionID {
        lastSession += 1
        return MediaSessionID(rawValue: lastSession)
    }

    func perform(_ command: MediaCommand) { loop.perform(command) }
    func receive(_ packets: PacketBatch) { loop.receive(packets) }
    /// A socket of the headend's loop holds more than was read.
    func moreWaits() { loop.moreWaits() }
}
