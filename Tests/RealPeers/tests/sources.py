"""Who is heard: sprayers, phones behind NAT and phones that get another address, on a LAN where each host has its own."""
import re
import time
import unittest

from testbed import audio, steps
from testbed.desk import Desk, log_in
from testbed.interop import shows
from testbed.lan import Behind, BranchOnLAN, Ear
from testbed.linphone import Linphone
from testbed.pbx import DOMAIN
from testbed.processes import Workspace, wait_until
from testbed.rtp import Sprayer, Talker
from testbed.sip import SIPClient, offer

PHONE, NEW, SPRAYER, OTHER, ROUTER = '10.78.0.11', '10.78.0.12', '10.78.0.66', '10.78.0.13', '10.78.0.5'
TONE, FAR_TONE = 700, 1100
PORTS = '20000-20099'


class OnLAN(unittest.TestCase):
    far_options = {}

    @classmethod
    def setUpClass(cls):
        cls.workspace = Workspace()
        cls.addClassCleanup(cls.workspace.close)
        cls.site = BranchOnLAN(cls.workspace, plain_phones=True, ports=PORTS).start()
        cls.lan, cls.edge = cls.site.lan, cls.site.edge
        cls.far = cls.site.far('101', **cls.far_options)
        cls.sprayer = cls.lan.host('sprayer', SPRAYER)
        cls.prepare()

    @classmethod
    def prepare(cls):
        """Phones of the branch."""

    def ear(self, host):
        ear = Ear(host)
        self.addCleanup(ear.close)
        return ear

    def socket(self, host, port=0):
        s = host.udp(port)
        self.addCleanup(s.close)
        return s

    def spray(self, host):
        """From now to the end of the test, or until it is closed."""
        sprayer = Sprayer(self.socket(host), self.site.EDGE).start()
        self.addCleanup(sprayer.close)
        return sprayer

    def sprayed(self, ear):
        return [p for p in ear.rtp() if Sprayer.WORDS in p[2]]

    def talk(self, phone, seconds=2.5):
        for each in (phone, self.far):
            each.mark()
            each.forget_recordings()
        phone.dial('101')
        self.assertTrue(phone.established() and self.far.established(), self.edge.log()[-2000:])
        phone.rest(seconds)

    def end(self, phone):
        phone.hang_up()
        self.assertIsNotNone(self.far.closed())
        self.assertTrue(wait_until(lambda: self.edge.status()['calls'] == 0, 5))
        time.sleep(0.3)     # phones close their recordings

    def assert_both_heard(self, phone):
        for who, tone in ((self.far, TONE), (phone, FAR_TONE)):
            self.assertGreater(audio.tone_share(who.heard(), tone), 0.7, f'{who.name} hears {tone} Hz')


class Sprayed(OnLAN):
    @classmethod
    def prepare(cls):
        cls.host = cls.lan.host('phone', PHONE)
        cls.phone = cls.site.phone(cls.host, '102', cls.site.pbx.users['102'], TONE)

    @shows('source-lock')
    def test_another_host(self):
        """It sprays before the call and through it: not one packet of it reaches either end."""
        far, near = self.ear(self.site.far_host), self.ear(self.host)
        sprayer = self.spray(self.sprayer)
        time.sleep(0.5)
        self.talk(self.phone)
        self.end(self.phone)
        self.assertGreater(sprayer.sequence, 100)
        self.assertEqual((len(self.sprayed(far)), len(self.sprayed(near))), (0, 0))
        self.assertGreater(len(far.rtp(self.site.EDGE)), 100)
        self.assert_both_heard(self.phone)

    @shows('source-lock')
    def test_another_port_of_the_very_host(self):
        """The best place a sprayer can have: the address is right, only the port is not."""
        far, near = self.ear(self.site.far_host), self.ear(self.host)
        self.spray(self.host)
        time.sleep(0.5)
        self.talk(self.phone)
        self.end(self.phone)
        first = next(i for i, p in enumerate(far.rtp(self.site.EDGE)) if Sprayer.WORDS not in p[2])
        self.assertLessEqual(first, 5, 'packets before the true source was known')
        self.assertEqual(len(self.sprayed(far)), first, 'nothing after')
        self.assertEqual(self.sprayed(near), [])
        self.assert_both_heard(self.phone)


