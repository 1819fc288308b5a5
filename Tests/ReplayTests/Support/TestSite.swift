import CoreTypes
import EdgeProxy
import HotDeskPolicy
import Replay
import SIPMessage

/// The site of the synthetic captures.
enum TestSite {
    static let pins = ["100": "4711", "101": "2580"]

    static func configuration(plainPhones: Bool = true) -> EdgeConfiguration {
        let rules = PolicyRules(emergency: EmergencyRules(numbers: ["112"], outsidePrefixes: ["0"]))
        let devices = (1...2).compactMap { index -> Device? in
            guard let name = DeviceName("HD000\(index)"), let mac = MACAddress("80:5e:c0:aa:bb:0\(index)") else { return nil }
            return Device(
                name: name, mac: mac, model: "generic-sip", location: "desk \(index)", connection: .sbc, secret: Personal("secret"),
                emergencyIdentity: nil)
        }
        let people = pins.keys.sorted().compactMap { number -> Extension? in
            guard let extensionNumber = ExtensionNumber(number) else { return nil }
            return Extension(
                number: extensionNumber, name: "Person \(number)", pinHash: "hash-of-\(number)", authUser: number,
                secret: Personal("pw"), mayHotDesk: true, language: nil, blf: [])
        }
        return EdgeConfiguration(
            siteName: "test", language: "en", location: "10 High Street",
            listeners: [TransportProtocol.udp, .tcp].map { .init(transport: $0, endpoint: CaptureBuilder.siteEdge) },
            mediaAddresses: [CaptureBuilder.siteEdge.address],
            pbx: .init(
                domain: "pbx.example", nodeCount: 1, account: .init(user: "branch-01", authUser: "branch-01", secret: Personal("pw"))),
            policy: rules, devices: devices, extensions: people, emergencyRoutes: [.pbx], plainPhones: plainPhones)
    }

    static func replayer(_ pins: [String] = [], knows: Bool = true) -> Replayer {
        var replayer = Replayer(configuration: configuration(), pins: pins)
        if knows { replayer.checkPIN = { pin, hash in Self.pins.contains { hash == "hash-of-\($0.key)" && pin == $0.value } } }
        return replayer
    }
}

extension ReplayResult {
    /// Verdicts on what phones asked for outside dialogs, without challenges and registrations.
    var verdicts: [String] {
        requests.filter { $0.origin == .phone && !$0.isInDialog && !["REGISTER", "ACK", "CANCEL"].contains($0.method) }
            .compactMap { row in
                if case .challenge = row.verdict { nil } else { "\(row.party) \(row.target): \(row.verdictText)" }
            }
    }

    /// What crossed, both ways: "INVITE 100>101"; requests in dialogs without a target; without REGISTER.
    var crossings: [String] {
        crossed.filter { $0.request.method != .register }.map { item in
            let request = item.request
            let way = item.direction == .toPBX ? "" : "in "
            guard request.headers.to.tag == nil else { return "\(way)\(request.method.name) \(request.headers.from.uri.user)" }
            return "\(way)\(request.method.name) \(request.headers.from.uri.user)>\(request.uri.user)"
        }
    }

    var registered: [String] { toPBX.filter { $0.method == .register }.map { "\($0.headers.to.uri.user) \($0.headers[.expires] ?? "")" } }
}
