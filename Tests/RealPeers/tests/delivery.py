"""Phones' files over HTTPS with a real TLS client, digest authentication, and clients that are slow, greedy or not what they say."""
import concurrent.futures
import socket
import ssl
import time
import unittest
import urllib.parse

from simphones.fetching import Fetcher
from simphones.phone import SimPhone, wait_for
from testbed import network
from testbed.branch import Branch
from testbed.edge import ADDRESS, API_TOKEN
from testbed.pki import Authority, SitePKI
from testbed.processes import Workspace

HTTP, HTTPS = 8080, 8443
FIRST = f'https://{ADDRESS}:{HTTPS}/prov/'
PLAIN = f'http://{ADDRESS}:{HTTP}/prov/'
NETWORK = network.address(0) + '/24'
MODELS = {
    'HD0001': ('yealink-t54w', '80:5e:c0:ee:bb:01'), 'HD0002': ('fanvil-x5u', '0c:38:3e:ee:bb:02'), 'HD0003': ('snom-d785', '00:04:13:ee:bb:03'),
    'HD0004': ('grandstream-grp2614', 'c0:74:ad:ee:bb:04'), 'HD0005': ('poly-vvx450', '64:16:7f:ee:bb:05'), 'HD0006': ('cisco-8851', '00:56:2b:ee:bb:06'),
    'HD0007': ('yealink-t54w', '80:5e:c0:ee:bb:07'), 'HD0008': ('poly-vvx450', '64:16:7f:ee:bb:08')}


def bare(device):
    return MODELS[device][1].replace(':', '')


class Bed(unittest.TestCase):
    """A branch with HTTPS, and vendors' authorities for phones' own certificates."""
    #: Lines of [provisioning].
    lines = ()

    @classmethod
    def setUpClass(cls):
        cls.workspace = Workspace()
        cls.addClassCleanup(cls.workspace.close)
        cls.pki = SitePKI(cls.workspace.path('pki'))
        cls.vendor = Authority(cls.workspace.path('vendor'), 'Vendor Equipment Issuing CA')
        cls.forger = Authority(cls.workspace.path('forger'), 'Vendor Equipment Issuing CA')
        cls.logs = cls.workspace.make_folder('phone-logs')
        cls.branch = Branch(
            cls.workspace, pki=cls.pki, devices=tuple(MODELS), http=HTTP, https=HTTPS, phone_ca=cls.vendor.certificate, models=MODELS,
            provisioning=[f'networks = ["{NETWORK}"]', f'phone_logs = "{cls.logs}"', *cls.lines])
        cls.branch.start((), ())
        cls.edge = cls.branch.edge

    def context(self, certificate=None):
        """What a phone trusts and shows."""
        context = ssl.create_default_context(cafile=self.pki.ca)
        if certificate:
            context.load_cert_chain(certificate.certificate, certificate.key)
        return context

    def phone(self, device, first=FIRST, context=None, host=None):
        phone = SimPhone(*MODELS[device], network.address(host or 40 + int(device[-1])), first)
        phone.fetcher.context = context or self.context()
        self.addCleanup(phone.power_off)
        return phone


