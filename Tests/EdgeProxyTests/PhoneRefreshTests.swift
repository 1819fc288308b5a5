import CoreTypes
import CryptoPrimitives
import HotDeskPolicy
import Media
import SIPMessage
import Testing

@testable import EdgeProxy

/// The machine alone, by table: what happens in order, and what it asks for.
@Suite struct PhoneRefreshMachineTests {
    private enum Step: Sendable {
        case event(PhoneRefresh.Event, [PhoneRefresh.Action])
        case after(Duration, [PhoneRefresh.Action])
        case reach(there: Bool, busy: Bool, [PhoneRefresh.Action])
        case isParked(Bool)
    }

    private static let notThere = "it is not registered"
    private static let deaf = "it did not answer the NOTIFY"

    private static let stories: [(name: String, steps: [Step])] = [
        ("a login while the login call is up: told when it has ended, ready with the fetch", [
            .event(.fetched(1), [.store]), .reach(there: true, busy: true, []),
            .event(.session(7), [.store]), .isParked(true), .after(.seconds(60), []),
            .reach(there: true, busy: false, []), .isParked(false), .after(.milliseconds(250), [.notify]),
            .event(.answered(200), []), .after(.seconds(2), []), .event(.fetched(2), [.store, .ready(.milliseconds(62_250))]),
            .after(.seconds(600), []),
        ]),
        ("a phone that never fetched is left alone", [.event(.session(7), [.store]), .after(.seconds(600), [])]),
        ("a call that begins in between parks it again", [
            .event(.fetched(1), [.store]), .event(.session(7), [.store]), .reach(there: true, busy: true, []), .after(.seconds(9), []),
            .isParked(true), .reach(there: true, busy: false, []), .after(.milliseconds(250), [.notify]),
        ]),
        ("no answer and no fetch: three tries, then the alarm", [
            .event(.fetched(1), [.store]), .event(.session(7), [.store]), .after(.milliseconds(250), [.notify]),
            .after(.seconds(30), [.notify]), .after(.seconds(30), [.notify]), .after(.seconds(30), [.alarm(deaf)]),
            .after(.seconds(600), []), .event(.fetched(2), [.store, .recovered, .ready(.milliseconds(690_250))]),
        ]),
        ("accepted and nothing fetched", [
            .event(.fetched(1), [.store]), .event(.session(0), []), .event(.session(7), [.store]),
            .after(.milliseconds(250), [.notify]), .event(.answered(200), []), .after(.seconds(30), [.notify]),
            .event(.answered(200), []), .after(.seconds(30), [.notify]), .event(.answered(200), []),
            .after(.seconds(30), [.alarm("it accepted the NOTIFY and fetched nothing")]),
        ]),
        ("481: asked again soon", [
            .event(.fetched(1), [.store]), .event(.session(7), [.store]), .after(.milliseconds(250), [.notify]),
            .event(.answered(481), []), .after(.seconds(5), [.notify]), .event(.answered(481), []), .after(.seconds(5), [.notify]),
            .event(.answered(481), []), .after(.seconds(5), [.alarm("it answered 481 to the NOTIFY")]),
        ]),
        ("off-line: an alarm, and told when it comes back", [
            .event(.fetched(1), [.store]), .reach(there: false, busy: false, []), .event(.session(7), [.store]),
            .after(.seconds(31), [.alarm(notThere)]), .reach(there: true, busy: false, []), .event(.registered, []),
            .after(.milliseconds(250), [.notify]), .event(.fetched(2), [.store, .recovered, .ready(.milliseconds(31_250))].filter { $0 != .recovered }),
        ]),
        ("trap 15: off-line, and idle again with its next fetch", [
            .event(.fetched(1), [.store]), .event(.session(7), [.store]), .after(.milliseconds(250), [.notify]),
            .event(.fetched(2), [.store, .ready(.milliseconds(250))]), .reach(there: false, busy: false, []),
            .event(.session(0), [.store]), .event(.fetched(3), [.store]), .after(.seconds(600), []),
        ]),
        ("a fetch of what was before counts for nothing", [
            .event(.fetched(1), [.store]), .event(.session(7), [.store]), .event(.fetched(1), []),
            .after(.milliseconds(250), [.notify]), .event(.fetched(2), [.store, .ready(.milliseconds(250))]),
        ]),
        ("another person before the phone has fetched", [
            .event(.fetched(1), [.store]), .event(.session(7), [.store]), .after(.milliseconds(250), [.notify]),
            .event(.session(8), [.store]), .event(.fetched(2), [.store]), .after(.milliseconds(250), [.notify]),
            .event(.fetched(3), [.store, .ready(.milliseconds(250))]),
        ]),
        ("the site file has changed", [
            .event(.fetched(1), [.store]), .event(.stale, [.store, .notify]), .event(.fetched(2), [.store]), .after(.seconds(600), []),
        ]),
    ]

