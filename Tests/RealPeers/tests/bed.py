"""The test bed proves itself: what it judges by must be able to say no."""
import math
import os
import random
import ssl
import threading
import unittest

from testbed import audio, network
from testbed.pbx import DOMAIN, PSAP, DemoPBX
from testbed.pki import SitePKI
from testbed.processes import Workspace
from testbed.sip import SIPClient
from testbed.steps import recording


class Hearing(unittest.TestCase):
    def tone(self, hertz, seconds=2):
        return [8000 * math.sin(2 * math.pi * hertz * i / audio.RATE) for i in range(audio.RATE * seconds)]

    def test_tones(self):
        self.assertGreater(audio.tone_share(self.tone(700), 700), 0.95)
        self.assertLess(audio.tone_share(self.tone(700), 1100), 0.05)
        self.assertEqual(audio.tone_share([0] * 16000, 700), 0)

    def test_recordings(self):
        names = ('confbridge-pin', 'vm-incorrect', 'agent-loginok', 'agent-loggedoff', 'feature-not-avail-line')
        wavs = {name: audio.read(recording(name)) for name in names}
        noise = random.Random(1)
        heard = []
        for name in names[:3]:
            heard += [0] * 3000 + [0.6 * v + noise.randint(-60, 60) for v in wavs[name]]
        for name in names:
            self.assertEqual(audio.find_recording(heard, wavs[name]).found, name in names[:3], name)
        half = heard[:3000 + len(wavs[names[0]]) // 3]
        self.assertFalse(audio.find_recording(half, wavs[names[0]]).found, 'a third of a prompt is no prompt')


class JudgeOfThePBX(unittest.TestCase):
    """A TLS client stands where the edge will."""

    @classmethod
    def setUpClass(cls):
        cls.workspace = Workspace()
        cls.addClassCleanup(cls.workspace.close)
        cls.pki = SitePKI(cls.workspace.path('pki'))
        cls.pbx = DemoPBX(cls.workspace, cls.pki).start()

    def client(self, user, tls=False, password=None):
        context = ssl.create_default_context(cafile=self.pki.ca)
        port, transport, local = (5061, 'tls', network.EDGE) if tls else (5060, 'udp', network.address(31))
        client = SIPClient(user, password or self.pbx.users[user], DOMAIN, (network.PBX, port), local, transport,
                           context=context)
        self.addCleanup(client.close)
        return client

    def in_background(self, work):
        result = []
        thread = threading.Thread(target=lambda: result.append(work()))
        thread.start()

        def join():
            thread.join(15)
            return result[0]
        return join

    def test_call_over_the_registered_connection(self):
        edge, phone = self.client('100', tls=True), self.client('101')
        self.assertEqual([edge.register().status, phone.register().status], [200, 200])
        self.pbx.mark()
        answer = self.in_background(lambda: phone.invite('100'))
        call = edge.wait_request('INVITE')
        self.assertIn('sip:101@pbx.example', call.get('P-Asserted-Identity'))
        dialog = edge.accept(call)
        self.assertEqual(answer()[0].status, 200)
        self.assertIsNotNone(edge.wait_request('ACK'))
        done = self.in_background(lambda: edge.hang_up(dialog))
        phone.reply(phone.wait_request('BYE'), 200)
        self.assertEqual(done(), 200)
        self.assertEqual([(r.method, r.from_user) for r in self.pbx.requests()],
                         [('INVITE', '101'), ('ACK', '101'), ('BYE', '100')])

    def test_emergency_goes_to_the_answer_point(self):
        edge, psap = self.client('branch-01', tls=True), self.client(PSAP)
        self.assertEqual([edge.register().status, psap.register().status], [200, 200])
        answer = self.in_background(lambda: edge.invite('112'))
        call = psap.wait_request('INVITE')
        psap.reply(call, 486, 'Busy Here')
        self.assertEqual(answer()[0].status, 486)

    def test_others_are_refused(self):
        stranger = self.client('100', password='wrong')
        self.assertEqual(stranger.register().status, 401)
        self.assertEqual(stranger.invite('101')[0].status, 407)
        thief = self.client('100')
        thief.user, thief.auth_user = '102', '100'
        self.assertIn(thief.invite('101')[0].status, (403, 407))
        self.assertEqual(self.client('101').invite('sip:101@elsewhere.example')[0].status, 403)
        self.assertEqual(self.client('101').invite('555')[0].status, 404)

    def test_requests_can_be_written_down(self):
        self.client('101').register()
        self.assertTrue(os.path.getsize(self.pbx.write_judgement()))