class Secure(Bed):
    """HTTPS: the server's certificate is verified by the phone, the phone's by the edge, and each MAC must agree."""

    def test_phones_of_all_vendors_set_themselves_up_by_https(self):
        with concurrent.futures.ThreadPoolExecutor(5) as pool:
            phones = {device: self.phone(device) for device in MODELS if device not in ('HD0001', 'HD0007', 'HD0008')}
            runs = {device: pool.submit(phone.boot, False) for device, phone in phones.items()}
        for device, run in runs.items():
            phone = run.result()
            self.assertEqual(phone.screen, device, phone.fetcher.seen)
            self.assertTrue(phone.server.startswith(f'https://{ADDRESS}:{HTTPS}/p/'), 'its own address is by HTTPS, too')

    def test_a_certificate_must_be_the_phone_s_own(self):
        right = self.vendor.issue('right', bare('HD0001').upper(), usage='clientAuth')
        phone = self.phone('HD0001', context=self.context(right))
        self.assertEqual(phone.boot(False).screen, 'HD0001', phone.fetcher.seen)
        url = f'{phone.server}{phone.mac}.cfg'
        get = lambda context, **more: Fetcher(phone.address, more.get('agent', phone.agent), context).get(more.get('url', url))  # noqa: E731
        missing = get(self.context(), url=f'https://{ADDRESS}:{HTTPS}/nothing')
        self.assertEqual(missing.status, 404)
        # The forms in which vendors write the MAC; none at all is no contradiction.
        for name, subject in (('colons', '/CN=80:5E:C0:EE:BB:01'), ('cisco', '/OU=CP-8841-3PCC/L=FCH1234ABCD/CN=805ec0eebb01'),
                              ('generic', '/CN=Yealink default')):
            with self.subTest(name):
                self.assertEqual(get(self.context(self.vendor.issue(name, subject, usage='clientAuth'))).status, 200)
        self.assertEqual(get(self.context()).status, 200, 'a certificate is one more sign, none is asked for')
        other = self.vendor.issue('other', bare('HD0007').upper(), usage='clientAuth')
        self.assertEqual(get(self.context(other)).identity, missing.identity, 'the certificate of another phone')
        mixed = phone.kind.agent('t54w', '1.0', bare('HD0007'))
        self.assertEqual(get(self.context(right), agent=mixed).identity, missing.identity, 'the User-Agent of another phone')
        foreign = url.replace(bare('HD0001'), bare('HD0007'))
        self.assertEqual(get(self.context(right), url=foreign).identity, missing.identity, 'the file of another phone')
        self.assertEqual(get(self.context(right)).status, 200)
        # An armed phone is not set up for who shows another phone's certificate.
        first = f'{FIRST}{bare("HD0007")}.cfg'
        self.assertEqual(Fetcher(phone.address, None, self.context(right)).get(first).identity, missing.identity)

    def test_a_certificate_nobody_vouches_for_ends_the_handshake(self):
        forged = self.forger.issue('forged', bare('HD0001').upper(), usage='clientAuth')
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            Fetcher(network.address(41), None, self.context(forged)).get(f'{FIRST}{bare("HD0001")}.cfg')
        with self.assertRaises(ssl.SSLCertVerificationError):
            Fetcher(network.address(41), None, ssl.create_default_context(cafile=self.vendor.certificate)).get(FIRST)
        old = self.context()
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
        old.set_ciphers('ALL:@SECLEVEL=0')
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            Fetcher(network.address(41), None, old).get(FIRST)

    def test_logs_by_https_are_bounded_and_a_flood_of_them_ends_the_connection(self):
        phone = self.phone('HD0008')
        self.assertEqual(phone.boot(False).screen, 'HD0008')
        url = f'{phone.server}{phone.mac}-boot.log'
        self.assertEqual(phone.fetcher.request('PUT', url, body=b'x' * 1_000_000).status, 200)
        with self.assertRaises((OSError, ssl.SSLError)):
            phone.fetcher.request('PUT', url, body=b'x' * 20_000_000)
        self.assertEqual(phone.fetcher.request('PUT', f'{phone.server}..%2f..%2f{phone.mac}-boot.log', body=b'x').status, 404)

    def test_answers_to_strangers_are_one_and_take_no_longer_than_each_other(self):
        address = network.address(57)
        tries = {
            'no such path': '/', 'unknown MAC': '/prov/805ec0ffffff.cfg', 'no MAC': '/prov/x.cfg', 'guessed URL': f'/p/{"0" * 32}/{bare("HD0007")}.cfg',
            'known MAC there': f'/p/{"f" * 32}/{bare("HD0001")}.cfg', 'administrator': '/api/v1/status', 'long': '/prov/' + 'a' * 3000}
        best, answers = {}, {}
        for what, path in tries.items():
            times = []
            for _ in range(12):
                began = time.perf_counter()
                answers[what] = Fetcher(address).get(f'http://{ADDRESS}:{HTTP}{path}').identity
                times.append(time.perf_counter() - began)
            best[what] = min(times)
        self.assertEqual(len(set(answers.values())), 1, answers)
        # None waits for the disk or for anything else that others do not wait for; the best of many says so on a busy machine, too.
        self.assertLess(max(best.values()) - min(best.values()), 0.02, best)


