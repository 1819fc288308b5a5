"""Phones that set themselves up and turn into the person who logs in: the real edge, simulated handsets of each vendor."""
import collections
import concurrent.futures
import glob
import json
import os
import re
import time
import unittest

from simphones import discovery, vendors
from simphones.fetching import Fetcher
from simphones.phone import SimPhone, wait_for
from testbed import network
from testbed.branch import Branch
from testbed.edge import ADDRESS, API_TOKEN
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


MACS = ('80:5e:c0:aa:bb:01', '80:5e:c0:aa:bb:02')
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
        self.assertFalse(phone.provision(), 'the same again changes nothing')
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


class Delivery(unittest.TestCase):
    """Who may fetch what: one phone's files are its own, and everybody else learns nothing."""

    @classmethod
    def setUpClass(cls):
        cls.workspace = Workspace()
        cls.addClassCleanup(cls.workspace.close)
        cls.logs = cls.workspace.make_folder('phone-logs')
        devices = tuple(f'HD{n:04d}' for n in range(1, 13))
        models = {name: ('yealink-t54w', f'80:5e:c0:bb:00:{n:02x}') for n, name in enumerate(devices, 1)}
        models['HD0012'] = ('poly-vvx450', '64:16:7f:bb:00:0c')
        cls.macs = {name: mac for name, (_, mac) in models.items()}
        # The phones' networks are two halves of the loopback network; strangers come from another.
        cls.branch = Branch(
            cls.workspace, devices=devices, http=HTTP, models=models,
            provisioning=[f'networks = ["{network.address(0)}/25"]', f'enrolment = ["{network.address(64)}/26"]',
                          f'phone_logs = "{cls.logs}"'])
        cls.branch.start((), ())
        cls.edge = cls.branch.edge
        cls.stranger = network.address(200)
        cls.base = f'http://{ADDRESS}:{HTTP}'

    def phone(self, name, host=70, **options):
        phone = SimPhone('yealink-t54w', self.macs[name], network.address(host), FIRST, **options)
        self.addCleanup(phone.power_off)
        return phone

    def own(self, phone, source=None, agent=None, mac=None):
        """What the phone's own file is answered at its address."""
        fetcher = Fetcher(source or phone.address, phone.agent if agent is None else agent)
        return fetcher.get(f'{phone.server}{mac or phone.mac}.cfg')

    def test_everybody_else_gets_one_and_the_same_404(self):
        phone = self.phone('HD0001')
        phone.provision()
        token = phone.server.rstrip('/').rsplit('/', 1)[1]
        other = self.macs['HD0002'].replace(':', '')
        tries = {
            'no such path': ('/', phone.address, None),
            'no such file': (f'/p/{token}/passwd', phone.address, phone.agent),
            'out of the folder': (f'/p/{token}/..%2f..%2fetc%2fpasswd', phone.address, phone.agent),
            'another device\'s file': (f'/p/{token}/{other}.cfg', phone.address, phone.agent),
            'another device\'s agent': (f'/p/{token}/{phone.mac}.cfg', phone.address, phone.kind.agent('t54w', '1.0', other)),
            'another vendor\'s agent': (f'/p/{token}/{phone.mac}.cfg', phone.address, 'Fanvil X5U 2.12.16.17 ' + phone.mac),
            'a guessed address': ('/p/' + '0' * 32 + f'/{phone.mac}.cfg', phone.address, phone.agent),
            'a short address': (f'/p/{token[:31]}/{phone.mac}.cfg', phone.address, phone.agent),
            'no longer armed': (f'/prov/{phone.mac}.cfg', phone.address, phone.agent),
            'an unknown MAC': ('/prov/805ec0ffffff.cfg', phone.address, None),
            'two MACs': (f'/prov/{other}.cfg', phone.address, phone.agent),
            'armed, but from the wrong network': (f'/prov/{other}.cfg', network.address(20), None),
            'armed, but from far away': (f'/prov/{other}.cfg', self.stranger, None),
            'the API without a token': ('/api/v1/status', phone.address, None)}
        answers = {what: Fetcher(source, agent).get(self.base + path).identity for what, (path, source, agent) in tries.items()}
        self.assertEqual({status for status, _, _ in answers.values()}, {404}, answers)
        self.assertEqual(len(set(answers.values())), 1, answers)
        self.assertEqual(self.own(phone).status, 200, 'the owner is not harmed')

    def test_bootstrap_has_no_secret_of_sip(self):
        phone = self.phone('HD0003')
        answer = phone.fetcher.get(f'{FIRST}{phone.mac}.cfg')
        self.assertEqual(answer.status, 200)
        self.assertNotIn(b'demo-HD0003', answer.body)
        self.assertNotIn(b'account.1', answer.body)

    def test_trap_23_a_leaked_address_is_worth_nothing_elsewhere_and_gives_way(self):
        phone = self.phone('HD0004')
        phone.provision()
        leaked = phone.server
        self.assertEqual(self.own(phone, source=self.stranger).status, 404)
        phone.provision()
        self.assertNotEqual(phone.server, leaked)
        self.assertEqual(self.own(phone).status, 200)
        self.assertEqual(Fetcher(phone.address, phone.agent).get(f'{leaked}{phone.mac}.cfg').status, 404)

    def test_factory_reset_needs_an_administrator(self):
        phone = self.phone('HD0005')
        phone.provision()
        phone.factory_reset(FIRST)
        phone.provision()
        self.assertIsNone(phone.settings)
        status, text = self.edge.command('device', 'arm', 'HD0005', '--site', self.edge.site_path)
        self.assertEqual(status, 0, text)
        phone.provision()
        self.assertEqual(phone.screen, 'HD0005')
        status, _ = self.edge.command('device', 'arm', 'HD9999', '--site', self.edge.site_path)
        self.assertNotEqual(status, 0)

    def test_the_store_holds_no_address(self):
        phone = self.phone('HD0006')
        phone.provision()
        token = phone.server.rstrip('/').rsplit('/', 1)[1]
        for path in glob.glob(self.branch.site.store + '*'):
            with open(path, 'rb') as f:
                self.assertNotIn(token.encode(), f.read(), path)
        self.assertNotIn(token, self.edge.log())

    def kept_logs(self):
        kept = {}
        for name in os.listdir(self.logs):
            try:
                with open(os.path.join(self.logs, name), 'rb') as file:
                    kept[name] = file.read()
            except FileNotFoundError:
                # It got its name just now.
                pass
        return kept

    def test_logs_that_phones_put_are_bounded(self):
        phone = SimPhone('poly-vvx450', self.macs['HD0012'], network.address(80), FIRST)
        phone.provision()
        for digit in b'12345':
            answer = phone.fetcher.request('PUT', f'{phone.server}{phone.mac}-app.log', body=bytes([digit]) * 1_000_000)
            self.assertEqual(answer.status, 200)
        # They are written behind the answers, one after the other.
        wanted = {'HD0012-app.log': b'5' * 256 * 1024, 'HD0012-app.log.old': b'4' * 256 * 1024}
        self.assertTrue(wait_for(lambda: self.kept_logs() == wanted), {name: (len(text), text[:1]) for name, text in self.kept_logs().items()})
        self.assertEqual(phone.fetcher.request('PUT', f'{phone.server}{phone.mac}-phone.cfg', body=b'x').status, 404)
        self.assertEqual(phone.fetcher.request('PUT', f'{FIRST}{phone.mac}-app.log', body=b'x').status, 404)

    def test_trap_13_optional_files_are_404_and_ban_nobody(self):
        phone = self.phone('HD0007')
        for _ in range(5):
            phone.provision()
        self.assertIn(404, {status for _, _, status in phone.fetcher.seen})
        self.assertNotIn(503, {status for _, _, status in phone.fetcher.seen})
        self.assertEqual(phone.screen, 'HD0007')

    def test_a_flood_is_told_to_come_back(self):
        flooder = network.address(99)
        statuses = collections.Counter(Fetcher(flooder).get(self.base + '/x').status for _ in range(600))
        self.assertEqual(set(statuses), {404, 503})
        guesser = Fetcher(network.address(98))
        statuses = collections.Counter(
            guesser.get(f'{self.base}/api/v1/status', headers={'Authorization': f'Bearer guess-{n}'}).status for n in range(600))
        self.assertEqual(set(statuses), {404, 503}, 'nor can the token be guessed at any speed')
        phone = self.phone('HD0008', host=81)
        phone.provision()
        self.assertEqual(phone.screen, 'HD0008', 'others are served')

    def test_trap_8_what_is_the_same_changes_nothing(self):
        phone = self.phone('HD0009')
        phone.provision()
        self.assertFalse(phone.provision())

    def test_trap_19_another_model_is_served_and_reported(self):
        phone = SimPhone('yealink-t46u', self.macs['HD0010'], network.address(82), FIRST)
        phone.provision()
        self.assertEqual(phone.screen, 'HD0010')
        self.assertTrue(self.edge.wait_log('the phone is a yealink-t46u, the site file says yealink-t54w'))

    def test_the_api_needs_its_token(self):
        fetcher = Fetcher(network.address(5))
        good = {'Authorization': f'Bearer {API_TOKEN}'}
        for bad in ({}, {'Authorization': f'Bearer {API_TOKEN}x'}, {'Authorization': f'Basic {API_TOKEN}'}, {'Authorization': API_TOKEN}):
            self.assertEqual(fetcher.get(f'{self.base}/api/v1/status', headers=bad).status, 404)
        answer = fetcher.get(f'{self.base}/api/v1/status', headers=good)
        self.assertEqual(json.loads(answer.body)['status']['site'], 'branch-01')
        self.assertNotIn(b'demo-HD', answer.body)
        self.assertEqual(fetcher.request('POST', f'{self.base}/api/v1/devices/HD0011/arm', headers=good).status, 200)
        self.assertEqual(fetcher.request('POST', f'{self.base}/api/v1/devices/HD0011/logout', headers=good).status, 409)
        self.assertEqual(fetcher.request('POST', f'{self.base}/api/v1/devices/HD0011/logout').status, 404)


