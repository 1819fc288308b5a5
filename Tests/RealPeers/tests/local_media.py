"""Calls between two desks of one site, which the PBX gives back: their media stay in the branch where the PBX lets them."""
import time
import unittest

from testbed import audio
from testbed.interop import shows
from testbed.lan import BranchOnLAN, Ear
from testbed.processes import Workspace, wait_until

FIRST, SECOND = '10.78.0.11', '10.78.0.12'
TONES = {'first': 700, 'second': 850, 'far': 1100}


class TwoDesks(unittest.TestCase):
    site_options, first_options, pbx_options = {}, {}, {}

    @classmethod
    def setUpClass(cls):
        cls.workspace = Workspace()
        cls.addClassCleanup(cls.workspace.close)
        cls.site = BranchOnLAN(cls.workspace, pbx_options=cls.pbx_options, **cls.site_options).start()
        cls.edge = cls.site.edge
        cls.hosts = [cls.site.lan.host(name, address) for name, address in (('first', FIRST), ('second', SECOND))]
        cls.first = cls.site.desk(cls.hosts[0], 'HD0001', '100', TONES['first'], **cls.first_options)
        cls.second = cls.site.desk(cls.hosts[1], 'HD0002', '102', TONES['second'])

    def setUp(self):
        self.assertTrue(wait_until(lambda: self.edge.status()['calls'] == 0, 5))
        self.ears = [self.ear(host) for host in self.hosts]
        self.pbx, self.beyond = self.ear(self.site.pbx_host), self.ear(self.site.far_host)
        self.own = self.ear(self.site.edge_host, 'lo')
        self.before = self.joined()
        for phone in (self.first, self.second):
            phone.mark()
            phone.forget_recordings()

    def ear(self, host, device='eth0'):
        ear = Ear(host, device)
        self.addCleanup(ear.close)
        return ear

    def joined(self):
        lines = self.edge.ask('metrics')['metrics'].splitlines()
        return int(float(next(line for line in lines if line.startswith('edgeproxy_media_packets_total{what="joined"}')).split()[-1]))

    def call(self):
        self.first.dial('102')
        self.assertTrue(self.first.established() and self.second.established(), self.edge.log()[-2000:])
        self.assertEqual(self.edge.status()['calls'], 2, 'it went to the PBX and came back')

    def end(self):
        self.second.hang_up()
        self.assertIsNotNone(self.first.closed())
        time.sleep(0.3)     # phones close their recordings

    def assert_both_heard(self):
        for phone, tone in ((self.first, TONES['second']), (self.second, TONES['first'])):
            self.assertGreater(audio.tone_share(phone.heard(), tone), 0.7, f'{phone.name} hears {tone} Hz')

    def assert_stays(self):
        self.assertEqual((self.pbx.rtp(), self.beyond.rtp(), self.own.rtp()), ([], [], []), 'media have left the edge')

    def flowing(self, *names):
        """Whether new media reach exactly these desks."""
        for ear in self.ears:
            ear.forget()
        time.sleep(0.6)
        return [name for name, ear in zip(('first', 'second'), self.ears) if len(ear.rtp(self.site.EDGE)) > 15] == list(names)


class InTheBranch(TwoDesks):
    @shows('local-media')
    def test_heard_both_ways_and_nothing_leaves(self):
        self.call()
        self.first.rest(2.5)
        quality = [(call['phone']['received'] > 100, call['pbx']['received'] > 100) for call in self.edge.status()['inProgress']]
        self.assertEqual(quality, [(True, True)] * 2, 'both calls are measured')
        self.first.press('159')
        self.assertTrue(wait_until(lambda: self.second.digits_received() == '159', 3), self.second.digits_received())
        self.end()
        self.assert_both_heard()
        self.assert_stays()
        self.assertGreater(self.joined() - self.before, 200)

    @shows('local-media', 'hold')
    def test_holds_and_resumes(self):
        self.call()
        self.assertTrue(wait_until(lambda: self.flowing('first', 'second'), 5))
        for phone in (self.first, self.second):
            with self.subTest(phone.name):
                phone.command('hold')
                self.assertTrue(wait_until(lambda: not self.flowing('first', 'second'), 5), 'there is no hold')
                phone.command('resume')
                self.assertTrue(wait_until(lambda: self.flowing('first', 'second'), 5), 'media do not come back')
        self.end()
        self.assert_stays()

    @shows('local-media', 'blind-transfer')
    def test_leaves_the_branch_with_a_transfer(self):
        """The second desk sends the first to a phone at the PBX: from then on, and no sooner, media cross the trunk."""
        far = self.site.far('101')
        self.call()
        self.first.rest(1.0)
        self.assert_stays()
        self.second.command('transfer', '101')
        self.assertTrue(far.established(), self.edge.log()[-2000:])
        self.assertTrue(wait_until(lambda: len(self.beyond.rtp(self.site.EDGE)) > 50, 5), 'nothing reaches the far end')
        self.assertTrue(wait_until(lambda: self.flowing('first'), 5), 'the first desk hears nothing')
        far.hang_up()
        self.assertTrue(wait_until(lambda: self.edge.status()['calls'] == 0, 8), self.edge.status()['inProgress'])
        self.assertGreater(audio.tone_share(far.heard(), TONES['first']), 0.7)


class Protected(TwoDesks):
    """SRTP at one desk and towards the PBX; what the two calls have agreed on with each other is not needed."""
    site_options = {'srtp': ('accept', 'optional')}
    first_options = {'encryption': 'srtp-mand'}

    @shows('local-media', 'srtp-both')
    def test_heard_both_ways_and_nothing_leaves(self):
        self.call()
        self.first.rest(2.5)
        self.end()
        self.assert_both_heard()
        self.assert_stays()
        self.assertGreater(self.joined() - self.before, 200)


class AnchoredAtThePBX(TwoDesks):
    """A PBX that keeps media at itself (rtpengine): they cross the trunk, as it wants."""
    pbx_options = {'media': BranchOnLAN.PBX_MEDIA}

    @shows('anchored-media', pbx='Kamailio with rtpengine')
    def test_heard_by_way_of_the_pbx(self):
        self.call()
        self.first.rest(2.5)
        self.end()
        self.assert_both_heard()
        self.assertEqual(self.joined(), self.before)
        self.assertGreater(len(self.pbx.rtp(self.site.EDGE)), 200)
