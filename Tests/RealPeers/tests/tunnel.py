"""The tunnel with real parts: desk ~ edge ~ headend ~ PBX, audio both ways, headends that die, certificates that are void."""
import copy
import os
import time
import unittest

from testbed import audio, capture, network, steps
from testbed.authority import issue
from testbed.baresip import Baresip
from testbed.branch import Branch
from testbed.desk import Desk, log_in
from testbed.edge import Edge, SiteFile
from testbed.headend import ADDRESS, SECOND, Headend
from testbed.interop import shows
from testbed.pbx import DemoPBX
from testbed.pki import SitePKI
from testbed.processes import Workspace, wait_until
from testbed.wan import WAN, Line


def told(edge, text):
    return any(text in sentence for sentence in edge.status()['degraded'])


class Tunnel:
    """One site, one PBX, one or two headends."""
    headends = 1
    #: Nodes of the PBX, as the headend's file has them.
    pbx = (f'udp:{network.PBX}:5060',)

    @classmethod
    def setUpClass(cls):
        cls.workspace = Workspace()
        cls.addClassCleanup(cls.workspace.close)
        cls.pki = SitePKI(cls.workspace.path('pki'))
        first = Headend(cls.workspace, cls.pbx, pbx_ca=cls.pki.ca)
        cls.heads = [first] + [Headend(cls.workspace, cls.pbx, SECOND, 'headend2', like=first, ports='31000-31999')
                               for _ in range(cls.headends - 1)]
        for head in cls.heads:
            head.start()
        cls.files = cls.site_files(first)
        names = [f'{head.address}:5090' for head in cls.heads]
        cls.branch = Branch(cls.workspace, pki=cls.pki, tunnel=(names, cls.files), log_level='debug')
        cls.edge = cls.branch.edge
        cls.branch.pbx.trunk_transport = cls.pbx[0].split(':')[0]
        cls.prepare()
        cls.branch.start(('101',), ('HD0001',))
        steps.login(cls.branch, patient=False)

    @classmethod
    def site_files(cls, head):
        return head.enrol(cls.workspace.path('site-pki'))

    @classmethod
    def prepare(cls):
        """Before PBX, edge and phones start."""

    def setUp(self):
        self.branch.forget()

    def call(self):
        desk, far = self.branch.devices['HD0001'], self.branch.phones['101']
        desk.dial('101')
        self.assertTrue(desk.established(5) and far.established(5), self.edge.log()[-3000:])
        return desk, far

    def assert_both_heard(self, desk, far):
        steps.expect_tone(far, self.branch.tone_of('HD0001'))
        steps.expect_tone(desk, self.branch.tone_of('101'))


