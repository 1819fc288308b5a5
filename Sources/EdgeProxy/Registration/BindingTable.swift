import CoreTypes
import HotDeskPolicy
import SIPMessage

/// Where a device can be reached (RFC 3261 §10.3): one Contact, one flow, the newest registration wins.
struct Binding: Sendable, Equatable {
    var device: DeviceName
    var contact: URI
    var flow: Flow
    var expires: Instant
    var callID: CallID?
    var userAgent: String
}

/// The location service for devices, indexed both ways.
struct BindingTable: Sendable {
    private var byDevice: [DeviceName: Binding] = [:]
    private var byFlow: [Flow: DeviceName] = [:]
    /// A connection beside the registered datagrams, on which the device has proved itself.
    private var streams: [DeviceName: Flow] = [:]
    /// When the device last made or took a call, or began its session.
    var lastUse: [DeviceName: Instant] = [:]

    var devices: [DeviceName] { Array(byDevice.keys) }

    func binding(of device: DeviceName) -> Binding? { byDevice[device] }

    func device(on flow: Flow) -> DeviceName? { byFlow[flow] }

    mutating func set(_ binding: Binding) {
        if let old = byDevice[binding.device], old.flow != binding.flow { byFlow[old.flow] = nil }
        // A flow carries one device: whoever proved itself last on it owns it.
        if let other = byFlow[binding.flow], other != binding.device { byDevice[other] = nil }
        byDevice[binding.device] = binding
        byFlow[binding.flow] = binding.device
    }

    func stream(of device: DeviceName) -> Flow? { streams[device] }

    /// The device has shown its credentials on `flow`, whatever it is registered on.
    mutating func proved(_ device: DeviceName, on flow: Flow) {
        if flow.transport.isReliable, byDevice[device]?.flow != flow { streams[device] = flow }
    }

    mutating func closed(_ flow: Flow) {
        if let device = streams.first(where: { $0.value == flow })?.key { streams[device] = nil }
    }

    @discardableResult
    mutating func remove(_ device: DeviceName) -> Binding? {
        guard let binding = byDevice.removeValue(forKey: device) else { return nil }
        byFlow[binding.flow] = nil
        streams[device] = nil
        return binding
    }

    func expired(at now: Instant) -> [DeviceName] {
        byDevice.values.filter { $0.expires <= now }.map(\.device)
    }
}