class Switching(unittest.TestCase):
    """Logins, logouts and everything that can come between them and the phone's screen."""

    def setUp(self):
        self.workspace = Workspace()
        self.addCleanup(self.workspace.close)
        self.branch = Branch(
            self.workspace, devices=('HD0001', 'HD0002'), http=HTTP, provisioning=[f'networks = ["{NETWORK}"]'],
            models={'HD0001': ('yealink-t54w', MACS[0]), 'HD0002': ('yealink-t54w', MACS[1])}, keys={'100': ('101', '102')})
        self.branch.start((), ())
        self.edge = self.branch.edge
        self.phones = [SimPhone('yealink-t54w', mac, network.address(61 + n), FIRST) for n, mac in enumerate(MACS)]
        for phone in self.phones:
            self.addCleanup(phone.power_off)
            phone.boot()

    def log_in(self, phone, name):
        phone.log_in('100', '4711', until=lambda: self.edge.extension_on(name) == '100')

    def test_traps_15_16_and_17_phones_and_edge_lose_power(self):
        first, second = self.phones
        self.log_in(first, 'HD0001')
        self.assertTrue(first.wait_screen('100'))
        # The first phone is off-line when its person sits down elsewhere: it comes up idle.
        first.power_off()
        self.log_in(second, 'HD0002')
        self.assertTrue(second.wait_screen('100'))
        first.boot()
        self.assertEqual((first.screen, first.keys()), ('HD0001', [('speed', '*77*')]))
        # The edge is killed; everybody is still who they were, and a log-out reaches the phone afterwards.
        self.edge.kill()
        self.edge.start()
        self.assertEqual(self.edge.extension_on('HD0002'), '100')
        second.boot()
        self.assertEqual(second.screen, '100')
        self.assertEqual(self.edge.ask('logout', device='HD0002')['ok'], True)
        self.assertTrue(second.wait_screen('HD0002'))

    def test_trap_16_killed_between_the_login_and_the_fetch(self):
        phone = self.phones[0]
        phone.kind = Deaf()
        self.log_in(phone, 'HD0001')
        self.assertTrue(wait_for(lambda: self.edge.extension_on('HD0001') == '100'))
        self.assertTrue(wait_for(lambda: self.edge.device('HD0001')['phone'] == 'notified'))
        self.edge.kill()
        self.edge.start()
        self.assertEqual(phone.screen, 'HD0001')
        phone.kind = vendors.KINDS['yealink']
        # It registers again, as phones do, and is told once more.
        phone._pause()
        phone.sip.register(120)
        phone.follow()
        self.assertTrue(phone.wait_screen('100'))
        self.assertTrue(wait_for(lambda: self.edge.device('HD0001')['phone'] == 'current'))

    def test_trap_16_the_phone_loses_power_between_the_login_and_the_fetch(self):
        phone = self.phones[1]
        phone.kind = Deaf()
        self.log_in(phone, 'HD0002')
        self.assertTrue(wait_for(lambda: self.edge.extension_on('HD0002') == '100'))
        phone.power_off()
        self.assertEqual(phone.screen, 'HD0002', 'it never fetched')
        phone.kind = vendors.KINDS['yealink']
        phone.boot()
        self.assertEqual((phone.screen, phone.keys()), ('100', [('speed', '*77*5*'), ('blf', '101'), ('blf', '102')]))
        # And again: the log-out comes while it is without power.
        phone.power_off()
        self.assertTrue(self.edge.ask('logout', device='HD0002')['ok'])
        phone.boot()
        self.assertEqual((phone.screen, phone.keys()), ('HD0002', [('speed', '*77*')]))

    def test_the_lamp_of_the_logout_key(self):
        phone = self.phones[0]
        self.log_in(phone, 'HD0001')
        self.assertTrue(phone.wait_screen('100'))
        phone._pause()
        code = phone.key('Logout').value
        _, response = phone.sip.request('SUBSCRIBE', phone.sip.uri(code), headers=[
            ('Event', 'dialog'), ('Accept', 'application/dialog-info+xml'), ('Expires', '600')])
        self.assertEqual(response.status, 200)
        on = phone.sip.wait(lambda m: m.method == 'NOTIFY' and not m.is_response and m.get('Event') == 'dialog', 5)
        phone.sip.reply(on, 200)
        self.assertIn(b'<state>confirmed</state>', on.body)
        self.edge.ask('logout', device='HD0001')
        off = phone.sip.wait(lambda m: m.method == 'NOTIFY' and not m.is_response and m.get('Event') == 'dialog', 5)
        phone.sip.reply(off, 200)
        self.assertIn(b'dialog-info', off.body)
        self.assertNotIn(b'<state>', off.body)
        self.assertEqual(off.cseq, on.cseq + 1)