class Proof(Bed):
    """Digest authentication (RFC 7616) of phones at their own URLs."""
    lines = ('digest = ["sha-256", "md5"]',)

    def test_phones_of_all_vendors_prove_themselves(self):
        devices = [device for device in MODELS if device not in ('HD0007', 'HD0008')]
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            phones = [self.phone(device, PLAIN) for device in devices]
            phones[2].fetcher.algorithms = ('SHA-256',)
            for run in [pool.submit(phone.boot, False) for phone in phones]:
                run.result()
        self.assertEqual([phone.screen for phone in phones], devices, [phone.fetcher.seen for phone in phones])
        for phone in phones:
            # Its secrets are three.
            self.assertNotIn(phone.settings.password, phone.fetcher.credentials)
            self.assertFalse(phone.provision(), 'the same again')

    def test_the_url_alone_is_worth_nothing_and_no_answer_works_twice(self):
        phone = self.phone('HD0007', PLAIN)
        self.assertEqual(phone.boot(False).screen, 'HD0007')
        url = f'{phone.server}{phone.mac}.cfg'
        target = urllib.parse.urlsplit(url).path
        thief = Fetcher(network.address(48), phone.agent, self.context())
        answer = thief.get(url)
        self.assertEqual(answer.status, 401)
        self.assertEqual([c['algorithm'] for c in answer.challenges], ['SHA-256', 'MD5'])
        self.assertNotIn(b'account', answer.body)
        # An answer that was overheard.
        thief.credentials = phone.fetcher.credentials
        header = thief.authorization(answer.challenges[0], 'GET', target)
        thief.credentials = ()
        self.assertEqual(thief.get(url, headers={'Authorization': header}).status, 200)
        again = thief.get(url, headers={'Authorization': header})
        self.assertEqual((again.status, again.challenges[0].get('stale')), (401, 'true'))
        thief.credentials = ('HD0007', 'guess')
        self.assertEqual(thief.get(url).status, 401)
        self.assertTrue(self.edge.wait_log('wrong password at its URL'))
        # Who has no good URL is not even challenged.
        for bad in (url.replace(phone.server.rsplit('/', 2)[1], '0' * 32), url.replace(phone.mac, bare('HD0001'))):
            self.assertEqual(thief.get(bad).status, 404)
        log = self.edge.log()
        self.assertNotIn(phone.fetcher.credentials[1], log)
        self.assertNotIn(phone.server.rsplit('/', 2)[1], log)
        metrics = Fetcher(network.address(5)).get(f'http://{ADDRESS}:{HTTP}/metrics', headers={'Authorization': f'Bearer {API_TOKEN}'})
        self.assertRegex(metrics.body.decode(), r'edgeproxy_phone_requests_total\{answer="challenge"\} [1-9]')


