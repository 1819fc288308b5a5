"""The table of attacks against the real process, over UDP, TCP, TLS and TCP with one byte a segment, from an idle, a logged-in
and a locked-out device; judged at the PBX. What reached the PBX is then read by two parsers that are not ours."""
import os
import re
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

from testbed import capture, network, opinion
from testbed.attack import CARRIAGES, Attacker, table
from testbed.branch import Branch
from testbed.desk import Desk, log_in
from testbed.edge import captures_in
from testbed.pbx import DOMAIN, TRUNK, USERS
from testbed.processes import Workspace, wait_until
from testbed.sip import SIPClient, offer

STATES = ('idle', 'seated', 'locked')
#: Every state over every carriage; without it, byte by byte and over TLS in one state each.
FULL = bool(os.environ.get('ABUSE_FULL'))
QUICK = {(state, carriage) for state in STATES for carriage in ('udp', 'tcp')} | {('idle', 'split'), ('seated', 'tls')}
PEOPLE = {str(number): (f'Person {number}', '4711') for number in (100, 104, 105, 107, 106)}
LOST_IN_EMERGENCIES = (b'X-Bypass', b'Replaces', b'Require', b'Join', b'evil', b'Referred-By', b'Request-Disposition', b'Refer-To')


class Seat:
    """A device in a state, over a carriage, and what was answered to it."""

    def __init__(self, index, state, carriage):
        self.name, self.state, self.carriage = f'HD{index:04}', state, carriage
        self.local = network.address(100 + index)
        self.person = ('100', '104', '105', '107')[CARRIAGES.index(carriage)] if state == 'seated' else None
        self.statuses = {}

    def call_id(self, index):
        return f'abuse-{self.name}-{index}-x'

    def expected(self, row):
        wanted = row['seated' if self.state == 'seated' else 'idle']
        return wanted['what'], wanted['value']


