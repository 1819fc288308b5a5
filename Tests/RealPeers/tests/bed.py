"""The test bed proves itself: what it judges by must be able to say no."""
import glob
import math
import os
import random
import re
import ssl
import subprocess
import sys
import threading
import unittest

from testbed import audio, network
from testbed.edge import ROOT
from testbed.interop import BEHAVIOURS
from testbed.pbx import DOMAIN, PSAP, DemoPBX
from testbed.pki import SitePKI
from testbed.processes import Workspace
from testbed.sip import SIPClient
from testbed.steps import recording
from testbed.wan import WAN, Direction, Line


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


class TheLine(unittest.TestCase):
    """What stands between branch and PBX, in times of the test's own."""

    def carried(self, line, packets, seed=1):
        """When each of `packets` (when it enters, bytes) leaves, in the order of leaving."""
        way, left = Direction(line, seed), []
        for number, (at, size) in enumerate(packets):
            left += [(at, packet) for packet in way.give(at)]
            way.take(bytes([0x45]) + bytes(8) + bytes([17]) + number.to_bytes(2, 'big') + bytes(size - 12), at)
        while way.next_due is not None:
            at = way.next_due
            left += [(at, packet) for packet in way.give(at)]
        return [(round(at, 6), int.from_bytes(packet[10:12], 'big')) for at, packet in left], way

    def test_delay_jitter_and_order(self):
        packets = [(n * 0.02, 200) for n in range(50)]
        self.assertEqual(self.carried(Line(delay=0.04), packets[:2])[0], [(0.04, 0), (0.06, 1)])
        kept, _ = self.carried(Line(delay=0.04, jitter=0.1), packets)
        self.assertEqual([number for _, number in kept], list(range(50)))
        mixed, _ = self.carried(Line(delay=0.04, jitter=0.1, reorders=True), packets)
        self.assertNotEqual([number for _, number in mixed], list(range(50)))
        self.assertEqual(sorted(number for _, number in mixed), list(range(50)))

    def test_loss_is_what_was_asked_for_and_comes_again_with_its_seed(self):
        packets = [(n * 0.001, 100) for n in range(10_000)]
        first, way = self.carried(Line(loss=0.05), packets)
        self.assertTrue(400 < way.lost < 600, way.lost)
        self.assertEqual(first, self.carried(Line(loss=0.05), packets)[0])
        self.assertNotEqual(first, self.carried(Line(loss=0.05), packets, seed=2)[0])

    def test_a_narrow_line_queues_and_then_drops(self):
        burst = [(0.0, 1000)] * 10
        left, way = self.carried(Line(rate=80_000, queue=0.35), burst)     # a packet takes 100 ms
        self.assertEqual([at for at, _ in left], [0.1, 0.2, 0.3, 0.4])
        self.assertEqual(way.lost, 6)

    def test_udp_blocked_and_cut(self):
        self.assertEqual(self.carried(Line(blocks_udp=True), [(0.0, 100)])[0], [])
        way = Direction(Line(delay=1), 1)
        way.take(b'E' + bytes(30), 0)
        way.is_cut = True
        self.assertEqual((way.give(2), way.lost), ([], 1))

    def test_two_namespaces_talk_over_it(self):
        with Workspace() as workspace, WAN(workspace, Line(delay=0.02)) as wan:
            server = workspace.start('echo', wan.pbx.enter(sys.executable, '-c', ECHO, WAN.PBX))
            self.assertTrue(server.said('ready'))
            ask = wan.branch.enter(sys.executable, '-c', ASK, WAN.PBX)
            self.assertGreaterEqual(float(subprocess.run(ask, capture_output=True, text=True, check=True).stdout), 0.04)
            wan.change(Line(blocks_udp=True))
            self.assertEqual(subprocess.run(ask, capture_output=True, text=True).returncode, 1)


ECHO = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind((sys.argv[1], 7000)); print('ready', flush=True)
while True: s.sendto(*s.recvfrom(2048))
"""
ASK = """
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(1); began = time.monotonic()
s.sendto(b'x', (sys.argv[1], 7000)); s.recv(10); print(time.monotonic() - began)
"""


class InteropPage(unittest.TestCase):
    """docs/interop.md is written by a run; what it must say is known without one."""

    def test_rows_are_the_known_behaviours(self):
        done = subprocess.run([sys.executable, os.path.join(ROOT, 'tools', 'interop.py'), '--check'], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_named_tests_in_virtual_time_exist(self):
        paths = glob.glob(os.path.join(ROOT, 'Tests', 'EdgeProxyTests', '**', '*.swift'), recursive=True)
        functions = set()
        for path in paths:
            with open(path) as file:
                functions.update(re.findall(r'func (\w+)\(', file.read()))
        named = {name for _, _, names in BEHAVIOURS for name in names.split()}
        self.assertEqual(named - functions, set())