class Deaf(type(vendors.KINDS['yealink'])):
    """Firmware that knows no check-sync."""

    def accepts(self, event):
        return False


class Alarm(unittest.TestCase):
    """A phone that never fetches is seen by who looks, and by what watches."""

    def test_a_phone_that_never_fetches(self):
        workspace = Workspace()
        self.addCleanup(workspace.close)
        branch = Branch(
            workspace, devices=('HD0001',), http=HTTP, provisioning=[f'networks = ["{NETWORK}"]'], models={'HD0001': ('yealink-t54w', MACS[0])})
        branch.start((), ())
        edge = branch.edge
        phone = SimPhone('yealink-t54w', MACS[0], network.address(61), FIRST)
        self.addCleanup(phone.power_off)
        phone.boot()
        self.assertIn('edgeproxy_phones{state="overdue"} 0', self.metrics(edge))
        phone.log_in('100', '4711', until=lambda: edge.extension_on('HD0001') == '100')
        self.assertTrue(phone.wait_screen('100'))
        self.assertTrue(wait_for(lambda: edge.device('HD0001')['phone'] == 'current'))
        lines = self.metrics(edge)
        self.assertIn('edgeproxy_phone_ready_seconds_count{model="yealink-t54w"} 1', lines)
        self.assertRegex('\n'.join(lines), r'edgeproxy_phone_ready_seconds_bucket\{model="yealink-t54w",le="\+Inf"\} 1')
        # From here on it does not know check-sync.
        phone.kind = Deaf()
        self.assertTrue(edge.ask('logout', device='HD0001')['ok'])
        self.assertTrue(wait_for(lambda: edge.device('HD0001')['phone'] == 'overdue', 20), edge.device('HD0001'))
        self.assertIn('edgeproxy_phones{state="overdue"} 1', self.metrics(edge))
        self.assertIn('HD0001: the phone has not fetched its configuration; it shows what was before', edge.status()['degraded'])
        status, text = edge.command('status', '--site', edge.site_path)
        self.assertEqual(status, 0)
        self.assertIn('(screen overdue)', text)
        self.assertTrue(edge.wait_log('the phone has not fetched its configuration'))

    @staticmethod
    def metrics(edge):
        return edge.ask('metrics')['metrics'].splitlines()


