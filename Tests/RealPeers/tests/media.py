"""SRTP, keys in all three forms and wideband prompts, with phones that have them."""
import math
import re
import socket
import time
import unittest

from testbed import audio, capture, network, steps
from testbed.branch import Branch
from testbed.desk import Desk, log_in
from testbed.edge import captures_in
from testbed.interop import shows
from testbed.pbx import DOMAIN
from testbed.processes import Workspace, wait_until
from testbed.rtp import Talker
from testbed.sip import offer

from .behaviours import far_end

TONES = {'1': (697, 1209), '2': (697, 1336), '3': (697, 1477), '4': (770, 1209), '5': (770, 1336), '6': (770, 1477),
         '7': (852, 1209), '8': (852, 1336), '9': (852, 1477), '*': (941, 1209), '0': (941, 1336), '#': (941, 1477)}


def sung(keys, before=0.0, press=0.12, gap=0.15, rate=audio.RATE):
    """Keys as tones, after so many seconds of silence."""
    samples = [0] * int(rate * before)
    for key in keys:
        low, high = TONES[key]
        samples += [int(7000 * (math.sin(2 * math.pi * low * i / rate) + math.sin(2 * math.pi * high * i / rate)))
                    for i in range(int(rate * press))] + [0] * int(rate * gap)
    return samples


class Media:
    rules = None
    desk_options = {}
    far_options = {}

    @classmethod
    def setUpClass(cls):
        cls.workspace = Workspace()
        cls.addClassCleanup(cls.workspace.close)
        cls.captured = cls.workspace.make_folder('captured')
        cls.branch = Branch(cls.workspace, 'udp', capture=cls.captured, srtp=cls.rules)
        cls.branch.start((), ())
        cls.desk = cls.branch.device('HD0001', answer='auto', **cls.desk_options)
        cls.far = cls.branch.phone('101', answer='auto', **cls.far_options)
        steps.login(cls.branch, patient=False)

    def setUp(self):
        self.branch.forget()

    def talk(self, seconds=3.0):
        """A call out: both tones are heard, whatever the wire bears."""
        self.desk.dial('101')
        self.assertTrue(self.desk.established() and self.far.established())
        self.desk.rest(seconds)
        self.far.rest(0.01)

    def end(self):
        self.desk.hang_up()
        self.assertIsNotNone(self.far.closed())
        self.assertTrue(wait_until(lambda: self.branch.edge.status()['calls'] == 0, 5))
        steps.settle(self.branch)

    def be_called(self):
        self.branch.forget()
        self.far.dial('100')
        self.assertTrue(self.far.established() and self.desk.established())
        self.desk.rest(2.5)
        self.end()
        self.assert_both_heard()

    def hold_and_resume(self, phone, user):
        """Offers with other directions; whoever makes them has what it wants only when its ACK is through."""
        for command in ('hold', 'resume'):
            self.branch.pbx.mark()
            phone.command(command)
            self.assertIsNotNone(self.branch.pbx.wait_for(3, stage='accepted', method='ACK', from_user=user), command)

    def assert_both_heard(self):
        steps.expect_tone(self.far, self.branch.tone_of('HD0001'))
        steps.expect_tone(self.desk, self.branch.tone_of('101'))

    def assert_no_keys_written(self):
        for path in captures_in(self.captured):
            with open(path, 'rb') as f:
                text = f.read()
            self.assertIn(b'a=crypto:', text)
            for line in text.split(b'a=crypto:')[1:]:
                value = line.split(b'\r\n')[0].split(b' ')[2]
                self.assertLessEqual(set(value), set(b'0'), value)
        self.assertNotIn('inline:', self.branch.edge.log())


