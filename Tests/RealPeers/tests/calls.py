"""Calls through the trunk beyond hello and goodbye: keys, hold, the ways in which a call is not taken."""
import time
import unittest

from testbed import audio, capture, network, steps
from testbed.branch import Branch
from testbed.edge import captures_in
from testbed.interop import shows
from testbed.processes import Workspace, wait_until


class Calls:
    transport = 'udp'

    @classmethod
    def setUpClass(cls):
        cls.workspace = Workspace()
        cls.addClassCleanup(cls.workspace.close)
        cls.captured = cls.workspace.make_folder('captured')
        cls.branch = Branch(cls.workspace, cls.transport, capture=cls.captured, tls=cls.transport == 'tls')
        cls.branch.start((), ())
        cls.desk = cls.branch.device('HD0001', answer='manual')
        cls.far = cls.branch.phone('101', answer='manual')
        steps.login(cls.branch, patient=False)

    def setUp(self):
        self.branch.forget()

    def tearDown(self):
        self.assertTrue(wait_until(lambda: self.branch.edge.status()['calls'] == 0, 5), 'a call is left at the edge')

    def assert_at_pbx(self, method, from_user, stage='accepted'):
        self.assertIsNotNone(self.branch.pbx.wait_for(3, stage=stage, method=method, from_user=from_user),
                             f'the PBX saw no {method} from {from_user}')

    def call_out(self):
        self.desk.dial('101')
        self.assertIsNotNone(self.far.incoming())
        self.far.answer()
        self.assertTrue(self.desk.established() and self.far.established())

    def call_in(self):
        self.far.dial('100')
        self.assertIsNotNone(self.desk.incoming())
        self.desk.answer()
        self.assertTrue(self.desk.established() and self.far.established())

    def says_tone(self, name, after):
        """Whether the edge has passed that tone on. baresip records nothing any more once it was on hold."""
        heard = capture.voices(captures_in(self.captured)[0], network.EDGE, after)
        return any(audio.tone_share(samples, self.branch.tone_of(name)) > 0.7 for samples in heard)

    @shows('dtmf')
    def test_keys_are_heard_at_the_far_end(self):
        self.call_out()
        self.desk.press('147*#0')
        self.assertTrue(wait_until(lambda: self.far.digits_received() == '147*#0', 3), self.far.digits_received())
        self.far.press('25')
        self.assertTrue(wait_until(lambda: self.desk.digits_received() == '25', 3), self.desk.digits_received())
        self.desk.hang_up()
        self.assertIsNotNone(self.far.closed())

    @shows('hold', 're-invite')
    def test_hold_and_resume(self):
        for begin in (self.call_out, self.call_in):
            with self.subTest(begin.__name__):
                self.branch.forget()
                begin()
                for command in ('hold', 'resume'):
                    self.branch.pbx.mark()
                    self.desk.command(command)
                    self.assert_at_pbx('INVITE', '100')
                    self.assert_at_pbx('ACK', '100')
                resumed = time.time()
                for name in ('HD0001', '101'):
                    self.assertTrue(wait_until(lambda: self.says_tone(name, resumed), 8, 0.5), f'{name} is not heard again')
                self.far.hang_up()
                self.assertIsNotNone(self.desk.closed())

    @shows('cancel')
    def test_caller_gives_up(self):
        self.desk.dial('101')
        self.assertIsNotNone(self.far.incoming())
        self.desk.hang_up()
        self.assertIsNotNone(self.far.closed())
        self.assert_at_pbx('CANCEL', '100', stage='seen')

    @shows('cancel')
    def test_caller_at_the_pbx_gives_up(self):
        self.far.dial('100')
        self.assertIsNotNone(self.desk.incoming())
        self.far.hang_up()
        self.assertIsNotNone(self.desk.closed())

    @shows('busy')
    def test_called_declines(self):
        for caller, called, target in ((self.desk, self.far, '101'), (self.far, self.desk, '100')):
            with self.subTest(target):
                caller.mark()
                called.mark()
                caller.dial(target)
                self.assertIsNotNone(called.incoming())
                called.hang_up()
                self.assertIn('486', caller.closed() or '')

    @shows('not-there')
    def test_nobody_there(self):
        for target, status in (('102', '480'), ('555', '404')):
            with self.subTest(target):
                self.desk.dial(target)
                self.assertIn(status, self.desk.closed() or '')

    @shows('call-in')
    def test_called_desk_hangs_up(self):
        self.call_in()
        self.desk.hang_up()
        self.assertIsNotNone(self.far.closed())
        self.assert_at_pbx('BYE', '100')


class CallsOverUDP(Calls, unittest.TestCase):
    transport = 'udp'


class CallsOverTCP(Calls, unittest.TestCase):
    transport = 'tcp'


class CallsOverTLS(Calls, unittest.TestCase):
    transport = 'tls'
