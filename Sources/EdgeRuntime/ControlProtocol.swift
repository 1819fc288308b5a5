import CoreTypes
public import EdgeProxy
import FoundationEssentials
import HotDeskPolicy

/// What is said over the control socket: one JSON object per line each way, a reply per request.
///
/// `{"command":"status"}` → `{"ok":true,"status":{…}}`
/// `{"command":"calls","last":20}` → `{"ok":true,"calls":[{…}]}`, newest first
/// `{"command":"metrics"}` → `{"ok":true,"metrics":"…"}`, the text format of Prometheus
/// `{"command":"logout","device":"HD0001"}` → `{"ok":true,"message":"…"}`
/// `{"command":"unlock","device":"HD0001"}`, with a device or an extension → `{"ok":true,"message":"…"}`
/// `{"command":"arm","device":"HD0001"}` → `{"ok":true,"message":"…"}`
/// `{"command":"redirect","device":"HD0001"}`, of all devices without one: tries at once what a vendor's redirect service
/// is still to be told → `{"ok":true,"message":"…"}`
/// `{"command":"reload"}` → `{"ok":true,"message":"…"}`
/// anything that fails → `{"ok":false,"error":"…"}`
public struct ControlRequest: Codable, Sendable, Equatable {
    public enum Command: String, Codable, Sendable, CaseIterable {
        case status, calls, metrics, logout, unlock, reload, arm, redirect
    }

    public var command: Command
    /// The device a `logout`, an `arm` or a `redirect` is about; the device or extension an `unlock` is about.
    public var device: String?
    /// How many `calls` are asked for: 1...`maximumCalls`.
    public var last: Int?

    public static let maximumCalls = 1000

    public init(command: Command, device: String? = nil, last: Int? = nil) {
        self.command = command
        self.device = device
        self.last = last
    }
}

public struct ControlReply: Codable, Sendable, Equatable {
    public var ok: Bool
    /// Why the request failed; only where `ok` is false.
    public var error: String?
    /// What was done, in a sentence.
    public var message: String?
    public var status: ControlStatus?
    public var calls: [ControlCall]?
    /// Of a headend.
    public var headend: HeadendStatus?
    public var metrics: String?

    public init(
        ok: Bool, error: String? = nil, message: String? = nil, status: ControlStatus? = nil, calls: [ControlCall]? = nil,
        headend: HeadendStatus? = nil, metrics: String? = nil
    ) {
        self.ok = ok
        self.error = error
        self.message = message
        self.status = status
        self.calls = calls
        self.headend = headend
        self.metrics = metrics
    }

    public static func failure(_ error: String) -> ControlReply { ControlReply(ok: false, error: error) }
    public static func done(_ message: String) -> ControlReply { ControlReply(ok: true, message: message) }
    public static func status(_ status: ControlStatus) -> ControlReply { ControlReply(ok: true, status: status) }
    public static func calls(_ calls: [ControlCall]) -> ControlReply { ControlReply(ok: true, calls: calls) }
    public static func metrics(_ text: String) -> ControlReply { ControlReply(ok: true, metrics: text) }
}

/// The state of a site as it goes over the control socket. Times are seconds since the Unix epoch.
public struct ControlStatus: Codable, Sendable, Equatable {
    public struct Device: Codable, Sendable, Equatable {
        public var name: String
        public var model: String
        public var location: String
        /// Nil: the device is idle.
        public var `extension`: String?
        /// Name of the person logged in, or "".
        public var person: String
        /// When the session began.
        public var since: Int64?
        public var registered: Bool
        /// Where the device registered from, or "".
        public var address: String
        /// Whether the session's extension is registered at the PBX; nil where the device is idle.
        public var registeredAtPBX: Bool?
        /// How many calls the device is in.
        public var calls: Int
        /// Until when an emergency call keeps the device reachable.
        public var pinnedUntil: Int64?
        /// How its phone fares with its configuration: current, waiting, notified, overdue or unknown; nil: it is not
        /// provisioned here.
        public var phone: String?
        /// The router phone that carries its calls; its own name where it is one; nil: none.
        public var router: String?
        /// What its vendor's redirect service knows of it; nil: the site has no account there.
        public var redirect: ControlStatus.Redirect?

        public init(
            name: String, model: String, location: String, extension: String?, person: String, since: Int64?,
            registered: Bool, address: String, registeredAtPBX: Bool?, calls: Int, pinnedUntil: Int64?,
            phone: String? = nil, router: String? = nil
        ) {
            self.name = name
            self.model = model
            self.location = location
            self.extension = `extension`
            self.person = person
            self.since = since
            self.registered = registered
            self.address = address
            self.registeredAtPBX = registeredAtPBX
            self.calls = calls
            self.pinnedUntil = pinnedUntil
            self.phone = phone
            self.router = router
        }
    }

    public struct Node: Codable, Sendable, Equatable {
        /// "host:port" as in the site file, or as found by DNS.
        public var name: String
        public var up: Bool
        public init(name: String, up: Bool) {
            self.name = name
            self.up = up
        }
    }