    @Test(arguments: stories.indices)
    func story(_ index: Int) {
        let (name, steps) = Self.stories[index]
        var now = Instant(nanoseconds: 1_000_000_000)
        var reach = PhoneRefresh.Reach(isThere: true, isBusy: false)
        var machine = PhoneRefresh(session: 0, record: nil, now: now, timing: PhoneRefreshTiming())
        for (place, step) in steps.enumerated() {
            var actions: [PhoneRefresh.Action] = []
            let wanted: [PhoneRefresh.Action]
            switch step {
            case .event(let event, let expected):
                actions = machine.handle(event, now: now, reach: reach)
                wanted = expected
            case .after(let duration, let expected):
                let end = now + duration
                while let due = machine.nextDeadline, due <= end {
                    now = max(now, due)
                    actions += machine.handle(.tick, now: now, reach: reach)
                }
                now = end
                wanted = expected
            case .reach(let isThere, let isBusy, let expected):
                reach = PhoneRefresh.Reach(isThere: isThere, isBusy: isBusy)
                if machine.isParked { actions = machine.handle(.tick, now: now, reach: reach) }
                wanted = expected
            case .isParked(let expected):
                #expect(machine.isParked == expected, "\(name), step \(place)")
                continue
            }
            #expect(actions == wanted, "\(name), step \(place)")
        }
    }

    @Test func trap16PowerLossBetweenLoginAndFetchComesUpRight() {
        let now = Instant(nanoseconds: 1)
        let device = DeviceName("HD0001")!
        let free = PhoneRefresh.Reach(isThere: true, isBusy: false)
        // What was delivered is older than what is wanted; what is wanted was not even written.
        for record in [
            PhoneRecord(device: device, session: 7, revision: 4, delivered: 3),
            PhoneRecord(device: device, session: 0, revision: 3, delivered: 3),
        ] {
            var machine = PhoneRefresh(session: 7, record: record, now: now, timing: PhoneRefreshTiming())
            #expect(machine.revision == 4)
            #expect(machine.handle(.registered, now: now, reach: free) == [.notify])
            #expect(machine.handle(.fetched(4), now: now, reach: free) == [.store])
            #expect(machine.state == .settled)
        }
        let kept = PhoneRefresh(
            session: 7, record: PhoneRecord(device: device, session: 7, revision: 4, delivered: 4), now: now, timing: PhoneRefreshTiming())
        #expect(kept.state == .settled && kept.revision == 4)
    }
}

/// The whole edge: a phone that logs in by code is told by NOTIFY, on its own contact.
@Suite struct PhoneRefreshTests {
    private static let event = "check-sync;reboot=false"

    private static func branch(restoring: EdgeSnapshot? = nil) -> Branch {
        var branch = Branch(restoring: restoring)
        var configuration = Branch.configuration()
        configuration.phoneRefresh = PhoneRefreshRules(events: [DeviceName("HD0001")!: event, DeviceName("HD0002")!: event])
        branch.edge = EdgeProxy(configuration: configuration, seed: Array(repeating: 7, count: 32), restoring: restoring, now: branch.now)
        branch.run(.tick)
        branch.connectPBX()
        _ = branch.servePBX()
        return branch
    }

    private static func fetch(_ branch: inout Branch, _ name: String) {
        let device = DeviceName(name)!
        branch.run(.phoneFetched(device, branch.edge.desk(of: device)!.revision))
    }

    private static func notifies(_ branch: inout Branch, _ phone: Phone) -> [SIPRequest] {
        let all = branch.take(phone.flow).compactMap(\.request).filter {
            $0.method == .notify && $0.headers[.event]?.hasPrefix("check-sync") == true
        }
        // Repetitions over UDP count once.
        return all.enumerated().filter { item in !all[..<item.offset].contains(item.element) }.map(\.element)
    }