class BehindNAT(OnLAN):
    """A phone whose SDP names an address that nobody can reach."""

    @classmethod
    def prepare(cls):
        cls.behind = Behind(cls.lan, 'home', ROUTER)
        cls.phone = cls.site.phone(cls.behind, '102', cls.site.pbx.users['102'], TONE)

    @shows('nat')
    def test_heard_both_ways_and_nobody_else_is(self):
        edge, far = self.ear(self.site.edge_host), self.ear(self.site.far_host)
        self.spray(self.sprayer)
        self.talk(self.phone)
        self.phone.press('159')
        self.assertTrue(wait_until(lambda: self.far.digits_received() == '159', 3), self.far.digits_received())
        self.end(self.phone)
        came = {source for source, port, _ in edge.rtp(ROUTER) if port % 2 == 0}
        self.assertEqual(len(came), 1, came)
        self.assertIn(next(iter(came))[1], range(Behind.PORTS[0], Behind.PORTS[1] + 1), 'the router has left the port as it was')
        self.assertEqual(self.sprayed(far), [])
        self.assert_both_heard(self.phone)


class LinphoneMoves(OnLAN):
    """linphone notices that its host has another address, registers from there and makes a new offer."""
    client = 'linphone'

    @shows('new-address', 'plain-flow', 're-invite')
    def test_another_address_in_a_call(self):
        host = self.lan.host('phone', PHONE)
        route = lambda: host.namespace.run('ip', 'route', 'add', 'default', 'via', self.site.EDGE)
        route()
        tone = audio.write_tone(self.workspace.path('tone.wav'), TONE)
        phone = Linphone(self.workspace, '102', self.site.pbx.users['102'], PHONE, f'{self.site.EDGE}:5060', DOMAIN, DOMAIN, source=tone, roams=True)
        with host.inside():
            phone.start()
        self.assertTrue(phone.registered())
        far, near = self.ear(self.site.far_host), self.ear(host)
        self.far.mark()
        phone.dial('101')
        self.assertTrue(phone.established() and self.far.established())
        flows = lambda: len(far.rtp(self.site.EDGE)) > 50 and len(near.rtp(self.site.EDGE)) > 50
        self.assertTrue(wait_until(flows, 5))
        self.site.pbx.mark()
        host.move(NEW)
        route()
        self.assertIsNotNone(self.site.pbx.wait_for(15, stage='accepted', method='INVITE', from_user='102'), 'it makes no new offer')
        far.forget()
        near.forget()
        self.assertTrue(wait_until(flows, 5), self.edge.status()['inProgress'])
        self.far.hang_up()
        self.assertIsNotNone(phone.closed(), 'the far end hangs up where the phone is now')