class Routers(unittest.TestCase):
    """A router phone carries its children: they are told to send to it, and the lists show who is behind whom."""

    def test_children_point_at_their_router_phone(self):
        workspace = Workspace()
        self.addCleanup(workspace.close)
        names = ('HD0001', 'HD0002', 'HD0003', 'HD0004')
        models = {name: ('yealink-t54w', f'80:5e:c0:ff:00:{n:02x}') for n, name in enumerate(names, 1)}
        router = network.address(62)
        branch = Branch(
            workspace, devices=names, http=HTTP, provisioning=[f'networks = ["{NETWORK}"]'], models=models,
            routers={'HD0002': (None, router), 'HD0001': ('HD0002', None), 'HD0004': ('HD0002', None)})
        branch.start((), ())
        phones = {name: SimPhone(*models[name], network.address(60 + n), FIRST) for n, name in enumerate(names, 1)}
        for phone in phones.values():
            phone.provision()
        sends = {name: (phone.settings.proxy_host, phone.settings.transport) for name, phone in phones.items()}
        self.assertEqual(sends, {'HD0001': (router, 'udp'), 'HD0002': (ADDRESS, 'udp'), 'HD0003': (ADDRESS, 'udp'), 'HD0004': (router, 'udp')})
        for arguments in (('status',), ('device', 'list')):
            status, text = branch.edge.command(*arguments, '--site', branch.edge.site_path)
            self.assertEqual(status, 0, text)
            rows = re.findall(r'(?m)^( *HD\d+)', text)
            self.assertEqual(rows, ['HD0002', '  HD0001', '  HD0004', 'HD0003'], text)


