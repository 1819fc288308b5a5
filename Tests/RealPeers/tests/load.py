"""A short load: nothing may fail, nothing may grow without end."""
import time
import unittest

from testbed.interop import shows
from testbed.edge import ADDRESS, Edge, SiteFile
from testbed.load import Load, LoadPBX
from testbed.pki import SitePKI
from testbed.processes import Workspace


class Smoke(unittest.TestCase):
    def setUp(self):
        self.workspace = Workspace()
        self.addCleanup(self.workspace.close)
        pki = SitePKI(self.workspace.path('pki'))
        LoadPBX(self.workspace, pki).start()
        site = SiteFile(self.workspace.path('site'), pki, plain_phones=True, ports='10000-19999', log_level='warning',
                        client_certificate=False, people={})
        self.edge = Edge(self.workspace, site.write(), site.control).start()

    @shows('call-out', 'registration', client='SIPp', pbx='SIPp')
    def test_calls_and_registrations(self):
        for transport in ('udp', 'tcp'):
            for kind in ('call', 'register'):
                with self.subTest(kind=kind, transport=transport):
                    result = Load(self.workspace, kind, f'{ADDRESS}:5060', 100, 4, transport=transport).finish()
                    self.assertEqual(result['failed'], 0)
                    self.assertEqual(result['ok'], result['wanted'])
        time.sleep(1)
        self.assertEqual(self.edge.status()['calls'], 0, 'calls are left behind')