class OneHeadend(Tunnel, unittest.TestCase):
    def test_calls_both_ways_with_audio(self):
        steps.call_out(self.branch)
        self.branch.forget()
        steps.call_in(self.branch)

    def test_media_goes_by_datagrams_and_status_says_so(self):
        desk, far = self.call()
        self.assertTrue(wait_until(lambda: (self.heads[0].site() or {}).get('lane') == 'datagram', 5))
        self.assertTrue(wait_until(lambda: [c.get('lane') for c in self.edge.status()['inProgress']] == ['datagram'], 5),
                        self.edge.status()['inProgress'])
        metrics = self.edge.ask('metrics')['metrics'].splitlines()
        self.assertIn('edgeproxy_calls_by_lane{lane="datagram"} 1', metrics)
        self.assertIn('edgeproxy_calls_by_lane{lane="stream"} 0', metrics)
        desk.hang_up()
        self.assertIsNotNone(far.closed())

    @shows('local-media', pbx='Kamailio by a headend')
    def test_a_call_between_two_desks_stays_in_the_branch(self):
        """It goes to the PBX and comes back; its media do not enter the tunnel."""
        with Desk('HD0002', local=network.address(17)) as typist:
            log_in(self.edge, typist.sign_on(), '102')
        first, second = self.branch.devices['HD0001'], self.branch.device('HD0002')
        self.branch.forget()
        wire = capture.Wire(self.workspace, wanted=f'host {ADDRESS} and port 5090')
        first.dial('102')
        self.assertTrue(first.established() and second.established(), self.edge.log()[-3000:])
        self.assertEqual(self.edge.status()['calls'], 2)
        time.sleep(2.5)
        first.hang_up()
        self.assertIsNotNone(second.closed())
        steps.settle(self.branch)
        steps.expect_tone(first, self.branch.tone_of('HD0002'))
        steps.expect_tone(second, self.branch.tone_of('HD0001'))
        # Counted in bytes: a probe of the lanes is small, and packets of several calls leave joined.
        self.assertLess(capture.size(wire.stop()), 40_000, 'the media would be 500 packets of 200 bytes and more')

    def test_status_names_the_way_behind_the_headend(self):
        self.assertEqual([n['name'].split(' by ')[0] for n in self.edge.status()['nodes']], [f'udp:{network.PBX}:5060'])

    def test_revoked_at_once_and_back_with_a_new_token(self):
        head = self.heads[0]
        head.run('headend', 'revoke-site', 'branch-01', '--config', head.path)
        self.assertTrue(wait_until(lambda: head.site() is None, 3))
        self.assertTrue(wait_until(lambda: told(self.edge, 'revoked'), 5), self.edge.status()['degraded'])
        self.assertFalse(any(node['up'] for node in self.edge.status()['nodes']))
        time.sleep(2)       # certificates count in seconds
        head.enrol(os.path.dirname(self.files[0]))
        self.assertTrue(wait_until(lambda: any(node['up'] for node in self.edge.status()['nodes']), 40))
        steps.call_out(self.branch)

    def test_token_serves_once(self):
        head = self.heads[0]
        token = head.run('headend', 'add-site', 'branch-09', '--config', head.path)
        enroll = ('enroll', f'{head.address}:5090', token, '--pki', self.workspace.path('other-pki'))
        self.assertEqual(head.run(*enroll, check=False)[0], 0)
        status, said = head.run(*enroll, check=False)
        self.assertEqual(status, 1, said)
        self.assertIn('token', said)
        status, said = head.run('enroll', f'{head.address}:5090', '0' * 32, '--pki', self.workspace.path('other-pki'), check=False)
        self.assertEqual(status, 1, said)


class ByTLS(Tunnel, unittest.TestCase):
    pbx = (f'tls:{network.PBX}:5061',)

    def test_calls_both_ways_with_audio(self):
        steps.call_out(self.branch)
        self.branch.forget()
        steps.call_in(self.branch)
        transports = {r.transport for r in self.branch.pbx.requests(from_user='100', everything=True)}
        self.assertEqual(transports, {'tls'}, 'nothing goes to the PBX in clear')


class TwoNodesByTCP(Tunnel, unittest.TestCase):
    pbx = (f'tcp:{network.PBX}:5060', f'tcp:{network.SECOND_PBX}:5060')

    @classmethod
    def prepare(cls):
        cls.second = DemoPBX(cls.workspace, cls.pki, address=network.SECOND_PBX, name='second-pbx').start()
        cls.second.trunk_transport = 'tcp'

    def up(self):
        return [node['up'] for node in self.edge.status()['nodes']]

    def test_the_second_node_carries_on_and_the_first_comes_back(self):
        self.assertTrue(wait_until(lambda: self.up() == [True, True], 10), self.edge.status()['nodes'])
        steps.call_out(self.branch)
        self.branch.forget()
        steps.call_in(self.branch)
        self.assertFalse(self.second.has_registered('100'))
        self.branch.pbx.kill()
        self.assertTrue(self.second.wait_registered('100', seconds=10), self.edge.log()[-3000:])
        self.branch.devices['HD0001'].dial('102')
        self.assertIsNotNone(self.second.wait_for(5, method='INVITE', target='102', from_user='100'))
        self.branch.devices['HD0001'].hang_up()
        self.branch.pbx.mark()
        self.branch.pbx.start()
        self.assertTrue(wait_until(lambda: all(self.up()), 30), self.edge.status()['nodes'])
        self.assertIsNotNone(self.branch.pbx.wait_for(10, method='REGISTER', from_user='100'))