class Newcomer(unittest.TestCase):
    """The admin guide's way from a box to a working desk, command by command, on a running edge."""

    def test_from_the_label_on_the_box(self):
        workspace = Workspace()
        self.addCleanup(workspace.close)
        branch = Branch(workspace, devices=('HD0001',), http=HTTP, provisioning=[f'networks = ["{NETWORK}"]'], keys={'100': ('101',)})
        branch.start((), ())
        mac = '0c:38:3e:ee:00:01'

        def command(*arguments):
            status, text = branch.edge.command(*arguments, '--site', branch.edge.site_path)
            self.assertEqual(status, 0, text)
            return text
        self.assertIn('fanvil-x5u', branch.edge.command('models', '--vendor', 'fanvil')[1])
        command('device', 'add', 'HD0007', '--mac', mac, '--model', 'fanvil-x5u', '--location', 'desk 7')
        command('check')
        self.assertIn('is in force', command('reload'))
        self.assertRegex(command('device', 'list'), rf'(?m)^HD0007 +{mac} +fanvil-x5u .* by hand ')
        address = re.search(r'(?m)^HD0007 .* (http://\S+)', command('redirect', 'list'))[1]
        phone = SimPhone('fanvil-x5u', mac, network.address(77), address.replace('$mac', mac.replace(':', '')))
        self.addCleanup(phone.power_off)
        phone.boot()
        self.assertEqual(phone.screen, 'HD0007')
        phone.log_in('100', '4711')
        self.assertTrue(phone.wait_screen('100'))
        self.assertEqual(phone.keys(), [('speed', '*77*5*'), ('blf', '101')])
        self.assertRegex(command('status'), r'(?m)^HD0007 .* 100 Alice Smith ')
        command('device', 'remove', 'HD0007')
        command('reload')
        phone.power_off()
        phone.factory_reset(address.replace('$mac', mac.replace(':', '')))
        phone.provision()
        self.assertIsNone(phone.settings, 'it is nobody now')


class PowerCycle(unittest.TestCase):
    """A hundred phones lose their power at once, and come back at once."""
    COUNT = 100

    def test_a_hundred_phones_boot_at_once(self):
        workspace = Workspace()
        self.addCleanup(workspace.close)
        names = [f'HD{n:04d}' for n in range(1, self.COUNT + 1)]
        models = {name: ('yealink-t54w', f'80:5e:c0:cc:00:{n:02x}') for n, name in enumerate(names, 1)}
        branch = Branch(workspace, devices=tuple(names), http=HTTP, provisioning=[f'networks = ["{NETWORK}"]'], models=models)
        branch.start((), ())
        phones = [SimPhone('yealink-t54w', models[name][1], network.address(100 + n % 100), FIRST) for n, name in enumerate(names)]
        for boot in ('out of the box', 'after a power failure'):
            with self.subTest(boot), concurrent.futures.ThreadPoolExecutor(self.COUNT) as pool:
                began = time.monotonic()
                for run in [pool.submit(phone.boot, False) for phone in phones]:
                    run.result()
                print(f'{self.COUNT} phones {boot}: {time.monotonic() - began:.1f} s', flush=True)
                self.assertEqual([phone.screen for phone in phones], names)
                self.assertEqual(sum(device['registered'] for device in branch.edge.status()['devices']), self.COUNT)
        for phone in phones:
            phone.power_off()


