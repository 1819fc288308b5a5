"""The trunk in trouble, and the edge itself in trouble: what must go on, and what must never happen."""
import os
import re
import socket
import sqlite3
import time
import unittest

from testbed.branch import Branch
from testbed.desk import Desk, log_in
from testbed.edge import ADDRESS
from testbed.pbx import DOMAIN, DemoPBX
from testbed.pki import Authority, SitePKI
from testbed.processes import PeerError, Workspace, wait_until
from testbed.sip import SIPClient


class WithWorkspace(unittest.TestCase):
    def setUp(self):
        self.workspace = Workspace()
        self.addCleanup(self.workspace.close)

    def desk(self, name='HD0001', local='127.0.0.14', **options):
        desk = Desk(name, local=local, **options)
        self.addCleanup(desk.close)
        return desk.sign_on()

    def trunk_up(self, branch, index=0, seconds=20):
        return wait_until(lambda: branch.edge.status()['nodes'][index]['up'], seconds, 0.1)


class Verification(WithWorkspace):
    def stays_down(self, branch):
        branch.edge.start(trunk=False)
        time.sleep(3)
        self.assertFalse(any(node['up'] for node in branch.edge.status()['nodes']))
        self.assertEqual([r for r in branch.pbx.requests(stage='seen', everything=True) if r.address != branch.pbx.address], [])
        with Desk() as desk:
            desk.sign_on()
            began = time.monotonic()
            self.assertIn(desk.try_call('112'), (480, 500, 503))
            self.assertLess(time.monotonic() - began, 5)

    def test_certificate_of_another_authority(self):
        other = Authority(self.workspace.path('other'), 'Another CA')
        branch = Branch(self.workspace, ca=other.certificate)
        branch.pbx.start()
        self.stays_down(branch)

    def test_certificate_of_another_name(self):
        pki = SitePKI(self.workspace.path('pki'))
        leaf = pki.authority.issue('wrong', 'other.example', ['DNS:other.example', 'IP:127.0.0.99'])
        branch = Branch(self.workspace, pki=pki, pbx_options={'certificate': leaf})
        branch.pbx.start()
        self.stays_down(branch)

    def test_client_certificate_is_shown(self):
        branch = Branch(self.workspace, pbx_options={'require_client_certificate': True})
        branch.start((), ())
        self.assertTrue(self.trunk_up(branch))


