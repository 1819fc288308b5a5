"""What phones make of their files: the golden files of the renderers, read by each vendor's own reader."""
import os
import unittest

from simphones import fanvil, poly, readers
from simphones.settings import Key, allows

GOLDEN = os.path.join(os.path.dirname(__file__), '..', '..', 'ProvisioningTests', 'Golden')
VENDORS = sorted(readers.READERS)
#: Where each vendor's second and third key are, and how many keys the model has.
SECOND = {'yealink': 'linekey.2', 'fanvil': 'dssSide.1.2', 'snom': 1, 'grandstream': 'pks.vpk.2', 'poly': 2, 'cisco': 'Extended_Function_2_'}
THIRD = {'yealink': 'linekey.3', 'fanvil': 'dssSide.1.3', 'snom': 2, 'grandstream': 'pks.vpk.3', 'poly': 3, 'cisco': 'Extended_Function_3_'}
KEYS = {'yealink': 12, 'fanvil': 33, 'snom': 24, 'grandstream': 40, 'poly': 12, 'cisco': 10}
#: The vendors whose key names its pickup code in the file.
PICKUP = ('yealink', 'fanvil', 'snom', 'poly', 'cisco')


def golden(vendor, state):
    with open(os.path.join(GOLDEN, f'{vendor}-{state}.txt'), 'rb') as file:
        return file.read()


def read(vendor, state):
    return readers.read(vendor, golden(vendor, state))


def places(settings):
    return {place: key for place, key in settings.keys.items() if not str(place).startswith('softkey')}


class GoldenFiles(unittest.TestCase):
    @staticmethod
    def each(state):
        return [(vendor, read(vendor, state)) for vendor in VENDORS]

    def test_every_phone_registers_as_the_desk_whoever_sits_there(self):
        for state in ('idle', 'person', 'overflow'):
            for vendor, phone in self.each(state):
                self.assertEqual((phone.user, phone.auth_user, phone.password), ('HD0001', 'HD0001', "desk <secret> & 'more'"))
                self.assertEqual((phone.domain, phone.proxy_host, phone.proxy_port, phone.transport), ('pbx.example', '192.0.2.10', 5060, 'tcp'))
                self.assertEqual(phone.expires, 600, 'units of the registration')
                self.assertEqual(phone.other_accounts, ())

    def test_codes_are_dialled_and_nothing_reboots_or_challenges(self):
        for vendor, phone in self.each('idle'):
            self.assertTrue(phone.dials_star_codes, vendor)
            self.assertFalse(phone.reboots_on_check_sync, vendor)
            self.assertFalse(phone.challenges_notify, vendor)
            self.assertEqual(phone.emergency, ('112', '911'))
            self.assertIn('/p/token/', phone.url)

    def test_idle(self):
        for vendor, phone in self.each('idle'):
            self.assertEqual(phone.screen, 'HD0001')
            self.assertEqual(phone.keys[SECOND[vendor]], Key('speed', '*77*', 'Login'))
            self.assertEqual(sum(key is not None for key in places(phone).values()), 2, 'line and Login')
            self.assertEqual(len(places(phone)), KEYS[vendor])

    def test_person(self):
        for vendor, phone in self.each('person'):
            self.assertEqual((phone.screen, phone.caller), ('100', 'Alice Smith'))
            self.assertEqual(phone.keys[SECOND[vendor]], Key('speed', '*77*5*', 'Logout'))
            bob = phone.keys[THIRD[vendor]]
            self.assertEqual((bob.kind, bob.value, bob.label), ('blf', '101', 'Bob Jones'))
            if vendor in PICKUP:
                self.assertEqual(bob.pickup, '**')
            used = [key for key in places(phone).values() if key]
            self.assertEqual([(key.kind, key.value) for key in used[3:]],
                             [('blf', '102'), ('speed', '+15551234'), ('blf', 'SP1')], 'the gap is closed')
            self.assertEqual(used[4].label, 'Mum')
            self.assertEqual(len(places(phone)), KEYS[vendor])

    def test_what_a_login_leaves_goes_with_the_logout(self):
        """Read one over the other: every key of the person is named again, and off."""
        for vendor in VENDORS:
            with self.subTest(vendor):
                person, idle = places(read(vendor, 'person')), places(read(vendor, 'idle'))
                self.assertEqual(person.keys(), idle.keys())
                left = {**person, **idle}
                self.assertEqual(sum(key is not None for key in left.values()), 2)

    def test_overflow_fills_every_key(self):
        for vendor, phone in self.each('overflow'):
            self.assertTrue(all(places(phone).values()), 'no key stays empty')
            self.assertLess(len(places(phone)), 25)

    def test_fanvil_takes_only_what_is_newer(self):
        idle, person = golden('fanvil', 'idle'), golden('fanvil', 'person')
        last = fanvil.read(idle).version
        self.assertIsNone(fanvil.read(idle, last_version=last))
        self.assertEqual(fanvil.read(person, last_version=last).screen, '100')
        self.assertIsNotNone(fanvil.read(idle, last_version=fanvil.read(golden('fanvil', 'bootstrap')).version), 'after the bootstrap')

    def test_bootstrap_leads_to_the_device_s_address_and_holds_no_account(self):
        for vendor, phone in self.each('bootstrap'):
            self.assertTrue(phone.url.startswith('http://192.0.2.10:8080/p/token/'), phone.url)
            self.assertEqual((phone.user, phone.password), ('', ''))

    def test_index_names_the_device_s_file(self):
        self.assertEqual(poly.config_files(golden('poly', 'index')), ['805ec0aabb01-edge.cfg'])
        index = readers.READERS['yealink'].values(golden('yealink', 'index'))
        self.assertEqual((index['include'], index['overwrite_mode']), (['805ec0aabb01.cfg'], '1'))


