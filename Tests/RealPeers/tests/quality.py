"""How media fare, as the edge says it: judged by tshark and by the arithmetic of ITU-T G.107. Marks, dead media, epoll."""
import ctypes
import errno
import json
import os
import sys
import time
import unittest

from testbed import capture, network, refusing, steps
from testbed.baresip import Baresip
from testbed.branch import Branch
from testbed.lan import BranchOnLAN
from testbed.pbx import DOMAIN
from testbed.processes import Workspace, wait_until

PHONE = '10.78.0.11'
PORTS = '20000-20099'
TONE, FAR_TONE = 700, 1100


def opinion(loss):
    """G.107 with G.711 and its concealment, without delay worth a word: MOS for a share of packets that are lost."""
    r = 93.2 - 0.024 * 20 - 95 * loss * 100 / (loss * 100 + 25.1)
    return 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6


class Measured(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.workspace = Workspace()
        cls.addClassCleanup(cls.workspace.close)
        cls.site = BranchOnLAN(cls.workspace, plain_phones=True, ports=PORTS, dscp=(26, 34), silence='10s').start()
        cls.edge = cls.site.edge
        cls.far = cls.site.far('101')

    def phone(self, address):
        host = self.site.lan.host('phone', address)
        return host, self.site.phone(host, '102', self.site.pbx.users['102'], TONE)

    def call(self, phone):
        self.far.mark()
        phone.dial('101')
        self.assertTrue(phone.established() and self.far.established(), self.edge.log()[-2000:])

    def end(self, phone):
        phone.hang_up()
        self.assertIsNotNone(self.far.closed())
        time.sleep(0.3)

    def record(self):
        self.assertTrue(wait_until(lambda: self.edge.status()['calls'] == 0, 5))
        status, text = self.edge.command('calls', '--json', '--site', self.edge.site_path)
        self.assertEqual(status, 0, text)
        return json.loads(text)[0]

    def test_what_was_lost_and_how_it_sounded(self):
        """Of the phone's packets every tenth is lost on its way to the edge."""
        host, phone = self.phone(PHONE)
        own = host.namespace
        own.run('nft', 'add', 'table', 'ip', 'line')
        own.run('nft', 'add', 'chain', 'ip', 'line', 'out', '{ type filter hook output priority 0; }')
        own.run('nft', 'add', 'rule', 'ip', 'line', 'out', 'udp', 'dport', PORTS, 'numgen', 'inc', 'mod', '10', '==', '9', 'drop')
        with self.site.edge_host.inside():
            wire = capture.Wire(self.workspace, device='eth0', wanted='ip')
        self.call(phone)
        told = lambda leg: (leg or {}).get('roundTrip') is not None and leg.get('reportedMOS') is not None
        measured = lambda: [c for c in self.edge.status()['inProgress'] if told(c.get('phone')) and told(c.get('pbx'))]
        self.assertTrue(wait_until(measured, 20, 0.2), f'the phones have reported nothing: {self.edge.status()["inProgress"]}')
        self.end(phone)
        path, record = wire.stop(), self.record()
        with self.subTest('as tshark counts it'):
            for leg, source in (('phone', PHONE), ('pbx', self.site.FAR)):
                stream = max((s for s in capture.rtp_streams(path) if s.source == source), key=lambda s: s.packets)
                # What follows the BYE reaches the edge's port, and no call.
                self.assertAlmostEqual(record[leg]['received'], stream.packets, delta=5, msg=leg)
                self.assertAlmostEqual(record[leg]['lost'], stream.lost, delta=2, msg=leg)
                self.assertLessEqual(record[leg]['jitter'], stream.jitter + 0.5, leg)
        with self.subTest('as G.107 has it'):
            self.assertAlmostEqual(record['phone']['lossPercent'], 10, delta=1)
            self.assertAlmostEqual(record['phone']['mos'], opinion(record['phone']['lossPercent'] / 100), delta=0.06)
            self.assertAlmostEqual(record['pbx']['mos'], opinion(record['pbx']['lossPercent'] / 100), delta=0.06)
        with self.subTest('as the phones report it'):
            self.assertAlmostEqual(record['pbx']['reportedLossPercent'], 10, delta=3)
            self.assertEqual(record['phone']['reportedLossPercent'], 0)
            self.assertLess(max(record['phone']['roundTrip'], record['pbx']['roundTrip']), 50)
        with self.subTest('metrics, the list and the log'):
            metrics = self.edge.ask('metrics')['metrics']
            for leg in ('phone', 'pbx'):
                self.assertIn(f'edgeproxy_leg_mos_count{{leg="{leg}"}} 1\n', metrics)
                self.assertIn(f'edgeproxy_leg_round_trip_seconds_count{{leg="{leg}"}} 1\n', metrics)
            shown = f'{record["phone"]["mos"]}/{record["phone"]["reportedMOS"]}'
            self.assertIn(shown, self.edge.command('calls', '--site', self.edge.site_path)[1])
            self.assertIn(f'phone={shown},{record["phone"]["lossPercent"]}%', self.edge.log())
        with self.subTest('marks'):
            # ICMP of a phone that has hung up quotes what the edge has sent.
            sent = f'ip.src == {self.site.EDGE} && !icmp'
            marks = lambda what: {row[0] for row in capture.fields(path, ('ip.dsfield.dscp',), f'{sent} && ({what})')}
            self.assertEqual((marks('rtp'), marks('rtcp')), ({'34'}, {'34'}))
            self.assertEqual(marks('sip && udp'), {'26'}, 'to phones')
            self.assertEqual(marks('tcp.port == 5061 && tcp.len > 0'), {'26'}, 'to the PBX')

    def test_without_media_a_call_ends(self):
        """Nothing comes any more from either end, though both think they talk."""
        host, phone = self.phone('10.78.0.12')
        edge = self.site.edge_host.namespace
        self.call(phone)
        phone.rest(0.5)
        edge.run('nft', 'add', 'table', 'ip', 'dead')
        edge.run('nft', 'add', 'chain', 'ip', 'dead', 'in', '{ type filter hook input priority 0; }')
        edge.run('nft', 'add', 'rule', 'ip', 'dead', 'in', 'udp', 'dport', PORTS, 'drop')
        self.addCleanup(edge.run, 'nft', 'delete', 'table', 'ip', 'dead')
        began = time.monotonic()
        self.assertIsNotNone(phone.closed(20), 'the phone is not told')
        self.assertGreater(time.monotonic() - began, 9)
        self.assertIsNotNone(self.far.closed(2), 'the far end is not told')
        self.assertEqual(self.record()['reason'], 'no media')


class WithoutTheRing(unittest.TestCase):
    """A kernel that does not give io_uring, or not all of it: the edge says so, and calls are as good by epoll."""
    #: Numbers of system calls, the same on all machines of today.
    SETUP, REGISTER = 425, 427

    def start(self, workspace, number, error):
        branch = Branch(workspace, plain_phones=True)
        branch.edge.launcher = [sys.executable, refusing.__file__, str(number), str(error)]
        branch.start(('101',), ())
        self.assertEqual(branch.edge.status()['mediaWay'], 'epoll')
        self.assertIn('edgeproxy_media_way{way="epoll"} 1', branch.edge.ask('metrics')['metrics'])
        self.assertIn(f'packets go by epoll: the kernel does not give us io_uring ({os.strerror(error)})', branch.edge.log())
        return branch

    def test_the_kernel_would_give_it(self):
        """Else the others would show nothing."""
        version = tuple(int(part) for part in os.uname().release.split('.')[:2])
        if version < (6, 1) or ctypes.CDLL(None).syscall(self.SETUP, 1, ctypes.create_string_buffer(120)) < 0:
            self.skipTest('this kernel gives no io_uring')
        with Workspace() as workspace, Branch(workspace) as branch:
            branch.start((), ())
            self.assertEqual(branch.edge.status()['mediaWay'], 'io_uring')

    def test_calls_where_it_is_unknown(self):
        with Workspace() as workspace:
            branch = self.start(workspace, self.SETUP, errno.ENOSYS)
            far = branch.phones['101']
            plain = Baresip(workspace, '102', branch.pbx.users['102'], network.address(15), f'{network.EDGE}:5060', DOMAIN, 'udp',
                            'auto', TONE, name='plain').start()
            self.assertTrue(plain.registered())
            far.mark()
            plain.dial('101')
            self.assertTrue(plain.established() and far.established())
            plain.rest(2.5)
            plain.hang_up()
            self.assertIsNotNone(far.closed())
            steps.settle(branch)
            steps.expect_tone(far, TONE)
            steps.expect_tone(plain, FAR_TONE)

    def test_where_it_is_forbidden(self):
        with Workspace() as workspace:
            self.start(workspace, self.SETUP, errno.EPERM)

    def test_where_it_is_too_old_for_rings_of_buffers(self):
        with Workspace() as workspace:
            self.start(workspace, self.REGISTER, errno.EINVAL)
