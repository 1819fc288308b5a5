"""What people do with calls: transfer, forward, write, watch, and the PIN for calls outside."""
import unittest

from testbed import network, steps
from testbed.branch import Branch
from testbed.edge import PEOPLE
from testbed.interop import shows
from testbed.pbx import DOMAIN
from testbed.processes import Workspace, wait_until
from testbed.sip import SIPClient

#: 102 and 103 are the PBX's, and no extensions of the site: calls to them are calls outside.
SITE_PEOPLE = {number: PEOPLE[number] for number in ('100', '101')}


class Services(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.workspace = Workspace()
        cls.addClassCleanup(cls.workspace.close)
        cls.branch = Branch(cls.workspace)
        cls.branch.start((), ())
        cls.desk = cls.branch.device('HD0001', answer='manual')
        cls.bob, cls.carol = cls.branch.phone('101', answer='auto'), cls.branch.phone('102', answer='auto')
        steps.login(cls.branch, patient=False)

    def setUp(self):
        self.branch.forget()

    def tearDown(self):
        self.assertTrue(wait_until(lambda: self.branch.edge.status()['calls'] == 0, 8), 'a call is left at the edge')

    def dial(self, number, far):
        self.desk.dial(number)
        self.assertTrue(self.desk.established() and far.established())

    def forwarding_phone(self, number, password, target):
        """A phone at the PBX that sends each call on."""
        phone = SIPClient(number, password, DOMAIN, (network.PBX, 5060), network.address(35))
        self.addCleanup(phone.close)
        self.assertEqual(phone.register().status, 200)
        return phone

    @shows('blind-transfer')
    def test_blind_transfer(self):
        """The far end is sent to another number at the PBX; the desk is out of it then."""
        self.dial('101', self.bob)
        self.bob.mark()
        self.carol.mark()
        self.desk.command('transfer', f'sip:102@{network.EDGE}')
        refer = self.branch.pbx.wait_for(5, stage='accepted', method='REFER', from_user='100')
        self.assertIsNotNone(refer)
        self.assertTrue(self.carol.established(10), 'the one it was transferred to was not called')
        self.assertIsNotNone(self.branch.pbx.wait_for(5, stage='seen', method='INVITE', from_user='101', target='102'))
        self.desk.hang_up()
        self.bob.hang_up()

    @shows('forwarding')
    def test_call_forwarding_is_followed(self):
        """A 302 of the called, with an address of its own choice in it: the edge calls the number at the PBX."""
        forwarder = self.forwarding_phone('103', self.branch.pbx.users['103'], '102')
        self.desk.dial('103')
        invite = forwarder.wait_request('INVITE')
        forwarder.reply(invite, 302, 'Moved Temporarily', [('Contact', '<sip:102@203.0.113.9:5099>')])
        self.assertTrue(self.desk.established(10) and self.carol.established())
        self.assertIsNotNone(self.branch.pbx.wait_for(3, stage='accepted', method='INVITE', from_user='100', target='102'))
        self.desk.hang_up()
        self.assertIsNotNone(self.carol.closed())

    @shows('call-waiting', 'several-calls')
    def test_two_calls_at_once(self):
        """Call waiting: the second call rings while the first is up, and both are the desk's."""
        self.dial('101', self.bob)
        self.carol.dial('100')
        self.assertIsNotNone(self.desk.incoming())
        self.assertTrue(wait_until(lambda: self.branch.edge.status()['calls'] == 2, 5))
        self.desk.answer()
        self.assertTrue(self.carol.established())
        self.desk.command('hangup')
        self.desk.command('hangup')
        self.assertIsNotNone(self.carol.closed())
        self.assertIsNotNone(self.bob.closed())


class PINProtection(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.workspace = Workspace()
        cls.addClassCleanup(cls.workspace.close)
        cls.branch = Branch(cls.workspace, people=SITE_PEOPLE, pin_protected=('100',))
        cls.branch.start((), ())
        cls.desk = cls.branch.device('HD0001', answer='manual')
        cls.bob, cls.carol = cls.branch.phone('101', answer='auto'), cls.branch.phone('102', answer='auto')
        steps.login(cls.branch, patient=False)

    def setUp(self):
        self.branch.forget()

    def tearDown(self):
        self.assertTrue(wait_until(lambda: self.branch.edge.status()['calls'] == 0, 8), 'a call is left at the edge')

    @shows('pin-protection')
    def test_inside_is_not_asked(self):
        self.desk.dial('101')
        self.assertTrue(self.desk.established())
        self.desk.hang_up()

    @shows('pin-protection', 'early-media')
    def test_outside_asks_and_the_same_call_goes_on(self):
        self.desk.dial('102')
        self.assertIsNotNone(self.desk.event('CALL_PROGRESS', seconds=5))
        self.assertFalse(self.branch.calls_at_pbx(), 'the PBX heard of the call before the PIN')
        self.desk.press('4711#')
        self.assertTrue(self.desk.established(10), self.branch.edge.log()[-1500:])
        self.assertTrue(self.carol.established())
        self.desk.rest(1.5)
        self.desk.hang_up()
        self.assertIsNotNone(self.carol.closed())
        steps.expect_tone(self.carol, self.branch.tone_of('HD0001'))
        self.assertNotIn('4711', self.branch.edge.log())

    @shows('pin-protection')
    def test_the_wrong_pin_calls_nobody(self):
        self.desk.dial('102')
        self.assertIsNotNone(self.desk.event('CALL_PROGRESS', seconds=5))
        self.desk.press('9999#')
        self.desk.rest(2)
        self.desk.hang_up()
        self.assertFalse(self.branch.calls_at_pbx())
