"""What raw SIP may and may not do. The judge is the PBX: what reached it counts, not what was answered."""
import time
import unittest

from testbed import network
from testbed.branch import Branch
from testbed.desk import Desk, log_in
from testbed.edge import ADDRESS
from testbed.interop import shows
from testbed.pbx import DOMAIN
from testbed.processes import Workspace
from testbed.sip import SIPClient, offer, token

EMERGENCY_SPELLINGS = (
    'sip:112@{edge}', 'sip:911@{domain}', 'sip:999@{edge};user=phone', 'sips:112@{domain}', 'tel:911',
    'tel:911;phone-context=+1', 'sip:9-1-1@{edge}', 'tel:9.1.1', 'sip:%39%31%31@{edge}', 'sip:112@evil.example:5099',
    'urn:service:sos', 'urn:service:sos.police', 'URN:Service:SOS')
REFUSED_SPELLINGS = (
    'sip:101@{edge}', 'sip:1123@{edge}', 'sip:9112@{domain}', 'tel:101', 'tel:+4930123', 'sip:*62@{edge}',
    'sip:101@{edge};user=phone', 'sip:112x@{edge}', 'sip:{edge}')
BROKEN_SPELLINGS = ('sip:911%40evil@{edge}', 'sip:911%00@{edge}', 'sip:911%0d%0a@{edge}', 'sip:9%1@{edge}')
OTHER_METHODS = ('MESSAGE', 'SUBSCRIBE', 'PUBLISH', 'INFO', 'NOTIFY', 'REFER', 'UPDATE')


def spelled(text):
    return text.format(edge=ADDRESS, domain=DOMAIN)


