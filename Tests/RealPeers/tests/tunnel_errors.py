"""The tunnel when something is wrong or somebody means harm: certificates, clocks, silence, floods, strangers at the headend's port."""
import contextlib
import os
import socket
import threading
import time
import unittest

from testbed import network, tunnel_peer
from testbed.authority import issue, new_authority
from testbed.edge import Edge, SiteFile
from testbed.headend import SECOND, Headend
from testbed.pki import SitePKI
from testbed.processes import Workspace, wait_until

YEAR = 365 * 86400


class WithHeadend(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.workspace = Workspace()
        cls.addClassCleanup(cls.workspace.close)
        cls.pki = SitePKI(cls.workspace.path('pki'))
        cls.head = Headend(cls.workspace).start()
        cls.folder = cls.workspace.path('issued')
        cls.count = 0

    def edge(self, certificate, key, authority=None, address=None):
        """An edge with these files and a headend there, running; it need not get through."""
        type(self).count += 1
        files = (authority or f'{self.head.pki}/ca.pem', certificate, key)
        site = SiteFile(self.workspace.path(f'site{self.count}'), self.pki, tunnel=([f'{address or self.head.address}:5090'], files))
        edge = Edge(self.workspace, site.write(), site.control, name=f'edge{self.count}')
        edge.start(trunk=False)
        self.addCleanup(edge.stop)
        return edge

    def assert_kept_out(self, edge, text):
        """It says why, has no way to the PBX, and goes on saying so."""
        self.assertTrue(
            wait_until(lambda: any(text in sentence for sentence in edge.status()['degraded']), 8), (text, edge.status()['degraded']))
        self.assertFalse(any(node['up'] for node in edge.status()['nodes']))
        self.assertTrue(all(head['state'] == 'down' for head in edge.status()['headends']))


class Certificates(WithHeadend):
    def site_certificate(self, authority=None, **options):
        return issue(authority or self.head.pki, self.workspace.path(f'issued{self.count}'), 'branch-01', **options)

    def kept_out(self, at_edge, at_headend, **options):
        before = len(self.head.log())
        self.assert_kept_out(self.edge(*self.site_certificate(**options)), at_edge)
        self.assertIn(at_headend, self.head.log()[before:])
        self.assertEqual(self.head.status()['sites'], [])

    def test_expired(self):
        self.kept_out('expired', 'expired', begins=-2 * YEAR, ends=-YEAR)

    def test_not_yet_valid(self):
        self.kept_out('certificate', 'is valid from', begins=YEAR, ends=2 * YEAR)

    def test_of_another_authority(self):
        self.kept_out('unknown', 'vouches', authority=new_authority(self.workspace.path('foreign')))

    def test_that_names_no_site(self):
        self.kept_out('not known there', 'names no site', names='')

    def test_for_a_server(self):
        self.kept_out('certificate', 'purpose', usage='serverAuth')

    def test_revoked(self):
        files = self.head.enrol(self.workspace.path('revoked'), 'branch-07')
        self.head.run('headend', 'revoke-site', 'branch-07', '--config', self.head.path)
        self.assert_kept_out(self.edge(files[1], files[2]), 'revoked')

    def test_headend_of_next_year_to_an_edge_whose_clock_is_late(self):
        self.headend_with('early-headend', begins=YEAR, ends=2 * YEAR, names=f'IP:{SECOND}')
        self.assert_kept_out(self.edge(*self.site_certificate(), address=SECOND), 'and here it is')

    def headend_with(self, name, **options):
        """Another headend of the same authority, whose own certificate is not what it should be."""
        other = Headend(self.workspace, address=SECOND, name=name, like=self.head, ports='31000-31999')
        certificate, key = issue(self.head.pki, self.workspace.path(f'{name}-issued'), 'headend', usage='serverAuth', **options)
        for file, target in ((certificate, 'headend.pem'), (key, 'headend.key')):
            os.replace(file, os.path.join(other.pki, target))
        other.start()
        self.addCleanup(other.stop)
        return other

    def test_headend_with_an_expired_certificate(self):
        self.headend_with('late-headend', begins=-2 * YEAR, ends=-YEAR, names=f'IP:{SECOND}')
        self.assert_kept_out(self.edge(*self.site_certificate(), address=SECOND), 'expired')

    def test_headend_by_another_name(self):
        self.headend_with('other-headend', names='DNS:other.example')
        self.assert_kept_out(self.edge(*self.site_certificate(), address=SECOND), 'certificate')

    def test_headend_of_another_authority(self):
        foreign = new_authority(self.workspace.path('foreign-for-edge'))
        self.assert_kept_out(self.edge(*self.site_certificate(), authority=f'{foreign}/ca.pem'), 'certificate')


class Silence(WithHeadend):
    def test_headend_that_accepts_and_says_nothing(self):
        silent = tunnel_peer.FalseHeadend(SECOND)
        self.addCleanup(silent.close)
        self.assert_kept_out(self.edge(*issue(self.head.pki, self.folder, 'branch-01'), address=SECOND), 'no answer in time')
        self.assertGreaterEqual(silent.connections, 1)
        self.assertEqual(silent.said[:2], b'\x16\x03', 'the first it says is a handshake of TLS')
        self.assertNotIn(b'SIP', silent.said)
        self.assertEqual(silent.datagrams, b'')


class Floods(WithHeadend):
    #: Megabytes a flood may cost its victim, and seconds it may delay others.
    memory, delay = 40, 1.0

    def watched(self, pid, answer, flood):
        """Runs a flood; what the victim grew by, and how long others waited at most."""
        before, worst, most = tunnel_peer.resident(pid), 0.0, 0.0
        thread = threading.Thread(target=flood)
        thread.start()
        while thread.is_alive():
            began = time.monotonic()
            self.assertIsNotNone(answer())
            worst = max(worst, time.monotonic() - began)
            most = max(most, tunnel_peer.resident(pid) - before)
            time.sleep(0.05)
        thread.join()
        return most, worst

    def test_edge_that_floods_delays_no_other_site(self):
        good = tunnel_peer.site(self.head.address, *issue(self.head.pki, self.folder, 'branch-02'))
        self.addCleanup(good.close)
        bad_files = issue(self.head.pki, self.folder, 'branch-03')
        for what, data in tunnel_peer.FLOODS.items():
            with self.subTest(what):
                bad = tunnel_peer.site(self.head.address, *bad_files)
                grown, worst = self.watched(self.head.process.pid, good.round_trip, lambda: bad.flood(data, 0.8))
                bad.close()
                self.assertLess(grown, self.memory)
                self.assertLess(worst, self.delay)
                time.sleep(0.4)         # a site may connect four times in a second

    def test_headend_that_floods_does_not_bring_the_edge_down(self):
        certificate, key = issue(self.head.pki, self.folder, 'false-headend', names=f'IP:{SECOND}', usage='serverAuth')
        floods, done = list(tunnel_peer.FLOODS.items()), threading.Event()

        def talk(connection):
            while floods:
                connection.flood(floods.pop()[1], 0.8)
            done.set()
        false = tunnel_peer.FalseHeadend(SECOND, certificate, key, f'{self.head.pki}/ca.pem', talk)
        self.addCleanup(false.close)
        edge = self.edge(*issue(self.head.pki, self.folder, 'branch-01'), address=SECOND)
        grown, worst = self.watched(edge.process.pid, edge.status, lambda: done.wait(40))
        self.assertTrue(done.is_set())
        self.assertLess(grown, self.memory)
        self.assertLess(worst, self.delay)


class Strangers(WithHeadend):
    """Who shows no certificate costs the headend little, and keeps no site out."""
    STRANGER = network.address(99)

    def setUp(self):
        self.good = tunnel_peer.site(self.head.address, *issue(self.head.pki, self.folder, 'branch-02'))
        self.addCleanup(self.good.close)
        self.before = tunnel_peer.resident(self.head.process.pid)

    def assert_unharmed(self):
        self.assertLess(self.good.round_trip() or 9, 0.5)
        self.assertLess(tunnel_peer.resident(self.head.process.pid) - self.before, 20)
        other = tunnel_peer.site(self.head.address, *issue(self.head.pki, self.folder, 'branch-04'))
        self.assertLess(other.round_trip() or 9, 0.5)
        other.close()

    def test_half_open_connections(self):
        held = []
        for _ in range(300):
            with contextlib.suppress(OSError):
                held.append(socket.create_connection((self.head.address, 5090), 2, source_address=(self.STRANGER, 0)))
        time.sleep(0.3)

        def still_open(connection):
            connection.setblocking(False)
            try:
                return connection.recv(1) != b''
            except BlockingIOError:
                return True
            except OSError:
                return False
        self.assertLessEqual(sum(map(still_open, held)), 16)
        self.assert_unharmed()
        self.assertTrue(wait_until(lambda: not any(map(still_open, held)), 8), 'who says nothing is not waited for')
        self.assertIn('turned away', self.head.log())
        for connection in held:
            connection.close()

    def test_many_handshakes(self):
        ended = time.monotonic() + 3
        made = refused = 0
        worst = 0.0
        while time.monotonic() < ended:
            try:
                tunnel_peer.connect(self.head.address, source=self.STRANGER).close()
                made += 1
            except OSError:
                refused += 1
            worst = max(worst, self.good.round_trip() or 9)
        self.assertLessEqual(made, 8 * 4 + 1)
        self.assertGreater(refused, 0)
        self.assertLess(worst, 0.5)
        self.assert_unharmed()

    def test_endless_talk_before_a_name(self):
        time.sleep(1)
        for data in (os.urandom(1 << 16), b'\x16\x03\x01\x40\x00' + bytes(1 << 14)):
            with socket.create_connection((self.head.address, 5090), 2, source_address=(self.STRANGER, 0)) as plain:
                plain.settimeout(3)
                with self.assertRaises(OSError):
                    for _ in range(1000):
                        plain.sendall(data)
        stranger = tunnel_peer.connect(self.head.address, source=self.STRANGER, buffer=1 << 15)
        self.assertLess(stranger.flood(tunnel_peer.frame(0x08, bytes(60000)), 3), 1 << 20, 'no more than a certificate request is read')
        self.assert_unharmed()

    def test_tokens_are_not_guessed(self):
        time.sleep(1)
        self.head.run('headend', 'add-site', 'branch-08', '--config', self.head.path)
        for _ in range(4):
            stranger = tunnel_peer.connect(self.head.address, source=self.STRANGER)
            stranger.send(tunnel_peer.frame(0x08, os.urandom(16 + 32 + 300)))
            self.assertIsNotNone(stranger.wait(tunnel_peer.GO_AWAY, 3))
            stranger.close()
        self.assertIn('token that is wrong', self.head.log())
        self.assert_unharmed()


if __name__ == '__main__':
    unittest.main()