class Outage(WithWorkspace):
    def test_pbx_down_from_the_start(self):
        branch = Branch(self.workspace, gateway='127.0.0.40:5060')
        branch.edge.start(trunk=False)
        desk = self.desk()
        began = time.monotonic()
        self.assertEqual(desk.try_call('101'), 403)
        self.assertLess(time.monotonic() - began, 2)
        with SIPClient('fxo', '', ADDRESS, (ADDRESS, 5060), '127.0.0.40', port=5060) as gateway:
            request = desk.build('INVITE', desk.uri('112'), headers=[('Content-Type', 'application/sdp')],
                                 body=b'v=0\r\no=- 1 1 IN IP4 127.0.0.14\r\ns=-\r\nc=IN IP4 127.0.0.14\r\nt=0 0\r\n'
                                      b'm=audio 30000 RTP/AVP 8\r\n')
            desk.send(request)
            call = gateway.wait_request('INVITE', 6)
            self.assertIsNotNone(call, 'the gateway got no emergency call')
            self.assertIn('112', call.uri)
            gateway.accept(call)
            self.assertIsNotNone(desk.wait(lambda m: m.status == 200 and m.branch == request.branch, 5))
        branch.pbx.start()
        self.assertTrue(self.trunk_up(branch, seconds=35), 'the trunk did not come up after the PBX did')

    def test_emergency_without_any_route_ends_quickly(self):
        branch = Branch(self.workspace)
        branch.edge.start(trunk=False)
        desk = self.desk()
        began = time.monotonic()
        self.assertGreaterEqual(desk.try_call('112'), 480)
        self.assertLess(time.monotonic() - began, 5)

    def test_pbx_dies_and_comes_back(self):
        branch = Branch(self.workspace).start((), ())
        desk = self.desk()
        log_in(branch.edge, desk)
        branch.pbx.kill()
        self.assertTrue(wait_until(lambda: not branch.edge.status()['nodes'][0]['up'], 10, 0.1))
        self.assertEqual(branch.edge.extension_on('HD0001'), '100')
        began = time.monotonic()
        self.assertGreaterEqual(desk.try_call('101'), 480)
        self.assertLess(time.monotonic() - began, 5)
        branch.pbx.start()
        branch.pbx.mark()
        self.assertIsNotNone(branch.pbx.wait_for(35, method='REGISTER', from_user='100'), '100 was not registered again')
        self.assertIsNotNone(branch.pbx.wait_for(10, method='REGISTER', from_user='branch-01'))

    def test_logout_while_the_pbx_is_down(self):
        branch = Branch(self.workspace).start((), ())
        desk = self.desk()
        log_in(branch.edge, desk)
        branch.pbx.kill()
        response, dialog = desk.invite('*77*5*')
        if dialog and not desk.wait_end(8):
            desk.hang_up(dialog)
        self.assertTrue(branch.edge.wait_extension('HD0001', None, 3))

    def test_second_node_takes_over(self):
        pki = SitePKI(self.workspace.path('pki'), pbx_addresses=('127.0.0.20', '127.0.0.21'))
        branch = Branch(self.workspace, pki=pki, servers=('127.0.0.20:5061', '127.0.0.21:5061'))
        second = DemoPBX(self.workspace, pki, '127.0.0.21', name='pbx2').start()
        branch.start((), ())
        desk = self.desk()
        log_in(branch.edge, desk)
        self.assertTrue(self.trunk_up(branch, 1))
        branch.pbx.kill()
        self.assertIsNotNone(second.wait_for(15, method='REGISTER', from_user='100'), '100 did not move to the second node')
        self.assertEqual(desk.try_call('101'), 480)
        self.assertIsNotNone(second.wait_for(3, method='INVITE', target='101', from_user='100'))

    def test_pbx_refuses_the_extension(self):
        branch = Branch(self.workspace, pbx_options={'refused_registrations': ('102',)}).start((), ())
        desk = self.desk()
        desk.type_login('102')
        self.assertTrue(branch.edge.wait_extension('HD0001', None, 5))
        self.assertEqual(desk.try_call('101'), 403)

    def test_sha256_and_stale_nonces(self):
        branch = Branch(self.workspace, pbx_options={'algorithm': 'SHA-256', 'nonce_expire': 2}).start((), ())
        desk = self.desk()
        log_in(branch.edge, desk)
        for _ in range(2):
            time.sleep(2.5)
            branch.pbx.mark()
            self.assertEqual(desk.try_call('101'), 480)
            self.assertIsNotNone(branch.pbx.wait_for(2, method='INVITE', target='101', from_user='100'))


class Persistence(WithWorkspace):
    def test_sessions_survive_a_kill(self):
        branch = Branch(self.workspace).start((), ())
        desk = self.desk()
        log_in(branch.edge, desk)
        branch.edge.kill()
        branch.pbx.mark()
        branch.edge.start()
        self.assertEqual(branch.edge.extension_on('HD0001'), '100')
        self.assertTrue(branch.edge.device('HD0001')['registered'], 'the binding of the device is lost')
        self.assertIsNotNone(branch.pbx.wait_for(5, method='REGISTER', from_user='100'))
        self.assertEqual(desk.try_call('101'), 480)
        self.assertIsNotNone(branch.pbx.wait_for(2, method='INVITE', target='101', from_user='100'))

    def test_lockouts_survive_a_kill(self):
        branch = Branch(self.workspace).start((), ())
        desk = self.desk()
        response, dialog = desk.invite('*77*100*')
        time.sleep(0.4)
        for pin in ('0000#', '0001#', '0002#'):
            desk.press_by_info(dialog, pin)
            time.sleep(1.2)
        desk.wait_end(15)
        branch.edge.kill()
        branch.edge.start()
        desk.type_login('100')
        self.assertIsNone(branch.edge.extension_on('HD0001'))
        self.assertEqual(branch.pbx.requests(method='REGISTER', from_user='100', everything=True), [])

    def test_call_outlives_logout(self):
        branch = Branch(self.workspace).start(('101',), ())
        desk = self.desk()
        log_in(branch.edge, desk)
        response, dialog = desk.invite('101')
        self.assertIsNotNone(dialog, 'the call was not answered')
        branch.edge.ask('logout', device='HD0001')
        self.assertTrue(branch.edge.wait_extension('HD0001', None, 3))
        self.assertIsNone(branch.phone('101').closed(1.5), 'the call ended with the session')
        self.assertEqual(desk.try_call('102'), 403)
        self.assertEqual(desk.hang_up(dialog), 200)
        self.assertIsNotNone(branch.phone('101').closed(3))

    def test_reload(self):
        branch = Branch(self.workspace).start((), ())
        desk = self.desk()
        log_in(branch.edge, desk)
        text = open(branch.site.path).read()
        with open(branch.site.path, 'w') as f:
            f.write(text.replace('numbers = ["112"', 'numbers = ["100", "112"'))
        branch.edge.reload()
        time.sleep(1)
        self.assertTrue(branch.edge.process.running)
        self.assertEqual(branch.edge.extension_on('HD0001'), '100')
        with open(branch.site.path, 'w') as f:
            f.write(text.replace('Alice Smith', 'Alice Jones'))
        branch.edge.reload()
        self.assertTrue(wait_until(lambda: branch.edge.device('HD0001')['person'] == 'Alice Jones', 3, 0.1))


