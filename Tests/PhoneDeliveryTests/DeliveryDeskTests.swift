import CoreTypes
import CryptoPrimitives
import HotDeskPolicy
import Testing

@testable import PhoneDelivery

/// One site of two phones, and the administrator's clock.
private final class Site {
    static let phone = IPAddress(v4: 0xC0A8_0A18)
    static let stranger = IPAddress(v4: 0xC633_6401)
    static let guest = IPAddress(v4: 0xC0A8_1418)
    static let mac = MACAddress("80:5e:c0:aa:bb:01")!
    static let otherMAC = MACAddress("80:5e:c0:aa:bb:02")!
    static let first = DeviceName("HD0001")!
    static let second = DeviceName("HD0002")!

    var desk: DeliveryDesk
    var now = Instant(nanoseconds: 1_800_000_000_000_000_000)
    var stored: [DeliveryRecord] = []
    var reports: [String] = []
    var rules = DeliveryRules(
        enrolment: [AddressBlock("192.168.10.0/24")!], networks: [AddressBlock("192.168.10.0/24")!, AddressBlock("192.168.20.0/24")!])

    init(records: [DeliveryRecord] = [], seed: UInt8 = 1) {
        desk = DeliveryDesk(rules: rules, seed: Array(repeating: seed, count: 32))
        take(desk.setDevices(Self.devices, rules: rules, records: records, now: now))
    }

    static let devices = [
        Device(name: first, mac: mac, model: "yealink-t54w", location: "", connection: .lan, secret: Personal("s1")),
        Device(name: second, mac: otherMAC, model: "snom-d785", location: "", connection: .lan, secret: Personal("s2")),
    ]

    func take(_ actions: [DeliveryAction]) {
        for action in actions {
            switch action {
            case .store(let record): stored.append(record)
            case .report(_, let text): reports.append(text)
            }
        }
    }

    func ask(
        _ token: DeliveryToken? = nil, from source: IPAddress = phone, claims: [MACAddress] = [mac], model: String? = nil
    ) -> DeliveryVerdict {
        let (verdict, actions) = desk.request(DeliveryRequest(source: source, token: token, claims: claims, model: model), now: now)
        take(actions)
        return verdict
    }

    /// Asks by MAC as an armed phone does, and has its record written.
    func bootstrap(claims: [MACAddress] = [mac]) -> DeliveryToken? {
        guard case .bootstrap(_, let token, let record) = ask(claims: claims) else { return nil }
        desk.commit(record)
        stored.append(record)
        return token
    }

    /// Fetches by URL; the new URL where the answer carries one.
    func fetch(_ token: DeliveryToken) -> (isServed: Bool, next: DeliveryToken?) {
        guard case .configuration(_, _, let rotation) = ask(token) else { return (false, nil) }
        if let rotation {
            desk.commit(rotation.record)
            stored.append(rotation.record)
        }
        return (true, rotation?.token)
    }
}

@Suite struct DeliveryDeskTests {
    @Test func armedPhoneGetsAURLAndIsArmedNoMoreOnceItUsesIt() throws {
        let site = Site()
        let token = try #require(site.bootstrap())
        #expect(site.bootstrap() != nil, "a phone that asks twice before it uses its URL gets another")
        let again = try #require(site.bootstrap())
        #expect(!site.fetch(token).isServed, "a URL that was replaced before its first use is dead")
        #expect(site.fetch(again).isServed)
        #expect(site.ask() == .missing(.notArmed))
    }

