"""Calls and a logout in the same instant, at the real process: whoever sat there at that instant pays, and nobody else."""
import random
import threading
import unittest

from testbed import network
from testbed.branch import Branch
from testbed.desk import Desk, log_in
from testbed.pbx import DOMAIN
from testbed.processes import Workspace
from testbed.sip import answer_challenge, offer, token

#: An offer in a codec the edge does not speak: it has nothing to say to it then.
UNSPOKEN = '18 101'
PEOPLE = ('100', '102')
ROUNDS = 20


class LogoutRace(unittest.TestCase):
    """101 is nowhere: its calls are let in by the PBX, challenged, billed, and end there."""

    @classmethod
    def setUpClass(cls):
        cls.workspace = Workspace()
        cls.addClassCleanup(cls.workspace.close)
        cls.branch = Branch(cls.workspace)
        cls.branch.start((), ())
        cls.edge = cls.branch.edge

    def setUp(self):
        self.branch.forget()

    def desk(self, transport):
        desk = Desk('HD0001', transport, network.address(18), domain=DOMAIN).sign_on()
        self.addCleanup(desk.close)
        return desk

    def calls(self, desk, target, count=1):
        return [desk.build('INVITE', f'sip:{target}@{DOMAIN}', call_id=token(12), headers=[('Content-Type', 'application/sdp')],
                           body=offer(desk.local, formats=UNSPOKEN)) for _ in range(count)]

    def proven(self, desk, requests):
        """The same with an answer to a challenge in each, so that the next bytes are all it takes."""
        for request in requests:
            challenge = desk.transact(request)
            self.assertEqual(challenge.status, 407)
            via, cseq = ('Via', request.get('Via').replace(request.branch, 'z9hG4bK' + token())), ('CSeq', '2 INVITE')
            request.headers = [via, cseq] + [(n, v) for n, v in request.headers if n not in ('Via', 'CSeq')]
            request.headers.append(('Proxy-Authorization', answer_challenge(
                challenge.get('Proxy-Authenticate'), 'INVITE', request.uri, desk.user, desk.password)))
        return requests

    def finish(self, desk, requests):
        """The final status of each."""
        statuses = []
        for request in requests:
            final = desk.wait(lambda m: m.is_response and m.call_id == request.call_id and m.cseq == request.cseq and m.status >= 200, 8)
            self.assertIsNotNone(final, self.edge.log()[-1500:])
            desk._acknowledge_failure(request, final)
            statuses.append(final.status)
        return statuses

    def judge(self):
        """Who was billed for what at the PBX, in name and by credentials."""
        billed = {r.call_id: {r.from_user, r.auth_user} for r in self.branch.pbx.requests('accepted', 'INVITE')}
        named = {(r.call_id, r.from_user) for r in self.branch.pbx.requests('seen', 'INVITE')}
        return billed, named

    def test_in_the_same_bytes(self):
        """By TCP in one segment, by UDP in datagrams back to back. What came before the logout is the person's, though the PBX asks
        for credentials when the person has left; what came after is nobody's."""
        random_order = random.Random(7)
        due, refused = {}, set()
        desks = {transport: self.desk(transport) for transport in ('udp', 'tcp')}
        for number in range(2 * ROUNDS):
            desk, person = desks[('udp', 'tcp')[number % 2]], PEOPLE[number // 2 % 2]
            desk.sign_on()
            log_in(self.edge, desk, person)
            calls, logout = self.calls(desk, '101', 3), self.calls(desk, '*77*5*')
            if desk.transport == 'udp':
                self.proven(desk, calls + logout)
            place = random_order.randrange(len(calls) + 1)
            burst = calls[:place] + logout + calls[place:]
            if desk.transport == 'tcp':
                desk.send_bytes(b''.join(request.encoded() for request in burst))
            else:
                for request in burst:
                    desk.send(request)
            statuses = self.finish(desk, calls)
            self.assertEqual(statuses, [480] * place + [403] * (len(calls) - place), (number, statuses))
            self.finish(desk, logout)
            self.assertIsNone(self.edge.extension_on('HD0001'))
            due |= {request.call_id: {person} for request in calls[:place]}
            refused |= {request.call_id for request in calls[place:]}
        billed, named = self.judge()
        self.assertEqual(billed, due)
        self.assertEqual(named, {(call, *person) for call, person in due.items()})
        self.assertGreater(len(refused), ROUNDS)

    def test_the_proof_is_the_call(self):
        """A call is asked for credentials while one person sits there, and proves itself when another does."""
        desk = self.desk('udp')
        log_in(self.edge, desk, '100')
        mine, nobodys = self.proven(desk, self.calls(desk, '101')), self.proven(desk, self.calls(desk, '101'))
        self.edge.ask('logout', device='HD0001')
        desk.send(nobodys[0])
        self.assertEqual(self.finish(desk, nobodys), [403])
        log_in(self.edge, desk, '102')
        desk.send(mine[0])
        self.assertEqual(self.finish(desk, mine), [480])
        billed, named = self.judge()
        self.assertEqual((billed, named), ({mine[0].call_id: {'102'}}, {(mine[0].call_id, '102')}))

    def test_from_elsewhere(self):
        """An administrator logs the desk out while it calls: each call is that person's or nobody's, and nobody's from then on."""
        desk = self.desk('tcp')
        due = {}
        for number in range(ROUNDS):
            person = PEOPLE[number % 2]
            log_in(self.edge, desk, person)
            calls, late = self.calls(desk, '101', 6), self.calls(desk, '101', 2)
            logout = threading.Timer(0.0005 * (number % 5), self.edge.ask, ('logout',), {'device': 'HD0001'})
            logout.start()
            for request in calls:
                desk.send(request)
            logout.join()
            for request in late:
                desk.send(request)
            statuses = self.finish(desk, calls + late)
            self.assertEqual(statuses, sorted(statuses, reverse=True), 'once out, out')
            self.assertEqual(statuses[-2:], [403, 403])
            due |= {request.call_id: {person} for request, status in zip(calls, statuses) if status == 480}
        billed, named = self.judge()
        self.assertEqual(billed, due)
        self.assertEqual(named, {(call, *person) for call, person in due.items()})
