public import HotDeskPolicy

/// Which phones are behind which router phone.
public struct RouterTree: Sendable, Equatable {
    /// By router phone, in the order of the list they came from; a router phone alone has no entry.
    public private(set) var children: [DeviceName: [DeviceName]] = [:]

    public init(_ devices: [Device]) {
        for device in devices {
            guard let router = device.router, router != device.name else { continue }
            children[router, default: []].append(device.name)
        }
    }

    /// Every device in the order of a tree: router phones with their children right after them.
    ///
    /// A child whose router phone is missing stands where it stood.
    public func ordered(_ devices: [Device]) -> [(device: Device, depth: Int)] {
        let byName = Dictionary(devices.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        var rows: [(device: Device, depth: Int)] = []
        for device in devices {
            if let router = device.router, router != device.name, byName[router] != nil { continue }
            rows.append((device, 0))
            rows += (children[device.name] ?? []).compactMap { byName[$0] }.map { ($0, 1) }
        }
        return rows
    }
}
