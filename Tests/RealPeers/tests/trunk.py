"""The trunk in trouble, and the edge itself in trouble: what must go on, and what must never happen."""
import json
import os
import re
import socket
import sqlite3
import subprocess
import time
import unittest

from testbed import audio, network, steps
from testbed.branch import Branch
from testbed.desk import Desk, log_in
from testbed.edge import ADDRESS, Edge
from testbed.interop import shows
from testbed.pbx import DemoPBX
from testbed.pki import Authority, SitePKI
from testbed.processes import PeerError, Workspace, wait_until
from testbed.sip import SIPClient, offer


class WithWorkspace(unittest.TestCase):
    def setUp(self):
        self.workspace = Workspace()
        self.addCleanup(self.workspace.close)
        self.pki = SitePKI(self.workspace.path('pki'))

    def branch(self, **options):
        return Branch(self.workspace, pki=self.pki, **options)

    def desk(self, name='HD0001', local=network.address(14), **options):
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
        branch = self.branch(ca=other.certificate)
        branch.pbx.start()
        self.stays_down(branch)

    def test_certificate_of_another_name(self):
        leaf = self.pki.authority.issue('wrong', 'other.example', ['DNS:other.example', f'IP:{network.address(99)}'])
        branch = self.branch(pbx_options={'certificate': leaf})
        branch.pbx.start()
        self.stays_down(branch)

    def test_client_certificate_is_shown(self):
        branch = self.branch(pbx_options={'require_client_certificate': True})
        branch.start((), ())
        self.assertTrue(self.trunk_up(branch))