    @Test func loginAndLogoutTellTheExactContactOnce() throws {
        var branch = Self.branch()
        var phone = Phone(device: 1), other = Phone(device: 2)
        branch.register(&phone)
        branch.register(&other)
        Self.fetch(&branch, "HD0001")
        Self.fetch(&branch, "HD0002")
        #expect(branch.logIn(&phone, as: "100"))
        branch.advance(.seconds(1))
        let notify = try #require(Self.notifies(&branch, phone).first)
        #expect(notify.uri == phone.contact.uri)
        #expect(notify.headers[.event] == Self.event)
        #expect(notify.headers[.subscriptionState] == "active")
        #expect(notify.headers.to.tag == nil)
        branch.deliver(notify.response(200, toTag: "p"), phone.flow)
        #expect(branch.edge.status(now: branch.now).devices[0].phone == .notified)
        Self.fetch(&branch, "HD0001")
        #expect(branch.edge.status(now: branch.now).devices[0].phone == .current)
        #expect(branch.edge.status(now: branch.now).readyTimes["generic-sip"]?.count == 1)
        branch.advance(.seconds(300))
        #expect(Self.notifies(&branch, phone).isEmpty)
        #expect(Self.notifies(&branch, other).isEmpty)
        branch.run(.logout(DeviceName("HD0001")!))
        branch.advance(.seconds(1))
        #expect(Self.notifies(&branch, phone).count == 1)
    }

    @Test func nothingIsSentWhileTheLoginCallIsUp() {
        var branch = Self.branch()
        branch.promptsEnd = false
        var phone = Phone(device: 1)
        branch.register(&phone)
        Self.fetch(&branch, "HD0001")
        _ = branch.logIn(&phone, as: "100")
        #expect(branch.edge.status(now: branch.now).devices[0].session != nil)
        branch.advance(.seconds(3))
        #expect(Self.notifies(&branch, phone).isEmpty)
    }

