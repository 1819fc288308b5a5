"""Phones that set themselves up and turn into the person who logs in: the real edge, simulated handsets of each vendor."""
import unittest

from simphones.phone import SimPhone, wait_for
from testbed import network
from testbed.branch import Branch
from testbed.edge import ADDRESS
from testbed.processes import Workspace

HTTP = 8080
FIRST = f'http://{ADDRESS}:{HTTP}/prov/'
NETWORK = network.address(0) + '/24'
#: A phone of each vendor, and the form of check-sync it is told by.
PHONES = {
    'HD0001': ('yealink-t54w', '80:5e:c0:aa:bb:01', 'check-sync;reboot=false'),
    'HD0002': ('fanvil-x5u', '0c:38:3e:aa:bb:02', 'check-sync'),
    'HD0003': ('snom-d785', '00:04:13:aa:bb:03', 'check-sync;reboot=false'),
    'HD0004': ('grandstream-grp2614', 'c0:74:ad:aa:bb:04', 'check-sync'),
    'HD0005': ('poly-vvx450', '64:16:7f:aa:bb:05', 'check-sync'),
    'HD0006': ('cisco-8851', '00:56:2b:aa:bb:06', 'resync')}


class MainPath(unittest.TestCase):
    """From its box to a working hot desk, to Alice's desk, and back."""

    @classmethod
    def setUpClass(cls):
        cls.workspace = Workspace()
        cls.addClassCleanup(cls.workspace.close)
        cls.branch = Branch(
            cls.workspace, devices=tuple(PHONES), http=HTTP, provisioning=[f'networks = ["{NETWORK}"]'],
            models={name: phone[:2] for name, phone in PHONES.items()}, keys={'100': ('101', '', '102')})
        cls.branch.start((), ())
        cls.edge = cls.branch.edge

    def from_the_box_to_alice_and_back(self, name):
        model, mac, event = PHONES[name]
        phone = SimPhone(model, mac, network.address(60 + int(name[-1])), FIRST)
        self.addCleanup(phone.power_off)
        phone.boot()
        self.assertNotIn('/prov/', phone.server, phone.fetcher.seen)
        self.assertEqual((phone.settings.user, phone.screen), (name, name))
        self.assertEqual(phone.keys(), [('speed', '*77*')])
        self.assertTrue(wait_for(lambda: self.edge.device(name)['registered']))
        self.assertEqual(self.edge.device(name)['phone'], 'current')

        phone.log_in('100', '4711')
        self.assertTrue(phone.wait_screen('100'), f'{phone.notified} {phone.problem} {self.edge.log()[-3000:]}')
        self.assertEqual(phone.settings.caller, 'Alice Smith')
        self.assertEqual(phone.keys(), [('speed', '*77*5*'), ('blf', '101'), ('blf', '102')])
        self.assertEqual(phone.settings.user, name, 'the account is the device\'s, whoever sits there')
        self.assertEqual(set(phone.notified), {('NOTIFY', event)})
        self.assertEqual(phone.boots, 1, 'it did not reboot')
        self.assertTrue(wait_for(lambda: self.edge.device(name)['phone'] == 'current'))

        phone.press('Logout')
        self.assertTrue(phone.wait_screen(name), f'{phone.notified} {phone.problem} {self.edge.log()[-3000:]}')
        self.assertEqual(phone.keys(), [('speed', '*77*')])
        self.assertIsNone(self.edge.extension_on(name))
        self.assertIsNone(phone.problem)

    def test_yealink(self):
        self.from_the_box_to_alice_and_back('HD0001')

    def test_fanvil(self):
        self.from_the_box_to_alice_and_back('HD0002')

    def test_snom(self):
        self.from_the_box_to_alice_and_back('HD0003')

    def test_grandstream(self):
        self.from_the_box_to_alice_and_back('HD0004')

    def test_poly(self):
        self.from_the_box_to_alice_and_back('HD0005')

    def test_cisco(self):
        self.from_the_box_to_alice_and_back('HD0006')