class TwoNodesByUDP(Tunnel, unittest.TestCase):
    """Of a node's end no connection tells: it is asked every ten seconds, so this takes as long as the kernel is silent."""
    pbx = (f'udp:{network.PBX}:5060', f'udp:{network.SECOND_PBX}:5060')

    @classmethod
    def prepare(cls):
        cls.second = DemoPBX(cls.workspace, cls.pki, address=network.SECOND_PBX, name='second-pbx').start()
        cls.second.trunk_transport = 'udp'

    def up(self):
        return [node['up'] for node in self.edge.status()['nodes']]

    def metrics(self):
        lines = self.edge.ask('metrics')['metrics'].splitlines()
        return [int(line.split()[-1]) for line in lines if line.startswith('edgeproxy_pbx_node_up{')]

    def assert_called_at(self, pbx, other):
        pbx.mark()
        other.mark()
        desk = self.branch.devices['HD0001']
        desk.dial('102')
        self.assertIsNotNone(pbx.wait_for(5, method='INVITE', target='102', from_user='100'), self.edge.log()[-3000:])
        desk.hang_up()
        self.assertEqual(other.requests(method='INVITE'), [])

    def test_the_first_dies_and_comes_back(self):
        first = self.branch.pbx
        self.assertTrue(wait_until(lambda: self.up() == [True, True], 10), self.edge.status()['nodes'])
        self.assertIsNotNone(first.wait_for(15, stage='seen', method='OPTIONS'), 'the first node is asked')
        self.assert_called_at(first, self.second)
        first.kill()
        self.assertTrue(wait_until(lambda: self.up() == [False, True], 45), self.edge.status()['nodes'])
        self.assertEqual(self.metrics(), [0, 1])
        self.assertIn('PBX node 1 answers nothing', self.edge.log())
        self.assertTrue(self.second.wait_registered('100', seconds=10), self.edge.log()[-3000:])
        self.assert_called_at(self.second, first)
        first.mark()
        first.start()
        self.assertTrue(wait_until(lambda: self.up() == [True, True], 30), self.edge.status()['nodes'])
        self.assertEqual(self.metrics(), [1, 1])
        self.assertIsNotNone(first.wait_for(10, method='REGISTER', from_user='100'), self.edge.log()[-3000:])
        self.assert_called_at(first, self.second)


class TwoSites(Tunnel, unittest.TestCase):
    """Two branches at one headend."""
    SECOND_EDGE = network.address(15)

    @classmethod
    def prepare(cls):
        files = cls.heads[0].enrol(cls.workspace.path('second-pki'), 'branch-02')
        site = SiteFile(cls.workspace.path('second-site'), cls.pki, address=cls.SECOND_EDGE, name='branch-02', devices=('HD0002',),
                        ports='26000-26999', tunnel=([f'{ADDRESS}:5090'], files), log_level='debug')
        cls.other = copy.copy(cls.branch)
        cls.other.site, cls.other.devices, cls.other.phones = site, {}, {}
        cls.other.edge = Edge(cls.workspace, site.write(), site.control, name='second-edge')

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.other.edge.start()
        desk = Baresip(cls.workspace, 'HD0002', 'demo-HD0002', network.address(12), f'{cls.SECOND_EDGE}:5060', cls.SECOND_EDGE, 'udp', 'auto', 850)
        cls.other.devices['HD0002'] = desk.start()
        assert desk.registered()
        steps.login(cls.other, 'HD0002', '102', patient=False)

    def test_each_is_called_by_its_own_way(self):
        mine, theirs = self.branch.devices['HD0001'], self.other.devices['HD0002']
        self.branch.forget()
        self.other.forget()
        mine.dial('102')
        self.assertTrue(mine.established(8) and theirs.established(3), self.other.edge.log()[-3000:])
        self.assertEqual([self.heads[0].site(name)['calls'] for name in ('branch-01', 'branch-02')], [1, 1])
        time.sleep(2.5)
        mine.hang_up()
        self.assertIsNotNone(theirs.closed())
        steps.settle(self.branch)
        steps.expect_tone(mine, self.branch.tone_of('HD0002'))
        steps.expect_tone(theirs, self.branch.tone_of('HD0001'))
        ports = {user: {r.port for r in self.branch.pbx.requests(method='REGISTER', from_user=user, everything=True)} for user in ('100', '102')}
        self.assertTrue(ports['100'] and ports['102'] and ports['100'].isdisjoint(ports['102']), ports)

    def test_one_that_is_sent_away_takes_nobody_along(self):
        desk, far = self.call()
        head = self.heads[0]
        head.run('headend', 'revoke-site', 'branch-02', '--config', head.path)
        self.assertTrue(wait_until(lambda: head.site('branch-02') is None, 3))
        self.assertTrue(wait_until(lambda: told(self.other.edge, 'revoked'), 5), self.other.edge.status()['degraded'])
        time.sleep(2)
        desk.hang_up()
        self.assertIsNotNone(far.closed())
        self.assert_both_heard(desk, far)
        self.assertEqual(self.edge.status()['degraded'], [])


