"""The list of traps phones lay (numbers as in the list this was built by), each with the tests that would fail if the edge fell
into it. What a file must say is proved here: the golden file as it is passes, and with the trap put into it, it does not."""
import glob
import os
import re
import unittest

from simphones import readers
from testbed.edge import ROOT

from .phone_files import SECOND, THIRD, golden, places, read

#: Trap → what it is, and its tests: Swift suites and functions, or real-peer modules and classes. `…`: whatever follows.
TRAPS = {
    1: ('Cisco takes *77 for itself', 'RendererTests.trap1…', 'traps.Files'),
    2: ("Yealink's star sends", 'RendererTests.trap2…', 'traps.Files'),
    3: ('Yealink reboots at each login', 'RendererTests.trap3…', 'traps.Files', 'provisioning.MainPath'),
    4: ('Cisco challenges the NOTIFY', 'RendererTests.trap4…', 'PhoneRefreshTests.trap4…', 'traps.Files', 'provisioning.MainPath'),
    5: ("Grandstream's own star codes", 'RendererTests.trap5…', 'traps.Files'),
    6: ('minutes, seconds, quarters of an hour', 'RendererTests.trap6…', 'traps.Files', 'phone_files.GoldenFiles'),
    7: ("Fanvil's version must rise", 'RendererTests.trap7…', 'traps.Files', 'phone_files.GoldenFiles'),
    8: ('an unchanged file changes nothing', 'RendererTests.trap8…', 'provisioning.MainPath', 'provisioning.Delivery.test_trap_8…'),
    9: ('keys that are merely absent stay', 'RendererTests.trap9…', 'traps.Files', 'phone_files.GoldenFiles'),
    10: ('Snom counts keys from 0', 'RendererTests.trap10…', 'traps.Files'),
    11: ('Snom writes MACs in upper case', 'RendererTests.trap11…', 'provisioning.ZeroTouch.test_snom…'),
    12: ('the answer goes to the source, from the interface it came in by', 'PnPTests.trap12…', 'provisioning.ZeroTouch.test_trap_12…'),
    13: ('many optional files', 'RecognitionTests.trap13…', 'RequestBudgetTests.trap13…', 'provisioning.Delivery.test_trap_13…'),
    14: ('other codes that begin with *7', 'ProblemTests.isFoundAlone'),
    15: ('a login while logged in elsewhere, that phone off-line', 'PhoneRefreshTests.trap15…', 'PhoneRefreshMachineTests.story', 'provisioning.Switching.test_traps_15_16_and_17…'),
    16: ('power failure between login and fetch', 'PhoneRefreshMachineTests.trap16…', 'provisioning.Switching.test_trap_16…'),
    17: ('restart of the edge', 'PhoneRefreshTests.trap17…', 'provisioning.Switching.test_traps_15_16_and_17…'),
    18: ('no way to the PBX: login, logout and emergency calls are local', 'trunk.Outage.test_pbx_down_from_the_start', 'trunk.Outage.test_logout_while…',
         'trunk.Outage.test_emergency_without…', 'LoginAttemptTests'),
    19: ('other hardware at the desk', 'RendererTests.trap19…', 'DeliveryDeskTests.trap19…', 'provisioning.Delivery.test_trap_19…'),
    20: ('a model without keys', 'RendererTests.trap20…'),
    21: ('names with line ends, quotes, <, right-to-left marks', 'RendererTests.trap21…'),
    22: ('the MAC in the path is not that of the User-Agent', 'RecognitionTests.trap22…', 'DeliveryDeskTests.macsMustAgree', 'provisioning.Delivery.test_everybody_else…',
         'delivery.Secure.test_a_certificate_must…'),
    23: ('a leaked URL from a foreign network', 'DeliveryDeskTests.trap23…', 'provisioning.Delivery.test_trap_23…'),
    24: ('a repeated SUBSCRIBE', 'PnPTests.trap24…', 'provisioning.ZeroTouch.test_trap_24…')}