class SecurePhone(Media, unittest.TestCase):
    """SRTP with the desk, none with the PBX."""
    rules = ('required', 'off')
    desk_options = {'encryption': 'srtp-mand'}

    @shows('srtp-phone', 'srtp-login')
    def test_each_leg_on_its_own_terms(self):
        wire = capture.Wire(self.workspace)
        began = time.time()
        self.talk()
        status = self.branch.edge.status()['inProgress'][0]
        self.end()
        self.assert_both_heard()
        self.assertTrue(all(leg['received'] > 50 and leg['lost'] == 0 for leg in (status['phone'], status['pbx'])), status)
        path = wire.stop()
        tone = self.branch.tone_of('HD0001')
        said, told = ([audio.tone_share(v, tone) for v in capture.voices(path, network.EDGE, began, end)] for end in ('src', 'dst'))
        self.assertGreater(max(said, default=0), 0.7, 'the edge does not say to the PBX what the desk says')
        self.assertLess(max(told, default=0), 0.2, 'the desk is heard on its own line')
        marks = {row[0] for row in capture.fields(path, ('ip.dsfield.dscp',), f'ip.src == {network.EDGE}')}
        self.assertEqual(marks, {'46'}, 'RTP and RTCP of the edge are marked EF')
        self.assert_no_keys_written()

    def test_keys_and_hold(self):
        self.talk(0.5)
        self.desk.press('159#')
        self.assertTrue(wait_until(lambda: self.far.digits_received() == '159#', 3), self.far.digits_received())
        self.hold_and_resume(self.desk, '100')
        self.desk.press('42')
        self.assertTrue(wait_until(lambda: self.far.digits_received().endswith('42'), 3), self.far.digits_received())
        self.end()

    @shows('srtp-refused')
    def test_a_desk_without_srtp_may_call_for_help_alone(self):
        """`required` at the phones: a login and a call without it are 488, a call for help is not."""
        plain, answer_point = self.branch.device('HD0002', answer='auto'), self.branch.psap
        plain.dial('*77*102*')
        self.assertIn('488', plain.closed() or '')
        plain.dial('112')
        self.assertTrue(plain.established() and answer_point.established())
        plain.hang_up()
        self.assertIsNotNone(answer_point.closed())


class SecureTrunk(Media, unittest.TestCase):
    """A plain desk, and a PBX that takes nothing but SRTP."""
    rules = ('accept', 'required')
    far_options = {'encryption': 'srtp-mand'}

    @shows('srtp-pbx')
    def test_calls_both_ways(self):
        wire = capture.Wire(self.workspace)
        began = time.time()
        self.talk()
        self.end()
        self.assert_both_heard()
        path = wire.stop()
        tone = self.branch.tone_of('101')
        said, told = ([audio.tone_share(v, tone) for v in capture.voices(path, network.EDGE, began, end)] for end in ('src', 'dst'))
        self.assertGreater(max(said, default=0), 0.7, 'the edge does not say to the desk what the far end says')
        self.assertLess(max(told, default=0), 0.2, 'the far end is heard on its own line')
        self.be_called()
        self.assert_no_keys_written()

    @shows('srtp-refused')
    def test_a_far_end_without_srtp_is_let_go(self):
        other = self.branch.phone('102', answer='auto')
        self.desk.dial('102')
        self.assertIsNotNone(self.desk.closed())
        self.assertIsNotNone(other.closed())
        self.assertTrue(wait_until(lambda: self.branch.edge.status()['calls'] == 0, 5))


class SecureBothSides(Media, unittest.TestCase):
    """No media without SRTP anywhere; a key of its own for each leg."""
    rules = ('required', 'required')
    desk_options = far_options = {'encryption': 'srtp-mand'}

    @shows('srtp-both', 'srtp-login')
    def test_calls_both_ways(self):
        self.talk(2.5)
        self.end()
        self.assert_both_heard()
        self.be_called()
        self.assert_no_keys_written()

    @shows('srtp-hold')
    def test_hold_and_resume_from_either_end(self):
        self.talk(0.5)
        for phone, other, user in ((self.desk, self.far, '100'), (self.far, self.desk, '101')):
            self.hold_and_resume(phone, user)
            for speaker, listener in ((self.desk, self.far), (self.far, self.desk)):
                speaker.press('7')
                self.assertTrue(wait_until(lambda: listener.digits_received().endswith('7'), 3), f'after the hold of {user}')
                listener.mark()
        self.end()

    @shows('srtp-transfer')
    def test_the_far_end_transfers_the_desk(self):
        carol = self.branch.phone('102', answer='auto', encryption='srtp-mand')
        self.talk(0.5)
        self.far.command('transfer', f'sip:102@{DOMAIN}')
        self.assertTrue(carol.established(10), self.branch.edge.log()[-1500:])
        carol.rest(2.5)
        carol.hang_up()
        self.assertTrue(wait_until(lambda: self.branch.edge.status()['calls'] == 0, 8), self.branch.edge.status()['inProgress'])
        steps.settle(self.branch)
        steps.expect_tone(carol, self.branch.tone_of('HD0001'))

    @shows('srtp-refused')
    def test_a_caller_at_the_pbx_without_srtp(self):
        dan = self.branch.phone('103', answer='auto')
        self.desk.mark()
        dan.dial('100')
        self.assertIn('488', dan.closed() or '')
        self.assertIsNone(self.desk.event('CALL_INCOMING', seconds=0.3))