class Outage(WithWorkspace):
    def calls_through_gateway(self, desk):
        """An emergency call that the gateway takes, and its end."""
        with SIPClient('fxo', '', ADDRESS, (ADDRESS, 5060), network.GATEWAY, port=5060) as gateway:
            request = desk.build('INVITE', desk.uri('112'), headers=[('Content-Type', 'application/sdp')],
                                 body=offer(desk.local))
            desk.send(request)
            call = gateway.wait_request('INVITE', 6)
            self.assertIsNotNone(call, 'the gateway got no emergency call')
            self.assertIn('112', call.uri)
            gateway.accept(call)
            answer = desk.wait(lambda m: m.status == 200 and m.branch == request.branch, 5)
            self.assertIsNotNone(answer)
            dialog = desk.dialog(request, answer)
            desk.send(desk.in_dialog(dialog, 'ACK', cseq=request.cseq))
            self.assertIsNotNone(gateway.wait_request('ACK', 3))
            desk.send(desk.in_dialog(dialog, 'BYE'))
            self.assertIsNotNone(gateway.wait_request('BYE', 3))

    def assert_degraded(self, branch, text):
        said = lambda: any(text in sentence for sentence in branch.edge.status()['degraded'])
        self.assertTrue(wait_until(said, 10, 0.1), f'status does not say {text}: {branch.edge.status()["degraded"]}')

    def assert_sound(self, branch):
        self.assertTrue(wait_until(lambda: not branch.edge.status()['degraded'], 5, 0.1), branch.edge.status()['degraded'])

    def test_pbx_down_from_the_start(self):
        branch = self.branch(gateway=f'{network.GATEWAY}:5060')
        branch.edge.start(trunk=False)
        self.assert_degraded(branch, f'{network.PBX}:5061')
        self.assertIn('DOWN', branch.edge.command('status', '--site', branch.site.path)[1])
        desk = self.desk()
        began = time.monotonic()
        self.assertEqual(desk.try_call('101'), 403)
        self.assertLess(time.monotonic() - began, 2)
        self.calls_through_gateway(desk)
        log_in(branch.edge, desk)
        self.assertGreaterEqual(desk.try_call('101'), 480)
        branch.pbx.start()
        self.assertTrue(self.trunk_up(branch, seconds=35), 'the trunk did not come up after the PBX did')
        self.assertTrue(branch.pbx.wait_registered('100', seconds=10), '100 was not registered at last')
        self.assert_sound(branch)
        self.assertEqual(desk.try_call('101'), 480)
        self.assertIsNotNone(branch.pbx.wait_for(2, method='INVITE', target='101', from_user='100'))

    def test_pbx_down_later(self):
        branch = self.branch(gateway=f'{network.GATEWAY}:5060').start((), ())
        desk = self.desk()
        branch.pbx.kill()
        self.assert_degraded(branch, f'{network.PBX}:5061')
        self.calls_through_gateway(desk)
        log_in(branch.edge, desk)
        self.assertEqual(branch.edge.device('HD0001')['registeredAtPBX'], False)

    def test_emergency_without_any_route_ends_quickly(self):
        branch = self.branch()
        branch.edge.start(trunk=False)
        desk = self.desk()
        began = time.monotonic()
        self.assertGreaterEqual(desk.try_call('112'), 480)
        self.assertLess(time.monotonic() - began, 5)

    def test_pbx_dies_and_comes_back(self):
        branch = self.branch().start((), ())
        desk = self.desk()
        log_in(branch.edge, desk)
        branch.pbx.kill()
        self.assertTrue(wait_until(lambda: not branch.edge.status()['nodes'][0]['up'], 10, 0.1))
        self.assertEqual(branch.edge.extension_on('HD0001'), '100')
        began = time.monotonic()
        self.assertGreaterEqual(desk.try_call('101'), 480)
        self.assertLess(time.monotonic() - began, 5)
        # Before the start: the edge may be there sooner than the PBX says that it is up.
        branch.pbx.mark()
        branch.pbx.start()
        self.assertIsNotNone(branch.pbx.wait_for(35, method='REGISTER', from_user='100'), '100 was not registered again')
        self.assertIsNotNone(branch.pbx.wait_for(10, method='REGISTER', from_user='branch-01'))

    def test_logout_while_the_pbx_is_down(self):
        branch = self.branch().start((), ())
        desk = self.desk()
        log_in(branch.edge, desk)
        branch.pbx.kill()
        response, dialog = desk.invite('*77*5*')
        self.assertTrue(branch.edge.wait_extension('HD0001', None, 3))
        desk.hang_up(dialog)
        self.assertEqual(desk.try_call('101'), 403)

    def test_second_node_takes_over(self):
        branch = self.branch(servers=(f'{network.PBX}:5061', f'{network.SECOND_PBX}:5061'))
        second = DemoPBX(self.workspace, self.pki, network.SECOND_PBX, name='pbx2').start()
        branch.start((), ())
        desk = self.desk()
        log_in(branch.edge, desk)
        self.assertTrue(self.trunk_up(branch, 1))
        branch.pbx.kill()
        self.assertIsNotNone(second.wait_for(15, method='REGISTER', from_user='100'), '100 did not move to the second node')
        self.assertEqual(desk.try_call('101'), 480)
        self.assertIsNotNone(second.wait_for(3, method='INVITE', target='101', from_user='100'))

    def test_pbx_refuses_the_extension(self):
        branch = self.branch(pbx_options={'refused_registrations': ('102',)}).start((), ())
        desk = self.desk()
        refused = 'registrationRefused extension=102'
        desk.type_login('102', until=lambda: refused in branch.edge.log())
        self.assertIn(refused, branch.edge.log())
        self.assertIsNone(branch.edge.extension_on('HD0001'))
        self.assertEqual(desk.try_call('101'), 403)

    def test_sha256_and_stale_nonces(self):
        branch = self.branch(pbx_options={'algorithm': 'SHA-256', 'nonce_expire': 2}).start((), ())
        desk = self.desk()
        log_in(branch.edge, desk)
        for _ in range(2):
            time.sleep(2.5)
            branch.pbx.mark()
            self.assertEqual(desk.try_call('101'), 480)
            self.assertIsNotNone(branch.pbx.wait_for(2, method='INVITE', target='101', from_user='100'))