def tests_there_are():
    """Every test by its full name, as the table writes it; a suite or class by its name alone, too."""
    names = set()
    for path in glob.glob(os.path.join(ROOT, 'Tests', '*Tests', '**', '*.swift'), recursive=True):
        with open(path, encoding='utf-8') as file:
            suite = None
            for line in file:
                if found := re.match(r'\s*(?:@Suite(?:\([^)]*\))? )?(?:private )?(?:struct|final class) (\w+)', line):
                    suite = found[1] if '@Suite' in line else suite
                elif suite and (found := re.search(r'\bfunc (\w+)\(', line)):
                    names |= {suite, f'{suite}.{found[1]}'}
    for path in glob.glob(os.path.join(ROOT, 'Tests', 'RealPeers', 'tests', '*.py')):
        module, kind = os.path.basename(path)[:-3], None
        with open(path, encoding='utf-8') as file:
            for line in file:
                if found := re.match(r'class (\w+)', line):
                    kind = f'{module}.{found[1]}'
                elif kind and (found := re.match(r'    def (test_\w+)', line)):
                    names |= {kind, f'{kind}.{found[1]}'}
    return names


class Table(unittest.TestCase):
    def test_every_trap_has_a_test_that_is_there(self):
        self.assertEqual(list(TRAPS), list(range(1, 25)))
        there = tests_there_are()
        for number, (what, *names) in TRAPS.items():
            for name in names:
                with self.subTest(f'{number} {what}: {name}'):
                    self.assertTrue(any(test == name or name.endswith('…') and test.startswith(name[:-1]) for test in there))


class Files(unittest.TestCase):
    """Each file with the trap put into it, read as the phone reads it."""

    def falls(self, vendor, good, trap, holds, state='idle'):
        """`holds` is true of the file, and false once `good` is replaced by `trap`."""
        text = golden(vendor, state)
        self.assertIn(good, text)
        self.assertTrue(holds(readers.read(vendor, text)), vendor)
        self.assertFalse(holds(readers.read(vendor, text.replace(good, trap))), trap)

    def test_traps_1_2_and_5_codes_reach_the_wire(self):
        dials = lambda phone: phone.dials_star_codes  # noqa: E731
        self.falls('cisco', b'<Block_ANC_Act_Code ua="na"></Block_ANC_Act_Code>', b'', dials)
        self.falls('yealink', b'key_as_send = 1', b'key_as_send = 2', dials)
        self.falls('grandstream', b'{ [*x]+ | \\+x+ }', b'{ x+ }', dials)
        self.falls('grandstream', b'<item name="account.1.featureCodes.callFeatures">No</item>', b'', dials)

    def test_traps_3_and_4_nothing_reboots_or_challenges(self):
        self.falls('yealink', b'sip.notify_reboot_enable = 0\n', b'', lambda phone: not phone.reboots_on_check_sync)
        self.falls('cisco', b'<Auth_Resync-Reboot_1_ ua="na">No</Auth_Resync-Reboot_1_>', b'', lambda phone: not phone.challenges_notify)

    def test_trap_6_units(self):
        ten_minutes = lambda phone: phone.expires == 600  # noqa: E731
        self.falls('grandstream', b'registerExpiration">10<', b'registerExpiration">600<', ten_minutes)
        for vendor in ('yealink', 'fanvil', 'snom', 'poly', 'cisco'):
            self.assertTrue(ten_minutes(read(vendor, 'idle')), vendor)
        # An hour and a half: quarters of an hour, seconds.
        self.assertIn(b'<TimeZone>6</TimeZone>', golden('fanvil', 'idle'))
        self.assertRegex(golden('poly', 'idle'), rb'gmtOffset="5400"')

    def test_trap_7_the_version_rises_with_every_file(self):
        versions = [readers.read('fanvil', golden('fanvil', state)).version for state in ('bootstrap', 'idle', 'person', 'overflow')]
        self.assertEqual(versions, sorted(set(versions)))

    def test_trap_9_keys_are_written_empty(self):
        for vendor in sorted(readers.READERS):
            with self.subTest(vendor):
                person, idle = places(read(vendor, 'person')), places(read(vendor, 'idle'))
                self.assertIsNotNone(person[THIRD[vendor]])
                # As flash has it: what the file does not name stays.
                self.assertIsNone({**person, **idle}[THIRD[vendor]])
                absent = {place: key for place, key in idle.items() if key is not None}
                self.assertIsNotNone({**person, **absent}[THIRD[vendor]], 'a file without empty keys would leave the key')

    def test_trap_10_snom_counts_from_0(self):
        self.assertEqual(min(read('snom', 'idle').keys), 0)
        self.assertEqual(read('snom', 'idle').keys[SECOND['snom']].label, 'Login')
        shifted = re.sub(rb'<fkey idx="(\d+)"', lambda found: b'<fkey idx="%d"' % (int(found[1]) + 1), golden('snom', 'idle'))
        with self.assertRaises(Exception):
            readers.read('snom', shifted)