class SecureLinphone(unittest.TestCase):
    """Another make of SRTP, with other suites and keys."""
    client = 'linphone'

    @shows('srtp-phone', 'srtp-login')
    def test_login_and_call(self):
        with Workspace() as workspace, Branch(workspace, srtp=('required', 'off')) as branch:
            branch.start(('101',), ())
            desk = branch.device('HD0001', 'linphone', encryption=True)
            steps.login(branch, patient=False)
            branch.forget()
            desk.dial('101')
            far = branch.phones['101']
            self.assertTrue(desk.established() and far.established(), branch.edge.log()[-1500:])
            far.rest(2.5)
            desk.hang_up()
            self.assertIsNotNone(far.closed())
            steps.settle(branch)
            steps.expect_tone(far, branch.tone_of('HD0001'))
            steps.expect_tone(desk, branch.tone_of('101'))


class OptionalOnBothSides(Media, unittest.TestCase):
    """The edge offers SRTP in RTP/AVP; who has it takes it."""
    rules = ('optional', 'optional')
    desk_options = {'encryption': 'srtp'}

    @shows('srtp-phone')
    def test_phones_with_and_without(self):
        self.talk()
        self.end()
        self.assert_both_heard()


class KeysByInfo(Media, unittest.TestCase):
    desk_options = {'keys': 'info'}

    def test_the_far_end_gets_events(self):
        """The login of setUpClass was typed by INFO already."""
        self.talk(0.5)
        self.desk.press('147*')
        self.assertTrue(wait_until(lambda: self.far.digits_received() == '147*', 4), self.far.digits_received())
        self.end()
        self.assertFalse(self.branch.pbx.requests(stage='seen', method='INFO'), 'an INFO reached the PBX')


class FarEndWithoutEvents(unittest.TestCase):
    """A far end whose only form of keys is tones, as behind an old gateway; the desk has RFC 4733."""

    @shows('dtmf-tones')
    def test_keys_change_their_form_both_ways(self):
        with Workspace() as workspace, Branch(workspace) as branch:
            branch.start((), ())
            with Desk('HD0001', local=network.address(17)) as typist:
                log_in(branch.edge, typist.sign_on())
            desk = branch.device('HD0001', answer='auto')
            far, ear = far_end(self, branch, '101', 36), self.socket(network.address(36))
            desk.dial('101')
            invite = far.wait_request('INVITE')
            self.assertIsNotNone(invite)
            lines = offer(far.local, ear.getsockname()[1], formats='8').split(b'\r\n')
            dialog = far.accept(invite, b'\r\n'.join(line for line in lines if b':101 ' not in line))
            self.assertIsNotNone(far.wait_request('ACK'))
            self.assertTrue(desk.established())
            with Talker(ear, b'') as talker:
                self.assertTrue(wait_until(lambda: talker.heard, 3), 'the far end hears nothing')
                desk.press('159#')
                said = lambda: audio.keys_in([audio.A_LAW[byte] for payload in talker.heard for byte in payload])
                self.assertTrue(wait_until(lambda: said() == '159#', 3, 0.2), said())
                talker.say(audio.a_law(sung('47*0', before=0.5) + [0] * audio.RATE),
                           (network.EDGE, int(re.search(rb'm=audio (\d+)', invite.body)[1])))
                self.assertTrue(wait_until(lambda: desk.digits_received() == '47*0', 5), desk.digits_received())
            self.assertEqual(far.hang_up(dialog), 200)

    def socket(self, address):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(s.close)
        s.bind((address, 0))
        return s


class LoginByTones(unittest.TestCase):
    def log_in_by_tones(self, codecs, rate=audio.RATE):
        with Workspace() as workspace, Branch(workspace, 'udp') as branch:
            branch.start((), ())
            source = audio.write(workspace.path('keys.wav'), sung('4711#', before=2.5, rate=rate) + [0] * rate * 20, rate)
            desk = branch.device('HD0001', source=source, codecs=codecs, rate=rate)
            desk.dial('*77*100*')
            self.assertTrue(desk.established())
            self.assertTrue(branch.edge.wait_extension('HD0001', '100', 12), branch.edge.log()[-1500:])
            self.assertIsNotNone(desk.closed(15))
            steps.settle(branch)
            steps.expect_heard(desk, steps.LOGGED_IN, wideband=rate != audio.RATE)

    @shows('dtmf-tones')
    def test_keys_as_tones_in_g711(self):
        self.log_in_by_tones('PCMU/8000/1')

    @shows('dtmf-tones')
    def test_keys_as_tones_in_g722(self):
        self.log_in_by_tones('G722/16000/1', 16_000)
