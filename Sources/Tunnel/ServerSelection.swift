/// One SRV record of a SIP domain (RFC 2782): `_sips._tcp.pbx.example` for a trunk (RFC 3263 §4.1).
public struct SRVRecord: Hashable, Sendable {
    /// Lower is tried first.
    public var priority: UInt16
    /// Share of the load among records of one priority; 0 asks for hardly any.
    public var weight: UInt16
    public var port: UInt16
    /// Host name; "." says that the service is not offered here.
    public var target: String

    public init(priority: UInt16, weight: UInt16, port: UInt16, target: String) {
        self.priority = priority
        self.weight = weight
        self.port = port
        self.target = target
    }
}

/// The order in which to try servers (RFC 2782 "Usage rules"): by priority, and inside one priority drawn by
/// weight, each record once. Records with the target "." are left out.
///
/// Records of equal priority are put into a fixed order before the draw, so the same random numbers give the
/// same result however the name server shuffled its answer.
public func orderSRV(_ records: [SRVRecord], random: inout some RandomNumberGenerator) -> [SRVRecord] {
    let usable = records.filter { $0.target != "." && !$0.target.isEmpty }
    var ordered: [SRVRecord] = []
    ordered.reserveCapacity(usable.count)
    for (_, group) in Dictionary(grouping: usable, by: \.priority).sorted(by: { $0.key < $1.key }) {
        // Weight 0 stands first, so that it is drawn only by the number 0.
        var waiting = group.sorted { ($0.weight, $0.target, $0.port) < ($1.weight, $1.target, $1.port) }
        while !waiting.isEmpty { ordered.append(waiting.remove(at: drawByWeight(waiting, random: &random))) }
    }
    return ordered
}

/// The place of the record whose running sum of weights first reaches a random number from 0 to the sum of all.
private func drawByWeight(_ records: [SRVRecord], random: inout some RandomNumberGenerator) -> Int {
    let total = records.reduce(0) { $0 + UInt64($1.weight) }
    let drawn = UInt64.random(in: 0...total, using: &random)
    var running: UInt64 = 0
    for (place, record) in records.enumerated() {
        running += UInt64(record.weight)
        if running >= drawn { return place }
    }
    return 0
}
