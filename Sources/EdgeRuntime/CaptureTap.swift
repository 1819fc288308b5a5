import CoreTypes
import Logging
import MediaRelay
import SiteFile

final class CaptureTap: Sendable {
    init(options: CaptureOptions, clock: EdgeClock, degraded: DegradedState, logger: Logger) throws(EdgeServerError) {}
    func signalling(_ bytes: [UInt8], from: Endpoint, to: Endpoint, transport: TransportProtocol) {}
    var mediaTap: MediaTap { { _, _, _, _ in } }
    func close() {}
}
