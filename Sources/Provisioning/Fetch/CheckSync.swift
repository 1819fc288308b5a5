/// What makes a phone fetch its file: a NOTIFY outside any dialog, sent over the flow the phone registered on.
public struct CheckSync: Sendable, Equatable {
    /// Value of `Event`.
    public var event: String
    /// Some stacks drop a NOTIFY without it, though there is no subscription.
    public var subscriptionState: String
    /// There is no body.
    public var contentType: String?
    public var body: [UInt8]
    /// Whether phones of this vendor are known to answer 401 and want credentials: those of the device.
    public var mayBeChallenged: Bool

    public init(event: String, subscriptionState: String = "active", contentType: String? = nil, body: [UInt8] = [], mayBeChallenged: Bool = false) {
        self.event = event
        self.subscriptionState = subscriptionState
        self.contentType = contentType
        self.body = body
        self.mayBeChallenged = mayBeChallenged
    }

    /// Nil for a model that fetches nothing.
    public init?(for model: PhoneModel, reboot: Bool = false) {
        guard let vendor = model.vendor else { return nil }
        let plain = model.quirks.contains(.resyncEvent) ? "resync" : "check-sync"
        switch vendor {
        case .yealink, .snom: self.init(event: "check-sync;reboot=\(reboot)")
        case .fanvil: self.init(event: reboot ? "check-sync;reboot=true" : plain)
        case .grandstream: self.init(event: reboot ? "check-sync;reboot=true" : plain, mayBeChallenged: true)
        // Whether it reboots is said in its file.
        case .poly: self.init(event: "check-sync")
        case .cisco: self.init(event: reboot ? "reboot" : "resync", mayBeChallenged: true)
        }
    }
}