class Abuse(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.workspace = Workspace()
        cls.addClassCleanup(cls.workspace.close)
        cls.table = table()
        pairs = [(state, carriage) for carriage in CARRIAGES for state in STATES
                 if FULL or (state, carriage) in QUICK]
        cls.seats = [Seat(index, *pair) for index, pair in enumerate(pairs, 1)]
        cls.captured = cls.workspace.make_folder('captured')
        users = USERS | {number: f'demo-{number}' for number in PEOPLE}
        cls.branch = Branch(
            cls.workspace, pbx_options={'users': users}, devices=tuple(seat.name for seat in cls.seats), people=PEOPLE,
            plain_phones=True, tls=True, log_level='debug', capture=cls.captured, outside_prefixes=('0', '9'))
        cls.branch.start((), ())
        with ThreadPoolExecutor(len(cls.seats)) as pool:
            for made in [pool.submit(cls.bring, seat) for seat in cls.seats]:
                made.result()
            cls.before = cls.branch.edge.log()
            for done in [pool.submit(cls.run_table, seat) for seat in cls.seats]:
                done.result()
        cls.make_calls()
        time.sleep(1)
        cls.seen = {}
        for request in cls.branch.pbx.requests('seen', everything=True):
            cls.seen.setdefault(request.call_id, []).append(request)
        cls.log = cls.branch.edge.log()[len(cls.before):]

    @classmethod
    def bring(cls, seat):
        """The device in its state."""
        desk = Desk(seat.name, local=seat.local, domain=DOMAIN)
        desk.sign_on()
        if seat.state == 'seated':
            log_in(cls.branch.edge, desk, seat.person, pin='4711')
        if seat.state == 'locked':
            _, dialog = desk.invite('*77*106*')
            for pin in ('0000#', '0001#', '0002#'):
                failures = cls.branch.edge.log().count(f'loginFailed device={seat.name}')
                desk.press_by_info(dialog, pin)
                wait_until(lambda: cls.branch.edge.log().count(f'loginFailed device={seat.name}') > failures
                           or f'lockedOut device={seat.name}' in cls.branch.edge.log(), 8, 0.1)
            if not desk.wait_end(12):
                desk.hang_up(dialog)
        desk.close()

    @classmethod
    def run_table(cls, seat):
        attacker = Attacker(seat.name, seat.carriage, seat.local, cls.branch.pki.ca)
        for index, row in enumerate(cls.table):
            what, value = seat.expected(row)
            is_unheard = what == 'silence' or what == 'unread' and seat.carriage != 'udp'
            for _ in range(10):
                seat.statuses[index] = attacker.attack(row, seat.call_id(index), 0.25 if is_unheard else 8)
                if what != 'forwarded' or seat.statuses[index] != 503:
                    break
                # All seats begin at once: what they need for their calls comes in a moment (RFC 3261 §21.5.4).
                time.sleep(0.5)
            if attacker.transport != 'udp' and what in ('silence', 'unread', 'answered'):
                attacker.reconnect()
        attacker.close()

    @classmethod
    def make_calls(cls):
        """Calls both ways with requests inside them, for the second opinion."""
        far = SIPClient('101', USERS['101'], DOMAIN, (network.PBX, 5060), network.address(31))
        desk = Desk('HD0002', local=network.address(14), domain=DOMAIN)
        for client in (far, desk):
            cls.addClassCleanup(client.close)
            client.register()
        with ThreadPoolExecutor(1) as pool:
            answered = pool.submit(lambda: far.accept(far.wait_request('INVITE')))
            _, dialog = desk.invite('101')
            answered.result()
            cls.talk(pool, desk, dialog, far)
            answered = pool.submit(lambda: desk.accept(desk.wait_request('INVITE')))
            _, dialog = far.invite('100')
            dialog, _ = answered.result(), desk.wait_request('ACK')
            cls.talk(pool, desk, dialog, far)

    @staticmethod
    def talk(pool, desk, dialog, far):
        """The desk says these inside the dialog, and the far end agrees."""
        for method in ('INFO', 'INVITE', 'BYE'):
            body = offer(desk.local) if method == 'INVITE' else b''
            headers = [('Content-Type', 'application/sdp')] if body else []
            agreed = pool.submit(lambda: far.reply(
                far.wait_request(method), 200, headers=headers, body=offer(far.local) if body else b''))
            response = desk.say(dialog, method, body=body, headers=headers)
            agreed.result()
            if response is None or response.status != 200:
                raise AssertionError(f'{method} inside a call: {response and response.start}')
            if method == 'INVITE':
                desk.send(desk.in_dialog(dialog, 'ACK', cseq=dialog.cseq))

    def cases(self, *kinds):
        """Every attack whose outcome is of these kinds, and what of it reached the PBX."""
        for seat in self.seats:
            for index, row in enumerate(self.table):
                what, value = seat.expected(row)
                if what in kinds:
                    yield seat, index, row, what, value, self.seen.get(seat.call_id(index), [])

    def assert_none(self, problems):
        """Problems are (seat, row, what was found)."""
        lines = [f'{seat.state}, {seat.carriage}: {row["name"][:80]}: {found}' for seat, row, found in problems]
        self.assertEqual(lines, [])

    def test_nothing_of_a_refused_request_reaches_the_pbx(self):
        self.assert_none([(seat, row, [f'{r.method} {r.target}' for r in seen])
                          for seat, _, row, _, _, seen in self.cases('refused', 'answered', 'unread', 'silence') if seen])

    def test_answers_are_those_of_the_table(self):
        problems = []
        for seat, index, row, what, value, _ in self.cases('refused', 'answered', 'unread', 'silence'):
            is_unheard = what == 'silence' or what == 'unread' and seat.carriage != 'udp'
            wanted = None if is_unheard else int(value)
            if seat.statuses[index] != wanted:
                problems.append((seat, row, f'{seat.statuses[index]}, not {wanted}'))
        self.assert_none(problems)

    def test_emergency_calls_reach_the_emergency_route_and_carry_nothing_else(self):
        problems = []
        for seat, _, row, _, number, seen in self.cases('emergency'):
            found = {(r.method, r.target, r.from_user) for r in seen if r.method != 'ACK'}
            if found != {('INVITE', number, seat.person or TRUNK)}:
                problems.append((seat, row, found))
        self.assert_none(problems)

    def test_what_is_forwarded_goes_out_under_the_session_alone(self):
        problems = []
        for seat, _, row, _, user, seen in self.cases('forwarded'):
            found = {(r.method, opinion.decoded(r.target), r.from_user) for r in seen if r.method != 'ACK'}
            if found != {(row['method'], opinion.decoded(user), seat.person)}:
                problems.append((seat, row, found))
        self.assert_none(problems)

    def test_one_audit_entry_for_each_refusal_and_emergency(self):
        for seat in self.seats:
            wanted = [seat.expected(row)[0] for row in self.table]
            for kind, what in (('refused', 'refused'), ('emergency', 'emergency')):
                with self.subTest(seat.name, kind=kind, state=seat.state, carriage=seat.carriage):
                    self.assertEqual(len(re.findall(rf'\b{kind} device={seat.name}\b', self.log)), wanted.count(what))

    def test_second_opinion_of_kamailio_and_tshark(self):
        """Zero mismatches between what the policy approved, what Kamailio read and what tshark read."""
        allowed = opinion.approved(self.branch.edge.log())
        for who, seen, with_tag in (('Kamailio', opinion.by_kamailio(self.branch.pbx), False),
                                    ('tshark', opinion.by_tshark(captures_in(self.captured)), True)):
            with self.subTest(who):
                print(f'\n  {who} read {len(seen)} requests of the edge: {opinion.counted(seen)}')
                self.assertGreater(len(seen), 100, f'{who} has read too little to judge')
                self.assertEqual(opinion.mismatches(seen, allowed, with_tag), [])
            inside = {s.method for s in seen if s.to_tag}
            self.assertLessEqual({'INFO', 'INVITE', 'BYE'}, inside, 'nothing inside a call was judged')
        with open(self.branch.pbx.log, errors='replace') as log:
            complaints = [line for line in log if re.search('(ERROR|CRITICAL|WARNING).*pars', line) and 'un_escape' not in line]
        self.assertEqual(complaints, [], 'Kamailio could not read something')

    def test_bytes_name_nobody_but_the_identity(self):
        for path in captures_in(self.captured):
            for source, method, user, payload in self.payloads(path):
                with self.subTest(method=method, user=user):
                    for word in [b'boss', b'203.0.113'] + [seat.local.encode() for seat in self.seats]:
                        self.assertNotIn(word, payload)
                    if method == 'INVITE' and user in ('112', '911'):
                        for word in LOST_IN_EMERGENCIES:
                            self.assertNotIn(word, payload)

    def payloads(self, path):
        names = ('ip.src', 'sip.Method', 'sip.r-uri.user', 'udp.payload')
        for row in capture.fields(path, names, f'sip.Method && ip.dst == {network.PBX}'):
            if len(row) == len(names):
                yield row[0], row[1], row[2], bytes.fromhex(row[3].replace(':', ''))

    def test_the_edge_serves_others_as_before(self):
        desk = Desk('HD0001', local=self.seats[0].local, domain=DOMAIN)
        self.addCleanup(desk.close)
        desk.sign_on()
        self.assertEqual(desk.try_call('101'), 403)