class Renewal(Tunnel, unittest.TestCase):
    """A certificate of 45 s, renewed when a third of it is left, in a call."""
    life, age = 45, 12

    @classmethod
    def site_files(cls, head):
        cls.issued = time.monotonic()
        folder = cls.workspace.path('site-pki')
        return (f'{head.pki}/ca.pem', *issue(head.pki, folder, 'branch-01', begins=-cls.age, ends=cls.life - cls.age))

    def test_renewed_in_a_call_that_goes_on(self):
        desk, far = self.call()
        head = self.heads[0]
        self.assertTrue(wait_until(lambda: 'has a new certificate' in head.log(), self.life), self.edge.log()[-3000:])
        self.assertTrue(self.edge.wait_log('the site has a new certificate', seconds=3))
        time.sleep(2)
        self.assertTrue(self.edge.status()['inProgress'], 'the call goes on')
        self.assertEqual(head.log().count('branch-01: the tunnel is up'), 1, 'on the same connection')
        desk.hang_up()
        self.assertIsNotNone(far.closed())
        self.assert_both_heard(desk, far)
        self.assertEqual(self.edge.status()['degraded'], [])
        # The former one has ended: the next connection stands on the new one alone.
        time.sleep(max(0.0, self.issued + self.life - self.age + 1 - time.monotonic()))
        head.kill()
        head.start()
        self.assertTrue(wait_until(lambda: (head.site() or {}).get('certificateEnds', 0) > time.time() + 80 * 86400, 20), head.log()[-2000:])
        self.assertTrue(wait_until(lambda: all(node['up'] for node in self.edge.status()['nodes']), 10))
        steps.call_out(self.branch)


class TwoHeadends(Tunnel, unittest.TestCase):
    headends = 2

    def test_headend_dies_in_a_call_and_the_call_goes_on(self):
        self.assertTrue(wait_until(lambda: sorted(h['state'] for h in self.edge.status()['headends']) == ['active', 'standby'], 10))
        desk, far = self.call()
        self.assertTrue(wait_until(lambda: self.edge.status()['inProgress'][0].get('answered'), 3))
        active = next(h['name'] for h in self.edge.status()['headends'] if h['state'] == 'active')
        dying = next(head for head in self.heads if f'{head.address}:5090' == active)
        killed = time.monotonic()
        dying.kill()

        def moved():
            return any(h['state'] == 'active' and h['name'] != active for h in self.edge.status()['headends'])
        self.assertTrue(wait_until(moved, 5), self.edge.log()[-3000:])
        self.assertLess(time.monotonic() - killed, 2.5)
        # baresip writes no recording any more after a re-INVITE: packets are counted instead, at the edge and by the headend left.
        survivor = next(head for head in self.heads if head is not dying)
        time.sleep(1)
        before = self.packets()
        self.assertTrue(wait_until(lambda: min(n - b for n, b in zip(self.packets(), before)) > 75, 5), (before, self.packets()))
        self.assertEqual(survivor.site()['calls'], 1)
        desk.hang_up()
        self.assertIsNotNone(far.closed())
        self.assertTrue(wait_until(lambda: survivor.site()['calls'] == 0, 5))

    def packets(self):
        """RTP packets that came from the desk, and from the PBX."""
        call = self.edge.status()['inProgress'][0]
        return call['phone']['received'], call['pbx']['received']