class Persistence(WithWorkspace):
    def test_sessions_survive_a_kill(self):
        branch = self.branch().start((), ())
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
        branch = self.branch().start((), ())
        desk = self.desk()
        response, dialog = desk.invite('*77*100*')
        for count, pin in enumerate(('0000#', '0001#', '0002#'), 1):
            desk.press_by_info(dialog, pin)
            self.assertTrue(branch.edge.wait_log('loginFailed device=HD0001 extension=100', count))
        self.assertTrue(branch.edge.wait_log('the device is locked'))
        branch.edge.kill()
        branch.edge.start()
        before = branch.edge.log().count('lockedOut device=HD0001')
        desk.type_login('100', until=lambda: branch.edge.log().count('lockedOut device=HD0001') > before)
        self.assertGreater(branch.edge.log().count('lockedOut device=HD0001'), before)
        self.assertIsNone(branch.edge.extension_on('HD0001'))
        self.assertEqual(branch.pbx.requests(method='REGISTER', from_user='100', everything=True), [])

    def call_over_a_kill(self, ends):
        """A call of a real phone at a desk, in whose middle the edge is killed and started again; `ends` hangs up."""
        branch = self.branch().start(('101',), ('HD0001',))
        steps.login(branch)
        phone, far = branch.device('HD0001'), branch.phone('101')
        branch.forget()
        phone.dial('101')
        self.assertTrue(phone.established(10) and far.established(3), 'the call is not up')
        self.assertTrue(wait_until(lambda: self.calls_written(branch), 10, 0.2), 'the call was never written')
        branch.edge.kill()
        branch.edge.start()
        self.assertTrue(branch.edge.wait_log('are taken up again'))
        phone.rest(4)
        far.rest(0.1)
        self.assertIsNone(phone.closed(0.1), 'the call has ended at the desk')
        self.assertIsNone(far.closed(0.1), 'the call has ended at the far end')
        self.assertEqual([call['party'] for call in branch.edge.status()['inProgress']], ['HD0001'])
        hanging, other = (phone, far) if ends == 'desk' else (far, phone)
        hanging.hang_up()
        self.assertIsNotNone(other.closed(5), 'hanging up did not reach the other end')
        steps.settle(branch)
        self.assertEqual(branch.edge.status()['inProgress'], [])
        for listener, hertz in ((phone, branch.tone_of('101')), (far, branch.tone_of('HD0001'))):
            heard = listener.heard()[-3 * audio.RATE:]
            self.assertGreater(audio.tone_share(heard, hertz), 0.7, f'{listener.name} heard nothing after the restart')

    def calls_written(self, branch):
        with sqlite3.connect(f'file:{branch.site.store}?mode=ro', uri=True) as database:
            return database.execute('SELECT count(*) FROM calls_up').fetchone()[0]

    @shows('restart-in-call', client='baresip')
    def test_call_survives_a_kill_and_the_desk_hangs_up(self):
        self.call_over_a_kill('desk')

    @shows('restart-in-call', client='baresip')
    def test_call_survives_a_kill_and_the_far_end_hangs_up(self):
        self.call_over_a_kill('far end')

    @shows('call-after-logout', client='raw SIP')
    def test_call_outlives_logout(self):
        branch = self.branch().start(('101',), ())
        desk = self.desk()
        log_in(branch.edge, desk)
        response, dialog = desk.invite('101')
        self.assertIsNotNone(dialog, f'the call was not answered: {response and response.start}')
        branch.edge.ask('logout', device='HD0001')
        self.assertTrue(branch.edge.wait_extension('HD0001', None, 3))
        self.assertIsNone(branch.phone('101').closed(1.5), 'the call ended with the session')
        self.assertEqual(desk.try_call('102'), 403)
        self.assertEqual(desk.hang_up(dialog), 200)
        self.assertIsNotNone(branch.phone('101').closed(3))

    def test_reload(self):
        branch = self.branch().start((), ())
        desk = self.desk()
        log_in(branch.edge, desk)
        text = open(branch.site.path).read()
        self.rewrite(branch, text.replace('numbers = ["112"', 'numbers = ["100", "112"').replace('"Alice Smith"', '"Alice Jones"'))
        branch.edge.reload()
        self.assertTrue(branch.edge.wait_log('the configuration from before is kept'))
        self.assertIn('extension[1].number', branch.edge.log())
        self.assertTrue(any(branch.site.path in sentence for sentence in branch.edge.status()['degraded']))
        self.assertEqual(branch.edge.device('HD0001')['person'], 'Alice Smith')
        branch.pbx.mark()
        self.assertEqual(desk.try_call('101'), 480)
        self.assertIsNotNone(branch.pbx.wait_for(2, method='INVITE', target='101', from_user='100'))
        self.rewrite(branch, text.replace('"Alice Smith"', '"Alice Jones"'))
        branch.edge.reload()
        self.assertTrue(wait_until(lambda: branch.edge.device('HD0001')['person'] == 'Alice Jones', 3, 0.1))
        self.assertEqual(branch.edge.extension_on('HD0001'), '100')
        self.assertEqual(branch.edge.status()['degraded'], [])

    def rewrite(self, branch, text):
        with open(branch.site.path, 'w') as f:
            f.write(text)