class AnotherAddress(OnLAN):
    """A phone gets another address in a call, and does one thing of what phones do then. It is scripted; its far end is baresip."""
    WORDS = b'the phone speaks'

    def setUp(self):
        self.host = self.lan.host(self._testMethodName, PHONE)
        self.addCleanup(self.host.unplug)
        self.ear_far = self.ear(self.site.far_host)

    def plain(self, host=None, user='102', registration=None):
        host = host or self.host
        with host.inside():
            phone = SIPClient(user, self.site.pbx.users[user], DOMAIN, (self.site.EDGE, 5060), host.address)
        self.addCleanup(phone.close)
        if registration:
            phone._registration, phone._registration_cseq = registration._registration, registration._registration_cseq
        self.assertEqual(phone.register().status, 200)
        return phone

    def desk(self):
        with self.host.inside():
            desk = Desk('HD0001', local=self.host.address, server=(self.site.EDGE, 5060), domain=self.site.EDGE).sign_on()
        self.addCleanup(desk.close)
        return desk

    def call(self, phone):
        """A call to 101; the dialog, and who talks."""
        talker = Talker(self.socket(self.host), self.WORDS)
        self.far.mark()
        response, dialog = phone.invite('101', body=offer(self.host.address, talker.socket.getsockname()[1]))
        self.assertEqual(response.status, 200)
        talker.target = (self.site.EDGE, int(re.search(rb'm=audio (\d+)', response.body)[1]))
        talker.start()
        self.addCleanup(talker.close)
        self.assert_talk(talker)
        return dialog, talker

    def moved(self, talker):
        """The host has another address, and its media go on from there."""
        talker.close()
        self.host.move(NEW)
        other = Talker(self.socket(self.host), b'now from another', talker.source, talker.sequence)
        other.target = talker.target
        self.addCleanup(other.close)
        return other.start()

    def said(self, talker):
        return sum(talker.words in p[2] for p in self.ear_far.rtp(self.site.EDGE))

    def assert_talk(self, talker):
        """Both ends hear each other from now on."""
        said, heard = self.said(talker), len(talker.heard)
        self.assertTrue(wait_until(lambda: self.said(talker) > said + 25, 3), f'the far end hears nothing: {self.edge.status()["inProgress"]}')
        self.assertTrue(wait_until(lambda: len(talker.heard) > heard + 25, 3), 'the phone hears nothing')

    def assert_mute(self, talker):
        time.sleep(1)
        self.assertEqual((self.said(talker), len(talker.heard)), (0, 0))

    def hang_up(self, phone, dialog):
        self.assertEqual(phone.hang_up(dialog), 200)
        self.assertIsNotNone(self.far.closed())

    @shows('new-address', client='scripted')
    def test_by_an_offer(self):
        phone = self.plain()
        dialog, talker = self.call(phone)
        after = self.moved(talker)
        phone = self.plain()
        self.assert_mute(after)     # its registration is a new one, as after a restart: not known to be the same phone's
        body = offer(NEW, after.socket.getsockname()[1])
        answer = phone.say(dialog, 'INVITE', headers=[('Content-Type', 'application/sdp')], body=body)
        self.assertEqual(answer.status, 200)
        phone.send(phone.in_dialog(dialog, 'ACK', cseq=dialog.cseq))
        self.assert_talk(after)
        self.hang_up(phone, dialog)

    @shows('new-address', 'plain-flow', client='scripted')
    def test_by_registration_alone(self):
        phone = self.plain()
        dialog, talker = self.call(phone)
        after = self.moved(talker)
        self.assert_mute(after)
        phone = self.plain(registration=phone)
        self.assert_talk(after)
        self.far.hang_up()
        self.assertIsNotNone(phone.wait_request('BYE'), 'the far end hangs up where the phone is now')

    @shows('new-address', client='scripted')
    def test_a_hot_desk_by_registration_alone(self):
        desk = self.desk()
        log_in(self.edge, desk)
        dialog, talker = self.call(desk)
        after = self.moved(talker)
        self.assert_mute(after)
        desk = self.desk()
        self.assert_talk(after)
        self.hang_up(desk, dialog)

    def thief(self, target):
        """Somebody on another host who talks to the edge's port of the call."""
        host = self.lan.host(f'{self._testMethodName}-thief', OTHER)
        self.addCleanup(host.unplug)
        thief = Talker(self.socket(host), b'not of this call', 8)
        self.addCleanup(thief.close)
        thief.target = target
        return host, thief.start()

    def test_another_phone_of_the_same_person_takes_nothing(self):
        """It has the right password and no part in the call."""
        phone = self.plain()
        dialog, talker = self.call(phone)
        host, thief = self.thief(talker.target)
        self.plain(host)
        self.assert_mute(thief)
        self.assert_talk(talker)
        self.hang_up(phone, dialog)

    def test_an_overheard_registration_takes_nothing(self):
        """The PBX takes the phone's credentials a second time, as long as their nonce is good; its media stay where they are."""
        phone = self.plain()
        overheard = phone.shown
        dialog, talker = self.call(phone)
        host, thief = self.thief(talker.target)
        with host.inside():
            forger = SIPClient('102', '', DOMAIN, (self.site.EDGE, 5060), OTHER)
        self.addCleanup(forger.close)
        headers = [('Expires', '60'), ('Authorization', overheard)]
        _, response = forger.request('REGISTER', f'sip:{DOMAIN}', authenticate=False, call_id=phone._registration, cseq=50,
                                     to=f'<sip:102@{DOMAIN}>', headers=headers)
        self.assertEqual(response.status, 200, 'else this shows nothing')
        self.assert_mute(thief)
        self.assert_talk(talker)
        self.hang_up(phone, dialog)