    /// A headend of the tunnel.
    public struct Headend: Codable, Sendable, Equatable {
        public var name: String
        /// "active", "standby", "cut" while its session waits for the line, or "down".
        public var state: String
        public var lane: String
        /// Milliseconds there and back, by the stream and by datagrams; nil before it is known.
        public var streamRoundTrip: Int?
        public var datagramRoundTrip: Int?
        /// Thousandths of our datagrams that did not arrive.
        public var datagramLoss: Int?
        /// So much of them is lost that each packet goes twice; and how many have.
        public var isRepeating: Bool
        public var repeated: UInt64
        /// Calls whose media goes by a lane: "datagram" or "stream".
        public var calls: [String: Int]
        public var laneChanges: UInt64
        /// Media dropped for being late on the stream lane, on its way out or in.
        public var late: UInt64
    }

    /// A histogram: `counts[i]` of the logins took at most `bounds[i]` seconds, and longer than the bound before.
    public struct ReadyTimes: Codable, Sendable, Equatable {
        public var model: String
        public var bounds: [Int64]
        /// One more than there are bounds.
        public var counts: [UInt64]
        /// Of all of them, in seconds.
        public var sum: Double

        init(model: String, _ histogram: DurationHistogram) {
            self.model = model
            bounds = DurationHistogram.bounds
            counts = histogram.counts
            sum = Double(histogram.sum.clampedNanoseconds) / 1e9
        }
    }

    public var site: String
    public var version: String
    /// When the process started.
    public var started: Int64
    public var devices: [Device]
    public var nodes: [Node]
    /// Empty where the PBX is reached by TLS.
    public var headends: [Headend]? = nil
    /// Calls and subscriptions.
    public var calls: Int
    /// The oldest calls that go on, not more than `EdgeStatus.listedCalls`.
    public var inProgress: [Call]
    public var freeMediaPorts: Int
    /// How media packets are moved: `io_uring` or `epoll`.
    public var mediaWay: String? = nil
    /// How long logins took until the phone had its configuration, by model.
    public var readyTimes: [ReadyTimes]
    /// Phones that are still to be taken out of a vendor's redirect service.
    public var leavingRedirects: [Redirect]? = nil
    /// What does not work at the moment, one sentence each: a full disk, a locked database, a bad reload.
    public var degraded: [String]

    public init(
        site: String, version: String, started: Int64, devices: [Device], nodes: [Node], calls: Int,
        inProgress: [Call] = [], freeMediaPorts: Int, readyTimes: [ReadyTimes] = [], degraded: [String]
    ) {
        self.site = site
        self.version = version
        self.started = started
        self.devices = devices
        self.nodes = nodes
        self.calls = calls
        self.inProgress = inProgress
        self.freeMediaPorts = freeMediaPorts
        self.readyTimes = readyTimes
        self.degraded = degraded
    }

    /// `nodeNames[i]` names the node of index `i`.
    public init(_ status: EdgeStatus, version: String, started: Int64, nodeNames: [String], degraded: [String]) {
        self.init(
            site: status.site, version: version, started: started, devices: status.devices.map(Device.init),
            nodes: status.nodes.map { node in
                let index = node.node.index
                let name = nodeNames.indices.contains(index) ? nodeNames[index] : "node \(index + 1)"
                return Node(name: name, up: node.isUp)
            },
            calls: status.calls, inProgress: status.inProgress.map(Call.init), freeMediaPorts: status.freeMediaPorts,
            readyTimes: status.readyTimes.sorted { $0.key < $1.key }.map { ReadyTimes(model: $0.key, $0.value) }, degraded: degraded)
    }
}

extension ControlStatus.Device {
    init(_ device: EdgeStatus.DeviceStatus) {
        self.init(
            name: device.name.text, model: device.model, location: device.location,
            extension: device.session?.extension.text, person: device.person,
            since: device.session?.since.unixSeconds, registered: device.isRegistered, address: device.address,
            registeredAtPBX: device.session == nil ? nil : device.isRegisteredAtPBX, calls: device.calls,
            pinnedUntil: device.pinnedUntil?.unixSeconds, phone: device.phone?.rawValue, router: device.router?.text)
    }
}

/// One line of the control socket and back.
public enum ControlCodec {
    /// Longest request the server reads before it gives up on a client, in bytes.
    public static let maximumRequest = 4096

    /// One JSON object with a line feed after it. An object of ours always encodes; should it ever not, the
    /// line is a failure the far end can read.
    public static func line(_ value: some Encodable) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let body = (try? encoder.encode(value)).map { [UInt8]($0) } ?? Array(#"{"ok":false,"error":"not encodable"}"#.utf8)
        return body + [0x0A]
    }

    /// Nil where the bytes are no such object. A line feed at the end is allowed.
    public static func request(_ line: some Collection<UInt8>) -> ControlRequest? {
        try? JSONDecoder().decode(ControlRequest.self, from: Data(line))
    }

    /// Nil where the bytes are no such object. A line feed at the end is allowed.
    public static func reply(_ line: some Collection<UInt8>) -> ControlReply? {
        try? JSONDecoder().decode(ControlReply.self, from: Data(line))
    }
}