class Troubles(WithWorkspace):
    """What the edge says and does where it cannot work as it should. Exit status 1: the site file has errors;
    70: the edge could not start."""

    def refuses_to_start(self, branch, status, *words):
        with self.assertRaises(PeerError):
            branch.edge.start(5, trunk=False)
        process = branch.edge.process
        self.assertIsNotNone(wait_until(lambda: not process.running, 3), 'it goes on')
        for word in words:
            self.assertIn(word, process.output())
        self.assertEqual(process.popen.returncode, status, process.output())

    def test_port_in_use(self):
        for kind, transport in ((socket.SOCK_DGRAM, 'udp'), (socket.SOCK_STREAM, 'tcp')):
            with self.subTest(transport), socket.socket(socket.AF_INET, kind) as other:
                other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, transport == 'tcp')
                other.bind((ADDRESS, 5060))
                if transport == 'tcp':
                    other.listen()
                branch = self.branch()
                self.refuses_to_start(branch, 70, f'{transport} {ADDRESS}:5060 is already in use')

    def test_missing_authority(self):
        self.refuses_to_start(self.branch(ca='/nonexistent/ca.pem'), 1, '/nonexistent/ca.pem', 'pbx.ca')

    def test_missing_client_certificate(self):
        branch = self.branch()
        os.remove(self.pki.site.certificate)
        self.refuses_to_start(branch, 1, self.pki.site.certificate, 'pbx.certificate')

    def test_missing_secret(self):
        branch = self.branch()
        os.remove(os.path.join(branch.site.folder, 'secrets', 'HD0002'))
        self.refuses_to_start(branch, 1, 'secrets/HD0002', 'device[2].secret_file')

    def test_second_edge_of_one_site(self):
        branch = self.branch().start((), ())
        second = Edge(self.workspace, branch.site.path, branch.site.control, name='second')
        status, output = second.command('run', '--site', branch.site.path)
        self.assertEqual(status, 70, output)
        self.assertIn(branch.site.control, output)
        self.assertTrue(branch.edge.status()['nodes'][0]['up'], 'the first edge has suffered')

    def test_locked_database(self):
        branch = self.branch().start((), ())
        desk = self.desk()
        holder = sqlite3.connect(branch.site.store)
        self.addCleanup(holder.close)
        holder.execute('BEGIN EXCLUSIVE')
        # It still reads; the first thing to be written shows that nothing can be.
        response, dialog = desk.invite('*77*100*')
        desk.press_by_info(dialog, '4711#')
        locked = lambda: any(os.path.basename(branch.site.store) in text for text in branch.edge.status()['degraded'])
        self.assertTrue(wait_until(locked, 10, 0.1), branch.edge.log()[-800:])
        self.assertTrue(branch.edge.wait_log('could not be stored'))
        self.assertIsNone(branch.edge.extension_on('HD0001'), 'logged in without being on disk')
        desk.hang_up(dialog)
        branch.pbx.mark()
        desk.try_call('112')
        self.assertIsNotNone(branch.pbx.wait_for(3, method='INVITE', target='112'))
        holder.rollback()
        self.assertTrue(wait_until(lambda: not locked(), 15, 0.1), 'still degraded')
        log_in(branch.edge, desk)

    def small_disk(self, size='1m'):
        """A folder on a file system of its own, and what fills it to the last byte."""
        folder = self.workspace.make_folder('small-disk')
        subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={size}', 'small-disk', folder], check=True)
        self.addCleanup(subprocess.run, ['umount', '--lazy', folder])
        ballast = os.path.join(folder, 'ballast')

        def fill():
            with open(ballast, 'wb', buffering=0) as f:
                while True:
                    try:
                        f.write(bytes(4096))
                    except OSError:
                        return
        return folder, fill, lambda: os.remove(ballast)

    def test_full_disk(self):
        folder, fill, empty = self.small_disk()
        branch = self.branch(store=os.path.join(folder, 'branch-01.sqlite')).start((), ())
        idle, seated = self.desk(), self.desk('HD0002', network.address(16))
        log_in(branch.edge, seated, '101')
        fill()
        full = lambda: any('the disk is full' in text for text in branch.edge.status()['degraded'])
        response, dialog = idle.invite('*77*100*')
        idle.press_by_info(dialog, '4711#')
        self.assertTrue(wait_until(full, 10, 0.1), branch.edge.log()[-800:])
        self.assertTrue(branch.edge.wait_log('could not be stored'))
        self.assertIsNone(branch.edge.extension_on('HD0001'), 'logged in without being on disk')
        idle.hang_up(dialog)
        status, table = branch.edge.command('status', '--site', branch.site.path)
        self.assertEqual(status, 0, table)
        self.assertIn('the disk is full', table)
        with self.subTest('emergency'):
            for desk in (idle, seated):
                branch.pbx.mark()
                desk.try_call('112')
                self.assertIsNotNone(branch.pbx.wait_for(3, method='INVITE', target='112'), desk.user)
        with self.subTest('who is logged in calls'):
            branch.pbx.mark()
            seated.try_call('102')
            self.assertIsNotNone(branch.pbx.wait_for(3, method='INVITE', target='102'))
        with self.subTest('logout'):
            seated.try_call('*77*5*')
            self.assertTrue(branch.edge.wait_extension('HD0002', None))
            self.assertEqual(seated.try_call('102'), 403)
        empty()
        self.assertTrue(wait_until(lambda: not full(), 15, 0.1), 'still degraded')
        log_in(branch.edge, idle)
        # What could not be written then is written now: nobody is back who had left.
        branch.edge.kill()
        branch.edge.start()
        self.assertEqual((branch.edge.extension_on('HD0001'), branch.edge.extension_on('HD0002')), ('100', None))

    def test_start_with_a_broken_database(self):
        branch = self.branch()
        with open(branch.site.store, 'wb') as f:
            f.write(b'this is no database' * 500)
        branch.pbx.start()
        branch.edge.start()
        self.assertTrue(any(os.path.basename(branch.site.store) in text for text in branch.edge.status()['degraded']))
        desk = self.desk()
        desk.try_call('112')
        self.assertIsNotNone(branch.pbx.wait_for(3, method='INVITE', target='112'))

    def test_stops_within_seconds(self):
        branch = self.branch().start((), ())
        process = branch.edge.process
        began = time.monotonic()
        branch.edge.stop()
        self.assertLess(time.monotonic() - began, 8)
        self.assertEqual(process.popen.returncode, 0)