class Troubles(WithWorkspace):
    def refuses_to_start(self, branch, *words):
        with self.assertRaises(PeerError):
            branch.edge.start(5, trunk=False)
        output = branch.edge.process.output()
        self.assertIsNotNone(wait_until(lambda: not branch.edge.process.running, 3))
        self.assertNotEqual(branch.edge.process.popen.returncode, 0)
        self.assertGreater(branch.edge.process.popen.returncode, 0, 'it crashed')
        for word in words:
            self.assertIn(word, output)

    def test_port_in_use(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind((ADDRESS, 5060))
            self.refuses_to_start(Branch(self.workspace), f'{ADDRESS}:5060')

    def test_missing_authority(self):
        self.refuses_to_start(Branch(self.workspace, ca='/nonexistent/ca.pem'), '/nonexistent/ca.pem')

    def test_locked_database(self):
        branch = Branch(self.workspace).start((), ())
        desk = self.desk()
        branch.edge.stop()
        holder = sqlite3.connect(branch.site.store)
        self.addCleanup(holder.close)
        holder.execute('BEGIN EXCLUSIVE')
        try:
            branch.edge.start(15, trunk=False)
        except PeerError:
            self.assertIn(os.path.basename(branch.site.store), branch.edge.process.output())
            return
        self.assertTrue(branch.edge.status()['degraded'])
        self.assertTrue(self.trunk_up(branch))
        desk.sign_on()
        branch.pbx.mark()
        desk.try_call('112')
        self.assertIsNotNone(branch.pbx.wait_for(3, method='INVITE', target='112'))

    def test_check_lists_every_problem(self):
        branch = Branch(self.workspace)
        status, output = branch.edge.command('check', '--site', branch.site.path)
        self.assertEqual(status, 0, output)
        text = open(branch.site.path).read()
        bad = text.replace('number = "102"', 'number = "5"').replace('number = "103"', 'number = "112"')
        bad = bad.replace('80:5e:c0:aa:00:02', '80:5e:c0:aa:00:01').replace('connection = "lan"', 'connection = "stun"', 1)
        bad = bad.replace('logout = "*77*5*"', 'logout = "*77*5*"\npbx = ["*7"]')
        with open(branch.site.path, 'w') as f:
            f.write(bad)
        status, output = branch.edge.command('check', '--site', branch.site.path)
        self.assertNotEqual(status, 0)
        for word in ('"5"', '112', '80:5e:c0:aa:00:01', 'stun', '*7'):
            self.assertIn(word, output)
        self.assertGreaterEqual(len(re.findall(r'(?m)^.*error', output)), 5, output)

    def test_command_line(self):
        branch = Branch(self.workspace).start((), ())
        desk = self.desk()
        log_in(branch.edge, desk)
        status, output = branch.edge.command('status', '--site', branch.site.path)
        self.assertEqual(status, 0)
        for word in ('HD0001', '100', 'Alice Smith', 'HD0002'):
            self.assertIn(word, output)
        status, output = branch.edge.command('logout', 'HD0001', '--site', branch.site.path)
        self.assertEqual(status, 0, output)
        self.assertTrue(branch.edge.wait_extension('HD0001', None, 3))

    def test_stops_within_seconds(self):
        branch = Branch(self.workspace).start((), ())
        process = branch.edge.process
        began = time.monotonic()
        branch.edge.stop()
        self.assertLess(time.monotonic() - began, 8)
        self.assertEqual(process.popen.returncode, 0)
