"""Phones that set themselves up and turn into the person who logs in: the real edge, simulated handsets of each vendor."""
import concurrent.futures
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


PEOPLE = {str(200 + n): (f'Person {n}', f'{4710 + 7 * n}') for n in range(1, 7)} | {'101': ('Bob Jones', '2580')}


class MainPath(unittest.TestCase):
    """From its box to a working hot desk, to a person's desk, and back: a phone of each vendor, all at once."""

    @classmethod
    def setUpClass(cls):
        cls.workspace = Workspace()
        cls.addClassCleanup(cls.workspace.close)
        users = {number: f'demo-{number}' for number in PEOPLE} | {'branch-01': 'demo-branch-01'}
        cls.branch = Branch(
            cls.workspace, devices=tuple(PHONES), http=HTTP, provisioning=[f'networks = ["{NETWORK}"]'], people=PEOPLE,
            models={name: phone[:2] for name, phone in PHONES.items()}, keys={number: ('101', '', '102') for number in PEOPLE},
            pbx_options={'users': users})
        cls.branch.start((), ())
        cls.edge = cls.branch.edge

    def test_from_the_box_to_a_person_and_back(self):
        with concurrent.futures.ThreadPoolExecutor(len(PHONES)) as pool:
            runs = {name: pool.submit(self.life, name, str(200 + n)) for n, name in enumerate(PHONES, 1)}
        for name, run in runs.items():
            with self.subTest(PHONES[name][0]):
                run.result()

    def life(self, name, number):
        model, mac, event = PHONES[name]
        phone = SimPhone(model, mac, network.address(60 + int(name[-1])), FIRST)
        try:
            self.sets_itself_up(phone, name)
            self.becomes(phone, name, number, event)
            self.is_idle_again(phone, name)
        finally:
            phone.power_off()

    def sets_itself_up(self, phone, name):
        phone.boot()
        self.assertNotIn('/prov/', phone.server, phone.fetcher.seen)
        self.assertEqual((phone.settings.user, phone.screen), (name, name))
        self.assertEqual(phone.keys(), [('speed', '*77*')])
        self.assertTrue(wait_for(lambda: self.edge.device(name)['registered']))
        self.assertEqual(self.edge.device(name)['phone'], 'current')

    def becomes(self, phone, name, number, event):
        phone.log_in(number, PEOPLE[number][1])
        self.assertTrue(phone.wait_screen(number), f'{phone.notified} {phone.problem} {self.edge.log()[-3000:]}')
        self.assertEqual(phone.settings.caller, PEOPLE[number][0])
        self.assertEqual(phone.keys(), [('speed', '*77*5*'), ('blf', '101'), ('blf', '102')])
        self.assertEqual(phone.settings.user, name, 'the account is the device\'s, whoever sits there')
        self.assertEqual(set(phone.notified), {('NOTIFY', event)})
        self.assertEqual(phone.boots, 1, 'it did not reboot')
        self.assertTrue(wait_for(lambda: self.edge.device(name)['phone'] == 'current'))

    def is_idle_again(self, phone, name):
        phone.press('Logout')
        self.assertTrue(phone.wait_screen(name), f'{phone.notified} {phone.problem} {self.edge.log()[-3000:]}')
        self.assertEqual(phone.keys(), [('speed', '*77*')])
        self.assertIsNone(self.edge.extension_on(name))
        self.assertIsNone(phone.problem)