class Readers(unittest.TestCase):
    """The readers refuse what a phone would stumble over, so that the tests above can fail."""

    def test_broken_files(self):
        for vendor in VENDORS:
            with self.subTest(vendor):
                good = golden(vendor, 'idle')
                for bad in (b'', good[1:], b'<x/>'):
                    with self.assertRaises(Exception):
                        found = readers.read(vendor, bad)
                        if not found.user:
                            raise ValueError('nothing in it')

    def test_traps_are_seen(self):
        yealink = golden('yealink', 'idle')
        self.assertFalse(readers.read('yealink', yealink.replace(b'key_as_send = 1', b'key_as_send = 2')).dials_star_codes)
        self.assertTrue(readers.read('yealink', yealink.replace(b'sip.notify_reboot_enable = 0\n', b'')).reboots_on_check_sync)
        cisco = golden('cisco', 'idle')
        self.assertFalse(readers.read('cisco', cisco.replace(b'<Block_ANC_Act_Code ua="na"></Block_ANC_Act_Code>', b'')).dials_star_codes)
        self.assertTrue(readers.read('cisco', cisco.replace(b'<Auth_Resync-Reboot_1_ ua="na">No</Auth_Resync-Reboot_1_>', b'')).challenges_notify)
        grandstream = golden('grandstream', 'idle')
        self.assertFalse(readers.read('grandstream', grandstream.replace(b'{ [*x]+ | \\+x+ }', b'{ x+ }')).dials_star_codes)

    def test_digit_maps(self):
        for pattern, dialled, takes in (('*77*x.*', '*77*100*', True), ('*77*', '*77*', True), ('x.T', '112', True), ('x.T', '*77*', False),
                                        ('[2-9]xx', '911', True), ('[2-9]xx', '112', False), ('*x.T', '*77', True), ('*x.T', '*77*', False)):
            self.assertEqual(allows([pattern], dialled), takes, (pattern, dialled))
