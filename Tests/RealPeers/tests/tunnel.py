"""The tunnel with real parts: desk ~ edge ~ headend ~ PBX, audio both ways, headends that die, certificates that are void."""
import os
import time
import unittest

from testbed import network, steps
from testbed.branch import Branch
from testbed.headend import ADDRESS, SECOND, Headend
from testbed.processes import Workspace, wait_until


def status_of_headend(edge, text):
    return any(text in sentence for sentence in edge.status()['degraded'])


class Tunnel:
    """One site, one PBX, one or two headends."""
    headends = 1
    pbx = f'udp:{network.PBX}:5060'

    @classmethod
    def setUpClass(cls):
        cls.workspace = Workspace()
        cls.addClassCleanup(cls.workspace.close)
        first = Headend(cls.workspace, cls.pbx)
        cls.heads = [first] + [Headend(cls.workspace, cls.pbx, SECOND, 'headend2', like=first, ports='31000-31999')
                               for _ in range(cls.headends - 1)]
        for head in cls.heads:
            head.start()
        cls.files = first.enrol(cls.workspace.path('site-pki'))
        names = [f'{head.address}:5090' for head in cls.heads]
        cls.branch = Branch(cls.workspace, tunnel=(names, cls.files), log_level='debug')
        cls.edge = cls.branch.edge
        cls.branch.pbx.trunk_transport = cls.pbx.split(':')[0]
        cls.branch.start(('101',), ('HD0001',))
        steps.login(cls.branch, patient=False)

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
        desk.hang_up()
        self.assertIsNotNone(far.closed())


if __name__ == '__main__':
    unittest.main()