def from_dhcp(text, mac):
    """The address in option 66 of a dnsmasq configuration, as the phone fills it in."""
    found = re.search(r'^dhcp-option=tag:yealink,66,"([^"]+)"$', text, re.M)
    return found[1].replace('$mac', mac.replace(':', '')) if found else None


class ZeroTouch(unittest.TestCase):
    """Phones find the edge by themselves."""

    @classmethod
    def setUpClass(cls):
        cls.workspace = Workspace()
        cls.addClassCleanup(cls.workspace.close)
        names = [f'HD{n:04d}' for n in range(1, 6)]
        models = {name: ('yealink-t54w', f'80:5e:c0:dd:{network.NETWORK:02x}:{n:02x}') for n, name in enumerate(names, 1)}
        models['HD0004'] = ('snom-d785', f'00:04:13:dd:{network.NETWORK:02x}:04')
        cls.macs = {name: mac for name, (_, mac) in models.items()}
        cls.branch = Branch(
            cls.workspace, devices=tuple(names), http=HTTP, provisioning=[f'networks = ["{NETWORK}"]'], models=models)
        cls.branch.start((), ())

    def test_a_phone_finds_its_server_by_multicast(self):
        address = network.address(90)
        phone = SimPhone('yealink-t54w', self.macs['HD0001'], address, discovery.server_by_pnp(address, self.macs['HD0001']))
        self.addCleanup(phone.power_off)
        self.assertEqual(phone.server, FIRST)
        phone.boot()
        self.assertEqual(phone.screen, 'HD0001')
        self.assertFalse(phone.settings.pnp, 'it looks for no server any more')
        self.assertIsNone(discovery.server_by_pnp(address, self.macs['HD0001']), 'who is set up is not told again')

    def test_a_phone_finds_its_server_by_dhcp(self):
        status, text = self.branch.edge.command('dhcp-options', '--server', 'dnsmasq', '--site', self.branch.edge.site_path)
        self.assertEqual(status, 0, text)
        mac = self.macs['HD0005']
        phone = SimPhone('yealink-t54w', mac, network.address(95), from_dhcp(text, mac))
        self.addCleanup(phone.power_off)
        self.assertEqual(phone.boot().screen, 'HD0005')

    def test_snom_is_sent_to_a_file(self):
        address, mac = network.address(91), self.macs['HD0004']
        server = discovery.server_by_pnp(address, mac, vendor='snom', model='snomD785', form='MAC%3A{}')
        self.assertEqual(server, FIRST + mac.replace(':', '').upper() + '.xml')
        phone = SimPhone('snom-d785', mac, address, server)
        self.addCleanup(phone.power_off)
        self.assertEqual(phone.boot().screen, 'HD0004')

    def test_trap_24_repetitions_make_one_notify(self):
        with discovery.PnP(network.address(92), self.macs['HD0002'], branch=False) as phone:
            responses, notifies = phone.ask(times=3).hear()
        self.assertEqual(len(responses), 3)
        self.assertEqual(len({response.tag('To') for response in responses}), 1)
        self.assertEqual(len(notifies), 1)
        self.assertEqual(notifies[0].tag('From'), responses[0].tag('To'))

    def test_strangers_hear_nothing(self):
        for mac in ('80:5e:c0:00:00:00', 'not-a-mac'):
            with self.subTest(mac), discovery.PnP(network.address(93), mac) as phone:
                self.assertEqual(phone.ask().hear(), ([], []))

    def test_trap_12_the_answer_goes_to_where_the_question_came_from(self):
        # Its Contact names another address; the ports are its own, too.
        with discovery.PnP(network.address(94), self.macs['HD0003']) as phone:
            responses, notifies = phone.ask().hear()
        self.assertEqual((len(responses), len(notifies)), (1, 1))
        self.assertIn(ADDRESS, notifies[0].get('Contact'))