class Policy:
    client = 'raw SIP'
    transport = 'udp'

    @classmethod
    def setUpClass(cls):
        cls.workspace = Workspace()
        cls.addClassCleanup(cls.workspace.close)
        cls.branch = Branch(cls.workspace, devices=('HD0001', 'HD0002', 'HD0003'), not_hot_desk=('103',))
        cls.branch.start((), ())

    def setUp(self):
        self.branch.pbx.mark()
        self.desk = Desk('HD0001', self.transport)
        self.addCleanup(self.desk.close)
        self.desk.sign_on()

    def reached(self):
        time.sleep(0.2)
        return [f'{r.method} {r.target}' for r in self.branch.calls_at_pbx()]

    def assert_refused(self, status, allowed=(403,)):
        self.assertIn(status, allowed)
        self.assertEqual(self.reached(), [])

    def test_idle_methods_are_refused(self):
        for method in OTHER_METHODS:
            with self.subTest(method):
                headers = {'SUBSCRIBE': [('Event', 'presence')], 'NOTIFY': [('Event', 'presence')],
                           'PUBLISH': [('Event', 'presence')], 'REFER': [('Refer-To', f'<sip:102@{DOMAIN}>')]}
                _, response = self.desk.request(method, self.desk.uri('101'), headers=headers.get(method, ()))
                self.assert_refused(response.status if response else 0)

    def test_idle_targets_are_refused(self):
        for text in REFUSED_SPELLINGS:
            with self.subTest(text):
                self.assert_refused(self.desk.try_call(spelled(text)), (403, 404, 416, 484))

    def test_broken_targets_are_bad_requests(self):
        for text in BROKEN_SPELLINGS:
            with self.subTest(text):
                self.assert_refused(self.desk.try_call(spelled(text)), (400,))

    @shows('emergency')
    def test_emergency_in_every_spelling(self):
        for text in EMERGENCY_SPELLINGS:
            with self.subTest(text):
                self.branch.pbx.mark()
                # Nobody is registered as the answer point here: the PBX says 480 for itself.
                self.assertIn(self.desk.try_call(spelled(text)), (480,))
                invite = self.branch.pbx.wait_for(2, method='INVITE')
                self.assertIsNotNone(invite, 'no emergency call reached the PBX')
                self.assertIn(invite.target, ('112', '911', '999'))
                self.assertIn(DOMAIN, invite.uri)

    def test_invented_dialog(self):
        for method in ('INVITE', 'BYE', 'INFO', 'REFER', 'UPDATE', 'MESSAGE'):
            with self.subTest(method):
                _, response = self.desk.request(method, self.desk.uri('101'), to=f'<sip:101@{DOMAIN}>;tag={token()}')
                self.assert_refused(response.status if response else 0, (481,))

    def test_preloaded_route_does_not_help(self):
        pbx = network.PBX
        for route in (f'<sip:{pbx}:5060;lr>', f'<sip:{pbx}:5061;transport=tls;lr>', f'<sip:{ADDRESS};lr>, <sip:{pbx};lr>'):
            with self.subTest(route):
                self.assert_refused(self.desk.try_call('101', routes=(route,)))

    def test_refusal_with_a_hint(self):
        self.assert_refused(self.desk.try_call('101', hint=True))

    def test_identity_headers_do_not_help(self):
        headers = [('P-Asserted-Identity', f'<sip:100@{DOMAIN}>'), ('X-Emergency', '112'), ('Priority', 'emergency'),
                   ('Resource-Priority', 'esnet.0'), ('To', f'<sip:112@{DOMAIN}>')]
        self.assert_refused(self.desk.try_call('101', headers=headers[:-1], to=headers[-1][1]))

    def test_hot_desk_codes_are_not_forwarded(self):
        for code in ('*77*5*', '*77*5', '%2A77%2A5%2A'):
            with self.subTest(code):
                self.assertIn(self.desk.try_call(code), (200, 403, 480))
                self.assertEqual(self.reached(), [])

    def test_registrations_that_are_refused(self):
        for name, user, password, allowed in (
                ('wrong password', 'HD0002', 'wrong', (401, 403)), ('unknown device', 'HD9999', 'x', (401, 403, 404)),
                ('an extension, as if it were a device', '100', 'demo-100', (401, 403, 404))):
            with self.subTest(name), Desk(user, self.transport, password=password) as probe:
                self.assertIn(probe.register().status, allowed)
                self.assertEqual(self.reached(), [])
        self.assertFalse(self.branch.edge.device('HD0002')['registered'])

    def test_registering_another_device_is_refused(self):
        with Desk('HD0002', self.transport, password='demo-HD0001', auth_user='HD0001') as probe:
            self.assertIn(probe.register().status, (401, 403))
        self.assertFalse(self.branch.edge.device('HD0002')['registered'])

    def test_an_address_is_no_identity(self):
        with SIPClient('HD0001', 'x', ADDRESS, (ADDRESS, 5060), transport=self.transport) as stranger:
            self.assert_refused(stranger.invite('101')[0].status, (401, 403, 407))

    @shows('options')
    def test_options(self):
        _, response = self.desk.request('OPTIONS', f'sip:{ADDRESS}')
        self.assertEqual(response.status, 200)

    @shows('login', 'info')
    def test_login_by_info(self):
        for kind in ('relay', 'plain'):
            with self.subTest(kind):
                log_in(self.branch.edge, self.desk, '100', kind=kind)
                self.assertIsNotNone(self.branch.pbx.wait_for(4, method='REGISTER', from_user='100'))
                self.branch.edge.ask('logout', device='HD0001')
                self.assertTrue(self.branch.edge.wait_extension('HD0001', None, 3))

    def test_login_that_asks_for_the_extension(self):
        for code in ('*77*', '*77'):
            with self.subTest(code):
                log_in(self.branch.edge, self.desk, '101', code=code, before=('101#',))
                self.branch.edge.ask('logout', device='HD0001')

    def test_login_codes_in_other_spellings(self):
        for code in ('*77*100', '%2A77%2A100%2A', '*77*100*;user=phone'):
            with self.subTest(code):
                target = f'sip:{code.split(";")[0]}@{ADDRESS}' + (';user=phone' if ';' in code else '')
                log_in(self.branch.edge, self.desk, '100', code=target)
                self.branch.edge.ask('logout', device='HD0001')
                self.assertTrue(self.branch.edge.wait_extension('HD0001', None, 3))

    def test_login_without_permission(self):
        with Desk('HD0003', self.transport, network.address(16)) as desk:
            desk.sign_on()
            for number, pin in (('103', None), ('555', '1234')):
                failed = f'loginFailed device=HD0003 extension={number}'
                desk.type_login(number, pin, until=lambda: failed in self.branch.edge.log())
                self.assertIn(failed, self.branch.edge.log())
                self.assertIsNone(self.branch.edge.extension_on('HD0003'))
        self.assertEqual(self.branch.pbx.requests(method='REGISTER', from_user='103'), [])

    def test_two_desks_with_one_call_id(self):
        with Desk('HD0003', self.transport, network.address(16)) as other:
            other.sign_on()
            shared = dict(call_id=token(), from_tag='same', branch='z9hG4bKsame' + token(3),
                          headers=[('Content-Type', 'application/sdp')])
            other.send(other.build('INVITE', other.uri('112'), body=offer(other.local), **shared))
            # The edge challenges the idle desk over UDP; the emergency call beside it is never asked for anything.
            _, refused = self.desk.request('INVITE', self.desk.uri('101'), body=offer(self.desk.local), **shared)
            self.assertEqual(refused.status, 403)
            self.assertEqual(other.wait(lambda m: m.is_response and m.status >= 200, 5).status, 480)
            self.assertEqual(set(self.reached()), {'INVITE 112'})