class Nuisances(Bed):
    """Clients that hold connections, and requests no phone would send."""

    def connect(self, host, port=HTTP, context=None):
        raw = socket.create_connection((ADDRESS, port), 30, source_address=(network.address(host), 0))
        self.addCleanup(raw.close)
        return context.wrap_socket(raw, server_hostname=ADDRESS) if context else raw

    def seconds_until_closed(self, connection, trickle=b'x', every=0.5):
        began = time.monotonic()
        connection.settimeout(every)
        while time.monotonic() - began < 40:
            try:
                connection.sendall(trickle)
                if connection.recv(4096) == b'':
                    break
            except (socket.timeout, ssl.SSLWantReadError):
                continue
            except OSError:
                break
        return time.monotonic() - began

    def test_slow_clients_are_not_waited_for(self):
        head = b'GET /prov/x.cfg HTTP/1.1\r\nHost: x\r\nX: '
        body = b'PUT /prov/x.log HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n'
        slow = {
            'head': (self.connect(61), head), 'body': (self.connect(62), body), 'nothing': (self.connect(63), b''),
            'head by TLS': (self.connect(64, HTTPS, self.context()), head), 'no handshake': (self.connect(65, HTTPS), b'\x16\x03\x01')}
        with concurrent.futures.ThreadPoolExecutor(len(slow) + 1) as pool:
            runs, unread = {}, pool.submit(self.answers_unread)
            for what, (connection, begin) in slow.items():
                connection.sendall(begin)
                trickle = b'' if what == 'nothing' else b'\x00' if what == 'no handshake' else b'x'
                runs[what] = pool.submit(self.seconds_until_closed, connection, trickle)
            # Meanwhile phones are served.
            phone = self.phone('HD0001', PLAIN)
            self.assertEqual(phone.boot(False).screen, 'HD0001')
            times = {what: run.result() for what, run in runs.items()}
        self.assertTrue(all(seconds < 30 for seconds in times.values()), times)
        self.assertLessEqual(unread.result(), 200, 'so many requests a connection, and then it is over, read or not')

    def answers_unread(self):
        """Asks for more than it reads; how many answers there were in the end."""
        connection = self.connect(66)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(1)
        try:
            for _ in range(5000):
                connection.sendall(b'GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n')
        except OSError:
            pass
        received = b''
        connection.settimeout(25)
        try:
            while part := connection.recv(65536):
                received += part
        except ConnectionResetError:
            pass
        return received.count(b'HTTP/1.1 404')

    def test_one_source_holds_so_many_connections_and_others_are_served(self):
        held = []
        for _ in range(80):
            held.append(self.connect(67))
            held[-1].setblocking(False)
        closed = lambda c: c.recv(1, socket.MSG_PEEK) == b''  # noqa: E731

        def ended():
            count = 0
            for connection in held:
                try:
                    count += closed(connection)
                except (BlockingIOError, InterruptedError):
                    pass
                except OSError:
                    count += 1
            return count
        self.assertTrue(wait_for(lambda: ended() == 16, 5), ended())
        self.assertEqual(Fetcher(network.address(68)).get(f'http://{ADDRESS}:{HTTP}/x').status, 404)

    def test_bodies_nobody_asked_for_are_not_kept(self):
        def memory():
            with open(f'/proc/{self.edge.process.pid}/smaps_rollup', encoding='ascii') as file:
                return sum(int(line.split()[1]) for line in file if line.startswith('Pss:'))
        before = memory()
        body = b'x' * 250_000
        head = f'PUT /p/{"0" * 32}/{bare("HD0008")}-app.log HTTP/1.1\r\nHost: x\r\nContent-Length: 260000\r\n\r\n'.encode()
        for number in range(100):
            self.connect(70 + number % 5).sendall(head + body)
        self.assertEqual(Fetcher(network.address(76)).get(f'http://{ADDRESS}:{HTTP}/x').status, 404)
        self.assertLess(memory() - before, 12_000, 'KiB: a hundred bodies would be 25,000')

    def test_handshakes_have_their_budget(self):
        def opened():
            try:
                Fetcher(network.address(77), None, self.context()).get(f'https://{ADDRESS}:{HTTPS}/x')
                return True
            except OSError:
                return False
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            done = sum(pool.map(lambda _: opened(), range(700)))
        self.assertTrue(400 <= done < 700, done)
        # Others are none the worse for it.
        self.assertEqual(Fetcher(network.address(78), None, self.context()).get(f'https://{ADDRESS}:{HTTPS}/x').status, 404)

    def test_requests_no_phone_would_send(self):
        """Each is answered as any other, or ends its connection; the edge is as before."""
        requests = {
            'huge head': b'GET / HTTP/1.1\r\nHost: x\r\nX: ' + b'a' * 40_000 + b'\r\n\r\n',
            'many fields': b'GET / HTTP/1.1\r\nHost: x\r\n' + b'X: y\r\n' * 500 + b'\r\n',
            'huge line': b'GET /' + b'a' * 70_000 + b' HTTP/1.1\r\n\r\n',
            'no length': b'PUT /p/x HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n',
            'two lengths': b'PUT /p/x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\nhello12',
            'both lengths': b'PUT /p/x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
            'bad chunk': b'PUT /p/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzzzz\r\n',
            'binary': bytes(range(256)) * 20, 'SIP': b'OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/TCP x\r\n\r\n',
            'connect': b'CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n', 'http2': b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
            'upgrade': b'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n',
            'zeroes': b'GET /prov/\x00%00.cfg HTTP/1.1\r\nHost: x\r\n\r\n',
            'other scheme': b'GET http://elsewhere/prov/ HTTP/1.1\r\nHost: x\r\n\r\n', 'empty': b'\r\n\r\n\r\n\r\n',
            'pipelined': b'GET /a HTTP/1.1\r\nHost: x\r\n\r\n' * 300}
        for number, (what, request) in enumerate(requests.items()):
            with self.subTest(what):
                connection = self.connect(100 + number)
                connection.settimeout(20)
                try:
                    connection.sendall(request)
                    connection.shutdown(socket.SHUT_WR)
                    answer = b''
                    while part := connection.recv(65536):
                        answer += part
                except TimeoutError:
                    raise
                except OSError:     # the edge has ended the connection: reset, or not connected any more
                    answer = b''
                self.assertNotIn(b' 200 ', answer[:20])
                self.assertNotIn(b' 500 ', answer[:20])
        self.assertEqual(Fetcher(network.address(69)).get(f'http://{ADDRESS}:{HTTP}/x').status, 404)
