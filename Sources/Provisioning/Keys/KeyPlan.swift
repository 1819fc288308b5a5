/// What each key of a phone is for.
public enum PhoneKey: Sendable, Hashable {
    case line
    /// Login on an idle phone, Logout on one that is somebody's.
    case service(label: String, code: String)
    /// Lamp of an extension or a parking slot; pressed, it calls it, or picks up what rings there.
    case watch(target: String, label: String)
    case speedDial(number: String, label: String)
    /// Written as empty, because phones keep what is merely absent.
    case empty
}

/// All keys of a phone, laid out: line, Login or Logout, then what the person wants with the gaps closed.
public struct KeyPlan: Sendable, Equatable {
    /// One key the person has, and where it went.
    public struct Placement: Sendable, Equatable {
        public var assignment: KeyAssignment
        /// Where it stands in the person's list, from 1.
        public var wanted: Int
        /// The phone's key it went to, from 1; nil: there is no key left for it.
        public var key: Int?
    }

    /// One for every position of the layout, in its order.
    public var keys: [PhoneKey]
    public var positions: [KeyPosition]
    /// Everything of the person's list that is not empty.
    public var placements: [Placement]
    /// Whether there was a key for Login or Logout; if not, the code must be dialled.
    public var hasServiceKey: Bool

    /// What fell off the end.
    public var dropped: [Placement] { placements.filter { $0.key == nil } }
    public var placed: [(position: KeyPosition, key: PhoneKey)] { Array(zip(positions, keys)).map { (position: $0, key: $1) } }

    /// - Parameters:
    ///   - lineKeys: keys of the line itself, before the service key.
    ///   - service: label and code of the first key after the line.
    ///   - wanted: the person's list with its gaps; empty for an idle phone.
    ///   - names: labels of extensions, by number.
    public init(
        layout: KeyLayout, modules: Int = 0, lineKeys: Int = 1, service: (label: String, code: String), wanted: [KeyAssignment],
        names: [String: String] = [:]
    ) {
        positions = layout.positions(modules: modules)
        keys = Array(repeating: .line, count: min(max(0, lineKeys), positions.count))
        hasServiceKey = keys.count < positions.count
        if hasServiceKey { keys.append(.service(label: service.label, code: service.code)) }
        placements = []
        for (index, assignment) in wanted.enumerated() {
            guard let key = PhoneKey(assignment, names: names) else { continue }
            let fits = keys.count < positions.count
            if fits { keys.append(key) }
            placements.append(Placement(assignment: assignment, wanted: index + 1, key: fits ? keys.count : nil))
        }
        keys += Array(repeating: .empty, count: positions.count - keys.count)
    }
}

extension PhoneKey {
    /// Nil for an empty assignment.
    init?(_ assignment: KeyAssignment, names: [String: String]) {
        switch assignment {
        case .empty: return nil
        case .watch(let number, let label): self = .watch(target: number, label: label ?? names[number] ?? number)
        case .speedDial(let number, let label): self = .speedDial(number: number, label: label ?? number)
        case .park(let slot, let label): self = .watch(target: slot, label: label ?? slot)
        }
    }
}