    @Test func theURLIsHeldAsAHashAlone() throws {
        let site = Site()
        let token = try #require(site.bootstrap())
        _ = site.fetch(token)
        for record in site.stored { #expect(!"\(record)".contains(token.text)) }
        let restarted = Site(records: [try #require(site.stored.last)], seed: 9)
        #expect(restarted.fetch(token).isServed, "a restart changes nothing")
        #expect(restarted.ask() == .missing(.notArmed))
    }

    @Test(arguments: [
        (nil as MACAddress?, [] as [MACAddress], DeliveryRefusal.nobody),
        (nil, [Site.mac, Site.otherMAC], .contradiction),
        (nil, [MACAddress("00:00:00:00:00:01")!], .unknownDevice),
        (Site.mac, [Site.otherMAC], .foreignDevice),
        (Site.mac, [Site.mac, Site.otherMAC], .foreignDevice),
    ])
    func macsMustAgree(owner: MACAddress?, claims: [MACAddress], refusal: DeliveryRefusal) throws {
        let site = Site()
        let token = owner == nil ? nil : site.bootstrap()
        #expect(site.ask(token, claims: claims) == .missing(refusal))
        if let token { #expect(site.fetch(token).isServed, "the owner is not harmed") }
    }

    @Test func aURLNeverReadsAnotherDevice() throws {
        let site = Site()
        let first = try #require(site.bootstrap())
        let second = try #require(site.bootstrap(claims: [Site.otherMAC]))
        #expect(site.ask(first, claims: [Site.otherMAC]) == .missing(.foreignDevice))
        guard case .configuration(let device, _, _) = site.ask(second, claims: []) else { return #expect(Bool(false)) }
        #expect(device == Site.second)
    }

    @Test func enrolmentAndPhonesHaveTheirNetworks() throws {
        let site = Site()
        #expect(site.ask(from: Site.guest) == .missing(.outsideEnrolment))
        #expect(site.ask(from: Site.stranger) == .missing(.outsideEnrolment))
        let token = try #require(site.bootstrap())
        guard case .configuration = site.ask(token, from: Site.guest) else { return #expect(Bool(false)) }
    }

    @Test func trap23LeakedURLIsRefusedElsewhereAndGivesWay() throws {
        let site = Site()
        let token = try #require(site.bootstrap())
        #expect(site.fetch(token).next == nil)
        #expect(site.ask(token, from: Site.stranger) == .missing(.foreignNetwork))
        #expect(site.stored.last?.mustRotate == true)
        let next = try #require(site.fetch(token).next)
        #expect(site.fetch(next).isServed)
        #expect(!site.fetch(token).isServed, "the old URL dies when the new one is used")
    }

    @Test func anOldURLRotatesWithGrace() throws {
        let site = Site()
        let token = try #require(site.bootstrap())
        _ = site.fetch(token)
        site.now = site.now + site.rules.rotateAfter
        let lost = try #require(site.fetch(token).next)
        // The phone did not take it up: it asks by the old one and is given another.
        let next = try #require(site.fetch(token).next)
        #expect(!site.fetch(lost).isServed)
        #expect(site.fetch(next) == (true, nil))
        #expect(!site.fetch(token).isServed)
    }

    @Test func graceEnds() throws {
        let site = Site()
        let token = try #require(site.bootstrap())
        _ = site.fetch(token)
        site.now = site.now + site.rules.rotateAfter
        _ = site.fetch(token)
        site.now = site.now + site.rules.grace
        #expect(!site.fetch(token).isServed)
    }

    @Test func aRotationThatWasNotWrittenChangesNothing() throws {
        let site = Site()
        let token = try #require(site.bootstrap())
        _ = site.fetch(token)
        site.now = site.now + site.rules.rotateAfter
        guard case .configuration(_, _, let lost?) = site.ask(token) else { return #expect(Bool(false)) }
        #expect(!site.fetch(lost.token).isServed)
        #expect(site.fetch(token).isServed)
    }

    @Test func theArmWindowEndsAndAnAdministratorOpensItAgain() {
        let site = Site()
        site.now = site.now + site.rules.armWindow
        #expect(site.ask() == .missing(.notArmed))
        site.take(site.desk.arm(Site.first, now: site.now))
        #expect(site.bootstrap() != nil)
    }

    @Test func aReplacedHandsetStartsAnew() throws {
        let site = Site()
        let token = try #require(site.bootstrap())
        _ = site.fetch(token)
        var devices = Site.devices
        devices[0].mac = MACAddress("80:5e:c0:aa:bb:77")!
        site.take(site.desk.setDevices(devices, rules: site.rules, now: site.now))
        #expect(site.ask(token, claims: []) == .missing(.unknownURL))
        #expect(site.bootstrap(claims: [devices[0].mac]) != nil)
    }

    @Test func trap19AnotherModelIsReportedAndAnotherVendorRefused() throws {
        let site = Site()
        let token = try #require(site.bootstrap())
        guard case .configuration = site.ask(token, model: "yealink-t46u") else { return #expect(Bool(false)) }
        #expect(site.reports.contains { $0.contains("yealink-t46u") && $0.contains("yealink-t54w") })
        #expect(site.ask(token, model: "snom-d785") == .missing(.otherVendor))
    }

    @Test func reportsOfOneKindComeOnceInAWhile() {
        let site = Site()
        for _ in 0..<50 { _ = site.ask(from: Site.stranger) }
        #expect(site.reports.filter { $0.hasPrefix(DeliveryRefusal.outsideEnrolment.rawValue) }.count == 1)
    }

    @Test func removedDevicesAreGone() throws {
        let site = Site()
        let token = try #require(site.bootstrap())
        site.take(site.desk.setDevices([Site.devices[1]], rules: site.rules, now: site.now))
        #expect(site.ask(token) == .missing(.unknownURL))
        #expect(site.ask() == .missing(.unknownDevice))
    }
}

@Suite struct RequestBudgetTests {
    @Test func aSourceIsSlowedAndComesBack() {
        var now = Instant(nanoseconds: 0)
        var limits = RequestBudget.Limits()
        limits.burst = 10
        limits.rate = 5
        var budget = RequestBudget(limits: limits, now: now)
        let source = IPAddress(v4: 1), other = IPAddress(v4: 2)
        #expect((0..<12).filter { _ in budget.take(source, now: now) }.count == 10)
        let isOtherTaken = budget.take(other, now: now)
        #expect(isOtherTaken, "one source's flood is not another's")
        now = now + .seconds(1)
        #expect((0..<12).filter { _ in budget.take(source, now: now) }.count == 5)
    }

    @Test func manySourcesTakeBoundedMemory() {
        let now = Instant(nanoseconds: 0)
        var limits = RequestBudget.Limits()
        limits.sources = 16
        limits.totalBurst = 100
        var budget = RequestBudget(limits: limits, now: now)
        let taken = (0..<1000).filter { budget.take(IPAddress(v4: UInt32($0)), now: now) }.count
        #expect(taken == 100)
    }

    @Test func trap13ManyOptionalFilesOfAHundredPhonesAreNoFlood() {
        let now = Instant(nanoseconds: 0)
        var budget = RequestBudget(now: now)
        let taken = (0..<800).filter { budget.take(IPAddress(v4: UInt32($0 / 8)), now: now) }.count
        #expect(taken == 800)
    }
}

@Suite struct AddressBlockTests {
    @Test(arguments: [
        ("192.0.2.0/24", "192.0.2.255", true), ("192.0.2.0/24", "192.0.3.0", false), ("0.0.0.0/0", "8.8.8.8", true),
        ("10.0.0.1", "10.0.0.1", true), ("10.0.0.1", "10.0.0.2", false), ("2001:db8::/33", "2001:db8:7fff::1", true),
        ("2001:db8::/33", "2001:db8:8000::1", false), ("::/0", "::1", true), ("::/0", "127.0.0.1", false),
        ("2001:db8:0:1::/96", "2001:db8:0:1::ffff", true), ("2001:db8:0:1::/96", "2001:db8:0:1:0:1::", false),
    ])
    func contains(block: String, address: String, isIn: Bool) throws {
        #expect(try #require(AddressBlock(block)).contains(try #require(IPAddress(address))) == isIn)
    }

    @Test(arguments: ["192.0.2.1/24", "192.0.2.0/33", "192.0.2.0/", "192.0.2.0/+8", "2001:db8::1/64", "x/8", "", "::/129"])
    func refused(text: String) { #expect(AddressBlock(text) == nil) }
}

/// Which requests must prove themselves by digest, where the site asks for it.
@Suite struct ProofTests {
    @Test func onlyTheHolderOfAGoodURLIsAsked() throws {
        let site = Site()
        let token = try #require(site.bootstrap())
        func asked(_ token: DeliveryToken?, from source: IPAddress = Site.phone, claims: [MACAddress] = [Site.mac], model: String? = nil) -> DeviceName? {
            site.desk.mustProve(DeliveryRequest(source: source, token: token, claims: claims, model: model), now: site.now)
        }
        #expect(asked(token) == Site.first, "before the URL counts as used, too")
        #expect(asked(nil) == nil)
        #expect(asked(DeliveryToken("00112233445566778899aabbccddeeff")) == nil)
        #expect(asked(token, from: Site.stranger) == nil)
        #expect(asked(token, claims: [Site.mac, Site.otherMAC]) == nil)
        #expect(asked(token, model: "snom-d785") == nil)
        // Asking changes nothing.
        #expect(site.desk.record(of: Site.first)?.isCurrentUsed == false)
        _ = site.fetch(token)
        #expect(asked(token) == Site.first)
        // A phone that had its URL before it was given a password: the administrator lets it in once more.
        site.take(site.desk.arm(Site.first, now: site.now))
        #expect(asked(token) == nil)
        site.now = site.now + .seconds(86_401)
        #expect(asked(token) == Site.first)
    }
}