class OnALine(unittest.TestCase):
    """Branch and PBX in namespaces of their own; nothing but the tunnel leads from one to the other."""
    line = Line(delay=0.04, jitter=0.02, loss=0.01)
    mtu = None

    @classmethod
    def setUpClass(cls):
        cls.workspace = Workspace()
        cls.addClassCleanup(cls.workspace.close)
        cls.wan = WAN(cls.workspace, cls.line, mtu=1500 if cls.mtu is None else 576)
        cls.wan.__enter__()
        cls.addClassCleanup(cls.wan.__exit__)
        with cls.wan.pbx.inside():
            cls.head = Headend(cls.workspace, address=WAN.PBX, pbx_address=network.address(25), mtu=cls.mtu or 1400).start()
        with cls.wan.branch.inside():
            files = cls.head.enrol(cls.workspace.path('site-pki'))
        cls.branch = Branch(cls.workspace, tunnel=([f'{WAN.PBX}:5090'], files), log_level='debug', mtu=cls.mtu)
        cls.edge = cls.branch.edge
        cls.branch.pbx.trunk_transport = 'udp'
        with cls.wan.pbx.inside():
            cls.branch.pbx.start()
            cls.far = cls.branch.phone('101')
        with cls.wan.branch.inside():
            cls.edge.start()
            cls.desk = cls.branch.device('HD0001')
            steps.login(cls.branch, patient=False)

    def setUp(self):
        self.wan.change(self.line)
        self.branch.forget()
        self.desk.dial('101')
        self.assertTrue(self.desk.established(8) and self.far.established(8), self.edge.log()[-3000:])

    def tearDown(self):
        self.wan.change(self.line)
        self.desk.hang_up()
        self.assertIsNotNone(self.far.closed())

    def lane(self):
        calls = self.edge.status()['inProgress']
        return calls[0].get('lane') if calls else None

    def assert_audio(self):
        """Both hear each other from now on; what was recorded before does not count."""
        phones = ((self.far, 'HD0001'), (self.desk, '101'))
        before = [len(phone.heard()) for phone, _ in phones]
        time.sleep(2.5)
        for (phone, speaker), count in zip(phones, before):
            share = audio.tone_share(phone.heard()[count:], self.branch.tone_of(speaker))
            self.assertGreater(share, 0.7, f'{phone.name} does not hear {speaker}')


class OnABadLine(OnALine):
    def test_udp_blocked_in_a_call_and_back(self):
        self.assertTrue(wait_until(lambda: self.lane() == 'datagram', 5))
        self.assert_audio()
        self.wan.change(Line(delay=0.04, blocks_udp=True))
        self.assertTrue(wait_until(lambda: self.lane() == 'stream', 3))
        self.assert_audio()
        self.wan.change(self.line)
        self.assertTrue(wait_until(lambda: self.lane() == 'datagram', 40))

    def test_call_survives_a_cut_of_ten_seconds(self):
        self.wan.cut()
        time.sleep(10)
        self.wan.cut(False)
        self.assertTrue(wait_until(lambda: self.edge.status()['headends'][0]['state'] == 'active', 10))
        self.assert_audio()


class OnANarrowPath(OnALine):
    """No packet over 576 bytes gets through."""
    line = Line(delay=0.02)
    mtu = 548

    def test_both_lanes(self):
        self.assertTrue(wait_until(lambda: self.lane() == 'datagram', 5))
        self.assert_audio()
        self.wan.change(Line(delay=0.02, blocks_udp=True))
        self.assertTrue(wait_until(lambda: self.lane() == 'stream', 3))
        self.assert_audio()
