"""Vendors' redirect services: the real edge tells each of its phones, by that vendor's own protocol, and a phone out of its
box that asks its vendor finds the edge."""
import os
import unittest

from simphones.phone import SimPhone, wait_for
from testbed import network, redirect
from testbed.branch import Branch
from testbed.edge import ADDRESS
from testbed.pki import Authority, SitePKI
from testbed.processes import Workspace

HTTP = 8080
FIRST = f'http://{ADDRESS}:{HTTP}/prov/'
NETWORK = network.address(0) + '/24'
MODELS = {'HD0001': ('yealink-t54w', '80:5e:c0:aa:bb:01'), 'HD0002': ('snom-d785', '00:04:13:aa:bb:02'),
          'HD0003': ('fanvil-x5u', '0c:38:3e:aa:bb:03'), 'HD0004': ('grandstream-grp2614', 'c0:74:ad:aa:bb:04')}
#: Service in the site file, class, address.
NEW = {'yealink': ('rps', redirect.YealinkRPS, 121), 'snom': ('sraps', redirect.SnomSRAPS, 122), 'fanvil': ('fdps', redirect.FanvilFDPS, 123)}
OLD = {'yealink': ('xmlrpc', redirect.YealinkXMLRPC, 124), 'snom': ('xmlrpc', redirect.SnomXMLRPC, 125), 'fanvil': ('fdps', redirect.FanvilFDPS, 126)}
SECRET = 'redirect-s3cret'


class Bed:
    """A branch whose phones' vendors are services of our own."""

    def __init__(self, test, kinds, trusted=True, environment=None, devices=tuple(MODELS), outage=None):
        self.workspace = Workspace()
        test.addCleanup(self.workspace.close)
        pki = SitePKI(self.workspace.path('pki'))
        authority = pki.authority if trusted else Authority(self.workspace.path('other'), 'Somebody else')
        hosts = [f'IP:{network.address(host)}' for _, _, host in kinds.values()]
        certificate = authority.issue('vendors', 'vendors', hosts)
        self.services = {}
        lines = []
        for vendor, (name, kind, host) in kinds.items():
            service = kind(network.address(host), 8443, certificate, f'{vendor}-user', SECRET)
            service.outage = outage
            test.addCleanup(service.close)
            self.services[vendor] = service
            secret = f'secret_env = "{environment}"' if environment else f'secret_file = "secrets/{vendor}"'
            lines += [f'[redirect.{vendor}]', f'service = "{name}"', f'url = "{service.url}"', f'user = "{service.user}"', secret,
                      f'ca = "{pki.ca}"', '']
        self.lines = lines
        self.branch = Branch(
            self.workspace, pki=pki, devices=devices, http=HTTP, models=MODELS,
            provisioning=[f'networks = ["{NETWORK}"]', '', *lines])
        self.edge = self.branch.edge
        for vendor in kinds:
            self.branch.site._secret(vendor, SECRET)
        self.branch.start((), ())

    def state(self, device):
        return ((self.edge.device(device) or {}).get('redirect') or {}).get('state')

    def wait(self, state, devices=('HD0001', 'HD0002', 'HD0003')):
        return wait_for(lambda: all(self.state(device) == state for device in devices))

    def rewrite(self, devices=tuple(MODELS), lines=None):
        site = self.branch.site
        site.devices = devices
        site.provisioning = [f'networks = ["{NETWORK}"]', '', *(self.lines if lines is None else lines)]
        site.write()

    def command(self, *arguments):
        return self.edge.command(*arguments, '--site', self.edge.site_path)


def bare(device):
    return MODELS[device][1].replace(':', '')


class Services(unittest.TestCase):
    """Each vendor's protocol, from the site file to the phone's screen."""

    def test_the_newer_services(self):
        self.whole_way(NEW)

    def test_the_older_services(self):
        self.whole_way(OLD)

    def whole_way(self, kinds):
        bed = Bed(self, kinds)
        for service in bed.services.values():
            service.chunked = kinds is OLD
        self.assertTrue(bed.wait('registered'), bed.edge.log()[-3000:])
        for device, vendor in (('HD0001', 'yealink'), ('HD0002', 'snom'), ('HD0003', 'fanvil')):
            model, mac = MODELS[device]
            # What its vendor tells it, is where it finds the edge.
            server = bed.services[vendor].server_of(bare(device))
            phone = SimPhone(model, mac, network.address(60 + int(device[-1])), server)
            self.addCleanup(phone.power_off)
            self.assertEqual(phone.boot(False).screen, device, phone.fetcher.seen)
            self.assertFalse(bed.services[vendor].denied, 'every request was signed as it has to be')
        self.assertIsNone(bed.state('HD0004'), 'a vendor without a service')
        log = bed.edge.log()
        self.assertNotIn(SECRET, log)
        # It is on disk: a new start asks nobody.
        counts = {vendor: len(service.requests) for vendor, service in bed.services.items()}
        bed.edge.kill()
        bed.edge.start()
        self.assertTrue(bed.wait('registered'))
        self.assertEqual(counts, {vendor: len(service.requests) for vendor, service in bed.services.items()})
        # Who is taken out of the site is taken out there.
        bed.rewrite(devices=('HD0004',))
        bed.edge.reload()
        gone = lambda: not any(service.server_of(bare(device)) for service in bed.services.values() for device in MODELS)
        self.assertTrue(wait_for(gone), bed.edge.log()[-2000:])
        self.assertTrue(wait_for(lambda: not bed.edge.status().get('leavingRedirects')))


