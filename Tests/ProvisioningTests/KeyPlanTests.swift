import Provisioning
import Testing

@Suite struct KeyPlanTests {
    private func plan(_ keys: Int, _ wanted: [String], lines: Int = 1, names: [String: String] = [:]) -> KeyPlan {
        let layout = KeyLayout(banks: keys == 0 ? [] : [KeyBank(kind: .line, keys: keys)])
        return KeyPlan(layout: layout, lineKeys: lines, service: ("Logout", "*77*5*"), wanted: wanted.compactMap { KeyAssignment($0) }, names: names)
    }

    private func text(_ key: PhoneKey) -> String {
        switch key {
        case .line: return "line"
        case .service(let label, let code): return "\(label) \(code)"
        case .watch(let target, let label): return "\(target) \(label)"
        case .speedDial(let number, let label): return "speed \(number) \(label)"
        case .empty: return "-"
        }
    }

    @Test(arguments: [
        (6, ["101", "", "102"], ["line", "Logout *77*5*", "101 101", "102 102", "-", "-"], 0),
        (4, ["", "", "", "101"], ["line", "Logout *77*5*", "101 101", "-"], 0),
        (3, ["101", "102"], ["line", "Logout *77*5*", "101 101"], 1),
        (2, ["101"], ["line", "Logout *77*5*"], 1), (1, ["101"], ["line"], 1), (0, ["101", ""], [], 1),
        (4, [], ["line", "Logout *77*5*", "-", "-"], 0),
    ] as [(Int, [String], [String], Int)])
    func isLaidOut(_ keys: Int, _ wanted: [String], _ expected: [String], _ dropped: Int) {
        let plan = plan(keys, wanted)
        #expect(plan.keys.map(text) == expected)
        #expect(plan.dropped.count == dropped)
        #expect(plan.positions.count == plan.keys.count)
        #expect(plan.hasServiceKey == (keys >= 2))
    }

    @Test func saysWhatMoved() {
        let plan = plan(4, ["101", "", "102", "103"])
        #expect(plan.placements.map(\.wanted) == [1, 3, 4])
        #expect(plan.placements.map(\.key) == [3, 4, nil])
    }

    @Test func labels() {
        let plan = plan(9, ["101", "102:Own", "speed:555", "speed:+1555:Mum", "park:SP1"], names: ["101": "Bob", "102": "Carol"])
        #expect(plan.keys.map(text).dropFirst(2) == ["101 Bob", "102 Own", "speed 555 555", "speed +1555 Mum", "SP1 SP1", "-", "-"])
    }

    /// Keys of the phone come before those of its modules.
    @Test func modules() {
        let layout = KeyLayout(banks: [KeyBank(kind: .side, keys: 2), KeyBank(kind: .function, pages: 2, keys: 1)], module: ExpansionModule(name: "E", keys: 2, maximum: 1))
        #expect(layout.positions(modules: 5).map { "\($0.bank) \($0.page).\($0.key) \($0.number)" } == [
            "side 1.1 1", "side 1.2 2", "function 1.1 1", "function 2.1 2", "module 1.1 1", "module 1.2 2",
        ])
        #expect(layout.positions(modules: -1).count == 4)
    }

    @Test(arguments: ["", "101", "101:Bob", "*62", "speed:5551234", "speed:+4930:Oma am See", "park:SP0", "park:SP0:Lager"])
    func assignmentsReadBack(text: String) { #expect(KeyAssignment(text)?.text == text) }

    @Test(arguments: ["x", "speed:", "speed:x", "park:", "park:a b", "101:", "101:a\nb", "speed:1:", " ", "10 1", "+", "\u{0661}"])
    func noAssignments(text: String) { #expect(KeyAssignment(text) == nil) }
}