class CommandLine(WithWorkspace):
    def run_edge(self, branch, status, *arguments):
        """Its output; the exit status must be `status`."""
        done, output = branch.edge.command(*arguments)
        self.assertEqual(done, status, output)
        return output

    def test_check(self):
        branch = self.branch()
        self.assertIn('good', self.run_edge(branch, 0, 'check', '--site', branch.site.path))
        bad = open(branch.site.path).read()
        for old, new in (('number = "102"', 'number = "5"'), ('number = "103"', 'number = "112"'),
                         ('80:5e:c0:aa:00:02', '80:5e:c0:aa:00:01'), ('logout = "*77*5*"', 'logout = "*77*5*"\npbx = ["*7"]')):
            self.assertIn(old, bad)
            bad = bad.replace(old, new)
        with open(branch.site.path, 'w') as f:
            f.write(bad.replace('connection = "lan"', 'connection = "stun"', 1))
        output = self.run_edge(branch, 1, 'check', '--site', branch.site.path)
        for word in ('extension 5 ', '112', '80:5e:c0:aa:00:01', 'stun', '*7'):
            self.assertIn(word, output)
        lines = re.findall(rf'(?m)^{re.escape(branch.site.path)}:\d+: error: .*', output)
        self.assertGreaterEqual(len(lines), 5, output)

    def test_status_and_logout(self):
        branch = self.branch().start((), ())
        site = ('--site', branch.site.path)
        desk = self.desk()
        log_in(branch.edge, desk)
        output = self.run_edge(branch, 0, 'status', *site)
        for word in ('HD0001', '100 Alice Smith', 'HD0002', 'idle', f'{network.PBX}:5061', 'up', desk.local):
            self.assertIn(word, output)
        shown = json.loads(self.run_edge(branch, 0, 'status', '--json', *site))
        devices = {device['name']: device for device in shown['devices']}
        self.assertEqual((devices['HD0001']['extension'], devices['HD0001']['person']), ('100', 'Alice Smith'))
        self.assertTrue(devices['HD0001']['registered'] and devices['HD0001']['registeredAtPBX'])
        self.assertIsNone(devices['HD0002'].get('extension'))
        self.assertTrue(shown['nodes'][0]['up'])
        self.assertIn('HD0001', self.run_edge(branch, 0, 'logout', 'HD0001', *site))
        self.assertTrue(branch.edge.wait_extension('HD0001', None, 3))
        self.assertTrue(branch.pbx.wait_registered('100', False), '100 was not taken off the PBX')
        self.assertIn('nobody is logged in', self.run_edge(branch, 1, 'logout', 'HD0001', *site))
        self.assertIn('HD0077', self.run_edge(branch, 1, 'logout', 'HD0077', *site))
        self.run_edge(branch, 64, 'logout')
        branch.edge.stop()
        self.assertIn(branch.site.control, self.run_edge(branch, 69, 'status', *site))