class PolicyOverUDP(Policy, unittest.TestCase):
    transport = 'udp'


class PolicyOverTCP(Policy, unittest.TestCase):
    transport = 'tcp'

    def test_split_at_every_byte(self):
        request = self.desk.build('INVITE', self.desk.uri('101'), body=offer(self.desk.local),
                                  headers=[('Content-Type', 'application/sdp')])
        for byte in request.encoded():
            self.desk.send_bytes(bytes([byte]))
        final = self.desk.wait(lambda m: m.is_response and m.status >= 200 and m.branch == request.branch, 6)
        self.assert_refused(final.status if final else 0)

    def test_two_requests_in_one_segment(self):
        requests = [self.desk.build('MESSAGE', self.desk.uri('101'), body=b'hello') for _ in range(2)]
        self.desk.send_bytes(b''.join(r.encoded() for r in requests))
        for request in requests:
            final = self.desk.wait(lambda m: m.is_response and m.branch == request.branch and m.status >= 200, 4)
            self.assert_refused(final.status if final else 0)

    def test_other_protocols_do_no_harm(self):
        for data in (b'GET / HTTP/1.1\r\nHost: edge\r\n\r\n', b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' + b'\0' * 60,
                     b'\r\n' * 2000, b'INVITE sip:101@x SIP/2.0\r\nContent-Length: -5\r\n\r\n',
                     b'INVITE sip:101@x SIP/2.0\r\nContent-Length: 99999999999\r\n\r\n'):
            with self.subTest(data[:16]), Desk('HD0001', 'tcp') as probe:
                probe.send_bytes(data)
                time.sleep(0.1)
        _, response = self.desk.request('OPTIONS', f'sip:{ADDRESS}')
        self.assertEqual(response.status, 200)
        self.assertEqual(self.reached(), [])


class SecondLoginRefused(unittest.TestCase):
    client = 'raw SIP'

    @shows('second-login')
    def test_second_login_is_refused(self):
        with Workspace() as workspace:
            branch = Branch(workspace, second_login='refuse').start((), ())
            with Desk('HD0001') as one, Desk('HD0002', local=network.address(16)) as two:
                one.sign_on()
                two.sign_on()
                log_in(branch.edge, one, '100')
                failed = 'loginFailed device=HD0002 extension=100'
                two.type_login('100', until=lambda: failed in branch.edge.log())
                self.assertIn(failed, branch.edge.log())
                self.assertIsNone(branch.edge.extension_on('HD0002'))
                self.assertEqual(branch.edge.extension_on('HD0001'), '100')