    @Test func trap4ChallengedNotifyIsAnsweredWithTheDevicesSecretOnce() throws {
        var branch = Self.branch()
        var phone = Phone(device: 1)
        branch.register(&phone)
        Self.fetch(&branch, "HD0001")
        branch.logIn(&phone, as: "100")
        branch.advance(.seconds(1))
        let notify = try #require(Self.notifies(&branch, phone).first)
        var challenge = notify.response(401, toTag: "p")
        challenge.headers[.wwwAuthenticate] = "Digest realm=\"phone\", nonce=\"n1\", qop=\"auth\", algorithm=MD5"
        branch.deliver(challenge, phone.flow)
        let again = try #require(Self.notifies(&branch, phone).first)
        let credentials = try DigestCredentials(parsing: try #require(again.headers[.authorization]))
        #expect(credentials.username == "HD0001")
        #expect(again.headers.cseq.number == 2 && again.headers.callID == notify.headers.callID)
        #expect(again.headers.via[0].branch != notify.headers.via[0].branch)
        // A phone that challenges for ever is no loop.
        var second = again.response(401, toTag: "p")
        second.headers[.wwwAuthenticate] = "Digest realm=\"phone\", nonce=\"n2\", qop=\"auth\", algorithm=MD5"
        branch.deliver(second, phone.flow)
        #expect(Self.notifies(&branch, phone).isEmpty)
    }

    @Test func trap15RoamingReleasesTheFirstPhone() throws {
        var branch = Self.branch()
        var first = Phone(device: 1), second = Phone(device: 2)
        branch.register(&first)
        branch.register(&second)
        Self.fetch(&branch, "HD0001")
        Self.fetch(&branch, "HD0002")
        branch.logIn(&first, as: "100")
        branch.advance(.seconds(1))
        // What is answered is not sent again: the next one is about the logout.
        let login = try #require(Self.notifies(&branch, first).first)
        branch.deliver(login.response(200, toTag: "p"), first.flow)
        Self.fetch(&branch, "HD0001")
        branch.sent = []
        branch.logIn(&second, as: "100")
        branch.advance(.seconds(1))
        #expect(Self.notifies(&branch, first).count == 1)
        #expect(branch.edge.desk(of: DeviceName("HD0001")!)?.person == nil)
        #expect(branch.edge.desk(of: DeviceName("HD0002")!)?.person?.number.text == "100")
    }

    @Test func aPhoneThatNeverFetchesRaisesAnAlarm() {
        var branch = Self.branch()
        var phone = Phone(device: 1)
        branch.register(&phone)
        Self.fetch(&branch, "HD0001")
        branch.logIn(&phone, as: "100")
        branch.advance(.seconds(200))
        let alarms = branch.audit.filter { $0.kind == .degraded && $0.detail.contains("has not fetched") }
        #expect(alarms.count == 1 && alarms.first?.device == "HD0001" && alarms.first?.extension == "100")
        #expect(branch.edge.status(now: branch.now).devices[0].phone == .overdue)
    }

    @Test func trap17AfterARestartThePhoneIsTold() throws {
        var snapshot = EdgeSnapshot()
        let device = DeviceName("HD0001")!
        let session = Session(device: device, extension: ExtensionNumber("100")!, since: Instant(nanoseconds: 5), generation: 3)
        snapshot.sessions = [session]
        snapshot.phones = [PhoneRecord(device: device, session: 0, revision: 1, delivered: 1)]
        var branch = Self.branch(restoring: snapshot)
        #expect(branch.edge.desk(of: device)?.person?.number.text == "100")
        var phone = Phone(device: 1)
        branch.register(&phone)
        branch.advance(.seconds(1))
        #expect(Self.notifies(&branch, phone).count == 1)
    }

    @Test func oldSubscriptionsEndAtBothEnds() throws {
        var branch = Self.branch()
        var phone = Phone(device: 1)
        branch.register(&phone)
        branch.logIn(&phone, as: "100")
        _ = branch.servePBX()
        branch.sent = []
        var subscribe = phone.request(.subscribe, to: "sip:101@pbx.example", callID: "lamp-101")
        subscribe.headers[.event] = "dialog"
        subscribe.headers[.expires] = "600"
        let (asked, _) = branch.exchange(&phone, subscribe)
        let forwarded = try #require(branch.servePBX().first { $0.method == .subscribe })
        var ok = forwarded.response(200, toTag: "far")
        ok.headers.contact = .list([phone.address("sip:101@198.51.100.20:5061;transport=tls")])
        ok.headers[.expires] = "600"
        branch.deliver(ok, Branch.pbx)
        branch.sent = []
        branch.run(.logout(DeviceName("HD0001")!))
        let notify = try #require(branch.take(phone.flow).compactMap(\.request).first { $0.method == .notify })
        #expect(notify.headers[.subscriptionState] == "terminated;reason=noresource")
        #expect(notify.headers[.event] == "dialog" && notify.headers.callID.value == "lamp-101")
        #expect(notify.headers.to.tag == asked.headers.from.tag && notify.headers.from.tag == "far")
        let end = try #require(branch.servePBX().first { $0.method == .subscribe })
        #expect(end.headers[.expires] == "0" && end.headers.to.tag == "far")
        #expect(end.headers.cseq.number > forwarded.headers.cseq.number)
        // The phone's refresh finds nothing any more.
        var refresh = phone.request(.subscribe, to: "sip:101@pbx.example", callID: "lamp-101", toTag: "far")
        refresh.headers[.event] = "dialog"
        branch.deliver(refresh, phone.flow)
        #expect(branch.take(phone.flow).compactMap(\.response).last.map { [403, 481].contains($0.status) } == true)
    }

    @Test func aSiteFileThatChangesThePersonsKeysRenewsThePhone() {
        var branch = Self.branch()
        var phone = Phone(device: 1)
        branch.register(&phone)
        Self.fetch(&branch, "HD0001")
        branch.logIn(&phone, as: "100")
        branch.advance(.seconds(1))
        for notify in Self.notifies(&branch, phone) { branch.deliver(notify.response(200, toTag: "p"), phone.flow) }
        Self.fetch(&branch, "HD0001")
        branch.sent = []
        var configuration = Branch.configuration()
        configuration.phoneRefresh = PhoneRefreshRules(events: [DeviceName("HD0001")!: Self.event])
        branch.run(.reload(configuration))
        branch.advance(.seconds(1))
        #expect(Self.notifies(&branch, phone).isEmpty, "nothing about this phone has changed")
        configuration.extensions[0].blf = ["102"]
        branch.run(.reload(configuration))
        branch.advance(.seconds(1))
        #expect(Self.notifies(&branch, phone).count == 1)
    }
}