class Trouble(unittest.TestCase):
    """What can go wrong with somebody else's service."""

    def test_a_wrong_secret_rests_the_service_and_a_right_one_mends_it(self):
        bed = Bed(self, NEW)
        self.assertTrue(bed.wait('registered'))
        bed.branch.site._secret('yealink', 'wrong')
        bed.branch.site.models = MODELS | {'HD0001': ('yealink-t54w', '80:5e:c0:aa:bb:f1')}
        bed.rewrite()
        bed.edge.reload()
        self.assertTrue(bed.wait('failed', ('HD0001',)), bed.edge.log()[-2000:])
        self.assertIn('does not accept our account', bed.edge.device('HD0001')['redirect']['problem'])
        self.assertTrue(bed.wait('registered', ('HD0002', 'HD0003')))
        status, text = bed.command('redirect', 'check')
        self.assertEqual(status, 1)
        self.assertIn('Snom SRAPS: the account is good', text)
        self.assertIn('Yealink RPS: it does not accept our account', text)
        bed.branch.site._secret('yealink', SECRET)
        bed.edge.reload()
        wait_for(lambda: bed.edge.log().count('is in force') >= 2)
        self.assertEqual(bed.command('redirect', 'retry', 'HD0001')[0], 0)
        self.assertTrue(bed.wait('registered', ('HD0001',)))
        # The handset before is taken out, once the service knows us again.
        self.assertTrue(wait_for(lambda: bed.services['yealink'].server_of(bare('HD0001')) is None), bed.edge.log()[-2000:])

    def problem(self, bed, device):
        return bed.edge.device(device)['redirect']['problem']

    def test_outages_refusals_and_links_elsewhere(self):
        bed = Bed(self, NEW, outage=503)
        desks = ('HD0001', 'HD0002', 'HD0003')
        self.assertTrue(bed.wait('failed', desks))
        for device in desks:
            self.assertIn('status 503', self.problem(bed, device))
            self.assertIsNotNone(bed.edge.device(device)['redirect']['nextTry'])
        # The services are back, and say that the phones are somebody else's.
        for service in bed.services.values():
            service.foreign, service.outage = {bare(device) for device in MODELS}, None
        self.assertEqual(bed.command('redirect', 'retry')[0], 0)
        self.assertTrue(wait_for(lambda: not any('503' in self.problem(bed, device) for device in desks)))
        self.assertIn('another account', self.problem(bed, 'HD0001'))
        self.assertIn('belongs to another company', self.problem(bed, 'HD0002'))
        self.assertNotIn('\x1b', self.problem(bed, 'HD0002') + bed.edge.log())
        self.assertIn('device_owned_by_other_user & <more>', self.problem(bed, 'HD0003'))
        self.assertIn('Redirect services: 0 of 3 phones registered', bed.command('status')[1])
        # One answers with links to another host: nothing signed goes there.
        for service in bed.services.values():
            service.foreign = set()
        bed.services['snom'].links_to = bed.services['fanvil'].url.replace('/xmlrpc.php', '/api/v1/')
        before = len(bed.services['fanvil'].requests)
        self.assertEqual(bed.command('redirect', 'retry', 'HD0002')[0], 0)
        self.assertTrue(wait_for(lambda: 'another host' in self.problem(bed, 'HD0002')))
        self.assertEqual(len(bed.services['fanvil'].requests), before)
        bed.services['snom'].links_to = None
        bed.command('redirect', 'retry')
        self.assertTrue(bed.wait('registered', desks))

    def test_a_service_nobody_vouches_for_is_told_nothing(self):
        bed = Bed(self, NEW, trusted=False)
        self.assertTrue(bed.wait('failed', ('HD0001', 'HD0002', 'HD0003')))
        for device, vendor in (('HD0001', 'yealink'), ('HD0002', 'snom'), ('HD0003', 'fanvil')):
            self.assertIn('nobody we trust vouches', bed.edge.device(device)['redirect']['problem'])
            self.assertEqual(bed.services[vendor].requests, [])

    def test_a_secret_in_the_environment(self):
        os.environ['EDGE_TEST_SECRET'] = SECRET
        self.addCleanup(os.environ.pop, 'EDGE_TEST_SECRET')
        bed = Bed(self, {'yealink': NEW['yealink']}, environment='EDGE_TEST_SECRET')
        self.assertTrue(bed.wait('registered', ('HD0001',)))
        # The lists say what is left to people.
        status, text = bed.command('device', 'list')
        self.assertEqual(status, 0)
        self.assertRegex(text, r'(?m)^HD0001 .* registered ')
        self.assertRegex(text, r'(?m)^HD0004 .* by hand ')
        _, text = bed.command('redirect', 'list')
        self.assertRegex(text, rf'(?m)^HD0002 .* by hand +{FIRST}\{{mac\}}\.xml')
        self.assertRegex(text, rf'(?m)^HD0004 .* by hand +{FIRST}')
        del os.environ['EDGE_TEST_SECRET']
        try:
            status, text = bed.command('check')
            self.assertEqual(status, 0)
            self.assertIn('EDGE_TEST_SECRET is not set here', text)
            status, text = bed.command('redirect', 'check')
            self.assertEqual(status, 1)
            self.assertIn('EDGE_TEST_SECRET is not set', text)
        finally:
            os.environ['EDGE_TEST_SECRET'] = SECRET
