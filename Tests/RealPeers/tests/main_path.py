"""The main scenario with real phones: baresip over UDP and TCP, linphone over UDP and TCP."""
import os
import re
import unittest

from testbed import capture, network, steps
from testbed.branch import Branch
from testbed.edge import PEOPLE, captures_in
from testbed.interop import shows
from testbed.pbx import PSAP, TRUNK
from testbed.processes import Workspace


class Story(unittest.TestCase):
    """Steps that build on each other, in the order of their names, in one branch."""
    transport = 'udp'
    kind = 'baresip'

    @classmethod
    def setUpClass(cls):
        cls.workspace = Workspace()
        cls.addClassCleanup(cls.workspace.close)
        cls.captured = cls.workspace.make_folder('captured')
        cls.branch = Branch(cls.workspace, cls.transport, capture=cls.captured)
        cls.branch.start(('101', PSAP), ('HD0001',), cls.kind)


class BaresipStory:
    @shows('registration')
    def test_01_registers(self):
        steps.registers(self.branch)

    def test_02_idle_call_is_refused_with_a_hint(self):
        steps.refused_when_idle(self.branch)

    @shows('emergency')
    def test_03_emergency_from_idle(self):
        for number in ('112', '911'):
            with self.subTest(number):
                steps.emergency(self.branch, number=number)
        steps.call_back(self.branch, TRUNK)

    @shows('login')
    def test_04_login(self):
        steps.login(self.branch)

    def test_05_status(self):
        steps.shows_session(self.branch)

    @shows('call-out')
    def test_06_call_out(self):
        steps.call_out(self.branch)

    @shows('call-in')
    def test_07_call_in(self):
        steps.call_in(self.branch)

    @shows('roaming')
    def test_08_roam(self):
        steps.roam(self.branch)
        steps.refused_when_idle(self.branch, 'HD0001')

    def test_09_call_at_the_new_desk(self):
        steps.call_in(self.branch, 'HD0002')
        steps.call_out(self.branch, 'HD0002')

    @shows('logout')
    def test_10_logout_by_code(self):
        steps.logout(self.branch, 'HD0002')
        steps.refused_when_idle(self.branch, 'HD0002')

    def test_11_pin_typed_into_the_prompt(self):
        steps.login(self.branch, patient=False)

    @shows('logout')
    def test_12_logout_by_key(self):
        steps.logout_by_key(self.branch)
        steps.refused_when_idle(self.branch)

    def test_13_login_that_asks_for_the_extension(self):
        self.branch.forget()
        phone = steps.dial_login(self.branch, 'HD0001', '100', '*77*')
        phone.rest(steps.seconds_of(steps.ENTER_EXTENSION) + 0.7)
        phone.press('100#')
        phone.rest(steps.seconds_of(steps.ENTER_PIN) + 0.7)
        phone.press('4711#')
        self.assertIsNotNone(phone.closed(20))
        steps.settle(self.branch)
        self.assertTrue(self.branch.edge.wait_extension('HD0001', '100', 3))
        for name in (steps.ENTER_EXTENSION, steps.ENTER_PIN, steps.LOGGED_IN):
            steps.expect_heard(phone, name)
        steps.logout(self.branch)

    def test_14_first_call_after_the_pin(self):
        seconds = steps.time_to_first_call(self.branch)
        print(f'\n  from the last digit to the first call the PBX accepted, {self.transport}: {seconds * 1000:.0f} ms')
        self.assertLess(seconds, 3)
        steps.settle(self.branch, 1)

    @shows('emergency', 'call-back')
    def test_15_emergency_when_logged_in(self):
        steps.emergency(self.branch, identity='100')
        steps.logout(self.branch, is_called_back=True)
        steps.call_back(self.branch, '100')

    def test_16_wrong_pins_lock(self):
        steps.wrong_pins(self.branch)
        steps.locked_out(self.branch)
        steps.locked_out(self.branch, 'HD0002', '103')

    @shows('emergency')
    def test_17_emergency_when_locked_out(self):
        steps.emergency(self.branch, 'HD0002')

    def test_18_nothing_gives_a_secret_away(self):
        self.branch.edge.stop()
        log = self.branch.edge.log()
        for _, pin in PEOPLE.values():
            self.assertIsNone(re.search(rf'(?<!\d){pin}(?!\d)', log), f'PIN {pin} stands in the log')
        for secret in ('demo-1', 'demo-HD', 'demo-branch'):
            self.assertNotIn(secret, log)
        for path in captures_in(self.captured):
            digits = capture.telephone_events(path)
            for _, pin in PEOPLE.values():
                self.assertNotIn(pin, digits, f'{pin} can be read in {os.path.basename(path)}')

    def test_19_capture_is_sound(self):
        paths = captures_in(self.captured)
        self.assertTrue(paths, 'the edge wrote no capture')
        for path in paths:
            self.assertEqual(capture.malformed(path), [])
            requests = capture.sip_requests(path)
            methods = {method for _, _, method, _ in requests}
            self.assertLessEqual({'REGISTER', 'INVITE', 'ACK', 'BYE'}, methods)
            at_pbx = {method for _, to, method, _ in requests if to == network.PBX}
            self.assertLessEqual({'REGISTER', 'INVITE', 'BYE'}, at_pbx, 'the side of the PBX is missing')
            self.assertGreater(capture.packets(path, 'rtp'), 100)


class BaresipOverUDP(BaresipStory, Story):
    transport = 'udp'


class BaresipOverTCP(BaresipStory, Story):
    transport = 'tcp'


class LinphoneStory:
    kind = 'linphone'

    @shows('registration')
    def test_01_registers(self):
        steps.registers(self.branch, kind='linphone')

    def test_02_idle_call_is_refused(self):
        steps.refused_when_idle(self.branch)

    @shows('emergency')
    def test_03_emergency_from_idle(self):
        steps.emergency(self.branch)

    @shows('login')
    def test_04_login(self):
        steps.login(self.branch)

    @shows('call-out')
    def test_05_call_out(self):
        steps.call_out(self.branch)

    @shows('call-in')
    def test_06_call_in(self):
        steps.call_in(self.branch)

    @shows('logout')
    def test_07_logout(self):
        steps.logout(self.branch)
        steps.refused_when_idle(self.branch)


class LinphoneOverUDP(LinphoneStory, Story):
    transport = 'udp'


class LinphoneOverTCP(LinphoneStory, Story):
    transport = 'tcp'
