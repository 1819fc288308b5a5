"""What phones make of their files: the golden files of the renderers, read by each vendor's own reader; and the commands
that enrol phones and show their files."""
import os
import shutil
import subprocess
import tempfile
import unittest

from simphones import fanvil, poly, readers
from simphones.settings import Key, allows
from testbed.edge import BINARY, ROOT

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

    def test_nothing_of_the_last_person_is_left_where_the_vendor_has_a_way(self):
        """Contacts: Snom's phone book is replaced by an empty one. Call lists: Yealink and Poly keep none."""
        for state in ('idle', 'person'):
            self.assertTrue(read('snom', state).wipes_contacts)
            self.assertEqual(readers.READERS['yealink'].values(golden('yealink', state))['features.save_call_history'], '0')
            self.assertEqual(poly.attributes(golden('poly', state))['feature.callList.enabled'], '0')

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

    def test_digit_maps(self):
        for pattern, dialled, takes in (('*77*x.*', '*77*100*', True), ('*77*', '*77*', True), ('x.T', '112', True), ('x.T', '*77*', False),
                                        ('[2-9]xx', '911', True), ('[2-9]xx', '112', False), ('*x.T', '*77', True), ('*x.T', '*77*', False)):
            self.assertEqual(allows([pattern], dialled), takes, (pattern, dialled))


class Commands(unittest.TestCase):
    """The commands that enrol and show, on a copy of the demo site with comments of its own."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='enrol-')
        self.addCleanup(shutil.rmtree, self.folder)
        shutil.copytree(os.path.join(ROOT, 'conf', 'demo-secrets'), os.path.join(self.folder, 'demo-secrets'))
        with open(os.path.join(ROOT, 'conf', 'demo.toml'), encoding='utf-8') as file:
            lines = [line for line in file if not line.startswith('ca = ')]
        self.site = os.path.join(self.folder, 'site.toml')
        self.text = ''.join(lines) + '\n# last words\n[provisioning]  # phones\nurl = "http://127.0.0.10:8080/"\n'
        with open(self.site, 'w', encoding='utf-8') as file:
            file.write(self.text)
        os.chmod(self.site, 0o640)

    def edge(self, *arguments, expect=0):
        done = subprocess.run([BINARY, *arguments, '--site', self.site], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        return done.stdout, done.stderr

    def now(self):
        with open(self.site, encoding='utf-8') as file:
            return file.read()

    def add(self, name='HD0009', mac='80:5e:c0:aa:bb:09', model='yealink-t54w', *more, expect=0):
        return self.edge('device', 'add', name, '--mac', mac, '--model', model, *more, expect=expect)

    def test_a_device_comes_and_goes_and_nothing_else_changes(self):
        self.add()
        self.assertTrue(self.now().startswith(self.text))
        secret = os.path.join(self.folder, 'secrets', 'HD0009')
        self.assertEqual(os.stat(secret).st_mode & 0o7777, 0o640)
        self.assertEqual(os.stat(self.site).st_mode & 0o7777, 0o640)
        self.assertIn('HD0009', self.edge('device', 'list')[0])
        self.edge('check')
        self.edge('device', 'remove', 'HD0009')
        self.assertEqual(self.now().strip(), self.text.strip())
        self.assertTrue(os.path.exists(secret), 'deleting a secret is for people')

    def test_what_is_refused_changes_nothing(self):
        for arguments, reason in ((('HD0001',), 'two devices HD0001'), (('HD0009', '80:5e:c0:aa:bb:01'), 'already the MAC'),
                                  (('HD0009', '80:5e:c0:aa:bb:09', 'yealink-t5'), 'no model known'),
                                  (('HD0009', '80:5e:c0:aa:bb:09', 'yealink-t54w', '--connection', 'stun'), '"stun" is refused')):
            self.assertIn(reason, self.add(*arguments, expect=1)[1])
        self.edge('device', 'remove', 'HD0042', expect=1)
        self.assertEqual(self.now(), self.text)
        self.assertFalse(os.path.exists(os.path.join(self.folder, 'secrets')))

    def test_a_preview_is_what_the_phone_reads(self):
        self.add()
        text, report = self.edge('render', 'HD0009', '--as', '100')
        phone = readers.read('yealink', text.encode())
        self.assertEqual((phone.user, phone.screen, phone.password), ('HD0009', '100', '********'))
        self.assertIn('key 2: Logout (*77*5*)', report)
        with open(os.path.join(self.folder, 'secrets', 'HD0009'), encoding='utf-8') as file:
            secret = file.read().strip()
        self.assertEqual(len(secret), 40)
        shown, _ = self.edge('render', 'HD0009', '--show-secrets')
        self.assertEqual(readers.read('yealink', shown.encode()).password, secret)
        self.edge('render', 'HD0001', expect=1)  # generic-sip
        self.edge('render', 'HD0009', '--as', '999', expect=1)

    def test_a_list_is_imported_whole_or_not_at_all(self):
        people = os.path.join(self.folder, 'people.csv')
        head = 'number,name,pin,auth_user,secret,hot_desk,language,blf\n'
        good = '200,"Stone, Eve",8350,u200,s3cret,yes,,101;;speed:5:Mum\n100,Alice,,,,,,\n'

        def write(text):
            with open(people, 'w', encoding='utf-8') as file:
                file.write(text)
        write(head + good + '201,Bad,2222,,,,,\n')
        table, error = self.edge('extension', 'import', people, expect=1)
        self.assertIn('nothing was imported', error)
        self.assertRegex(table, r'(?m)^4 +201 +Bad +BAD +a PIN that repeats itself')
        self.assertEqual(self.now(), self.text)
        write(head + good)
        table, _ = self.edge('extension', 'import', people, '--dry-run')
        self.assertRegex(table, r'(?m)^3 +100 .* is there already')
        self.assertEqual(self.now(), self.text)
        self.edge('extension', 'import', people)
        self.assertNotIn('s3cret', self.now())
        self.assertNotIn('8350', self.now().replace(self.text, ''))
        self.edge('check')

    def test_models_and_dhcp(self):
        table, _ = self.edge('models', '--vendor', 'snom')
        self.assertRegex(table, r'(?m)^snom-d862 .* 9 phones$')
        self.assertIn('delivers nothing', self.edge('dhcp-options', '--server', 'kea', expect=1)[1])
        with open(self.site, 'w', encoding='utf-8') as file:
            file.write(self.text.replace('[listen]', '[listen]\nhttp = "127.0.0.10:8080"') + 'networks = ["127.0.0.0/8"]\n')
        text, _ = self.edge('dhcp-options', '--server', 'kea')
        self.assertIn('substring(pkt4.mac, 0, 3) == 0x000413', text)
