"""Load, media and a PBX that means harm: the cases of abuse that are no single request (docs/policy.md)."""
import os
import random
import re
import socket
import ssl
import struct
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

from testbed import network
from testbed.branch import Branch
from testbed.desk import Desk, log_in
from testbed.edge import ADDRESS, Edge, SiteFile
from testbed.pbx import DOMAIN, USERS
from testbed.pki import SitePKI
from testbed.processes import Workspace, wait_until
from testbed.sip import Message, SIPClient, offer, token

PHONE, THIRD, FAR = network.address(14), network.address(66), network.address(31)


def udp(address, port=0, patience=0.3):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((address, port))
    s.settimeout(patience)
    return s


def rtp(sequence, source=7, payload=b'\xd5' * 160):
    return struct.pack('!BBHII', 0x80, 8, sequence & 0xFFFF, 160 * sequence & 0xFFFFFFFF, source) + payload


def heard(s, seconds=0.5):
    """Everything that comes within that time."""
    found, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            found.append(s.recv(2048))
        except OSError:
            pass
    return found


class Nuisance(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.workspace = Workspace()
        cls.addClassCleanup(cls.workspace.close)
        # What is measured is the edge's own memory, without packets that wait for a capture's file.
        cls.branch = Branch(cls.workspace, devices=('HD0001', 'HD0002', 'HD0003'), capture=None)
        cls.branch.start((), ())
        cls.edge = cls.branch.edge

    def desk(self, name='HD0003', transport='udp', **options):
        desk = Desk(name, transport, local=PHONE, domain=DOMAIN, **options)
        self.addCleanup(desk.close)
        return desk.sign_on()

    def memory(self):
        """Resident kilobytes."""
        with open(f'/proc/{self.edge.process.pid}/status') as status:
            return int(re.search(r'VmRSS:\s+(\d+)', status.read())[1])

    def descriptors(self):
        return len(os.listdir(f'/proc/{self.edge.process.pid}/fd'))

    def assert_others_are_served(self, seconds=4.0):
        """A fresh phone's call for help goes out."""
        self.branch.pbx.mark()
        fresh = Desk('HD0002', local=network.address(15), domain=DOMAIN)
        self.addCleanup(fresh.close)
        started = time.monotonic()
        self.assertIn(fresh.try_call('112', seconds), (404, 480, 486, 503))
        self.assertLess(time.monotonic() - started, seconds)
        self.assertIsNotNone(self.branch.pbx.wait_for(2, stage='seen', method='INVITE', target='112'))

    # 30 to 34: transport and load.

    def test_connections_opened_and_closed_leave_nothing(self):
        before = self.descriptors()
        invite = (f'INVITE sip:101@{DOMAIN} SIP/2.0\r\nVia: SIP/2.0/TCP {THIRD};branch=z9hG4bK%s\r\nFrom: <sip:x@x>;tag=1\r\n'
                  f'To: <sip:101@{DOMAIN}>\r\nCall-ID: %s\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n')
        for count in range(1500):
            s = socket.create_connection((ADDRESS, 5060), 5, source_address=(THIRD, 0))
            if count % 3 == 0:
                s.sendall((invite % (token(), token())).encode())
            if count % 3 == 1:
                s.sendall(b'INVITE sip:x')
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
            s.close()
        self.assertIsNotNone(wait_until(lambda: self.descriptors() <= before + 2, 5, 0.1), 'descriptors are left')
        self.assert_others_are_served()

    def test_connections_held_open_are_capped_and_others_are_served(self):
        held = []
        self.addCleanup(lambda: [s.close() for s in held])
        for _ in range(300):
            try:
                held.append(socket.create_connection((ADDRESS, 5060), 2, source_address=(THIRD, 0)))
                held[-1].sendall(b'OPTIONS sip:x SIP/2.0\r\nVia: ')
            except OSError:
                break
        self.assert_others_are_served()
        over_tcp = self.desk(transport='tcp')
        self.assertEqual(over_tcp.try_call('101'), 403)

    def test_flood_of_new_calls_leaves_memory_flat_and_help_gets_through(self):
        flood, body = udp(THIRD), offer(THIRD)
        def send(count):
            for _ in range(count):
                call = token(6)
                flood.sendto((
                    f'INVITE sip:101@{DOMAIN} SIP/2.0\r\nVia: SIP/2.0/UDP {THIRD};branch=z9hG4bK{call};rport\r\nMax-Forwards: 70\r\n'
                    f'From: <sip:HD0001@{DOMAIN}>;tag={call}\r\nTo: <sip:101@{DOMAIN}>\r\nCall-ID: {call}\r\nCSeq: 1 INVITE\r\n'
                    f'Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n').encode() + body, (ADDRESS, 5060))
        send(4000)
        before = self.memory()
        send(12000)
        self.assert_others_are_served()
        self.assertLess(self.memory() - before, 4096, 'kilobytes for 12,000 calls that were never let in')
        self.assertEqual(self.branch.pbx.requests('seen', from_user='100'), [])

    def test_a_forged_source_is_sent_one_answer_and_no_more_bytes(self):
        for method in ('INVITE', 'OPTIONS', 'MESSAGE'):
            with self.subTest(method):
                victim, call = udp(THIRD), token(6)
                request = (f'{method} sip:101@{DOMAIN} SIP/2.0\r\nVia: SIP/2.0/UDP {THIRD};branch=z9hG4bK{call};rport\r\n'
                           f'Max-Forwards: 70\r\nFrom: <sip:HD0001@{DOMAIN}>;tag={call}\r\nTo: <sip:101@{DOMAIN}>\r\nCall-ID: {call}\r\n'
                           f'CSeq: 1 {method}\r\nContact: <sip:x@{THIRD}>\r\nContent-Length: 300\r\n\r\n').encode() + b'x' * 300
                victim.sendto(request, (ADDRESS, 5060))
                answers = heard(victim, 1.5)
                self.assertLessEqual(len(answers), 1, answers)
                self.assertLessEqual(sum(map(len, answers)), len(request))

    def test_lengths_that_are_none(self):
        for length in ('', 'Content-Length: -1', 'Content-Length: 99999999999', 'Content-Length: 5\r\nContent-Length: 6'):
            with self.subTest(length), socket.create_connection((ADDRESS, 5060), 5, source_address=(THIRD, 0)) as s:
                s.sendall((f'OPTIONS sip:{DOMAIN} SIP/2.0\r\nVia: SIP/2.0/TCP {THIRD};branch=z9hG4bK{token()}\r\nFrom: <sip:x@x>;tag=1\r\n'
                           f'To: <sip:x@x>\r\nCall-ID: {token()}\r\nCSeq: 1 OPTIONS\r\n{length}{chr(13) + chr(10) if length else ""}\r\n').encode())
                s.settimeout(3)
                answer, data = b'', b'?'
                try:
                    while data:
                        data = s.recv(4096)
                        answer += data
                except OSError:
                    self.fail('the stream is left open although nobody knows where its next message begins')
                self.assertTrue(not answer or re.match(rb'SIP/2.0 4\d\d', answer), answer)
        self.assert_others_are_served()

    def test_other_protocols_and_noise(self):
        noise = random.Random(1)
        words = [b'GET / HTTP/1.1\r\nHost: x\r\n\r\n', bytes.fromhex('16030100a5010000a10303') + noise.randbytes(160),
                 bytes.fromhex('000100002112a442') + noise.randbytes(12), b'\r\n' * 4000, noise.randbytes(2000), b'\0' * 500]
        s = udp(THIRD)
        for word in words:
            s.sendto(word, (ADDRESS, 5060))
            with socket.create_connection((ADDRESS, 5060), 5, source_address=(THIRD, 0)) as stream:
                try:
                    stream.sendall(word)
                except OSError:
                    pass
        self.assertEqual([a for a in heard(s) if not a.startswith(b'\r\n') and not a.startswith(b'SIP/2.0 4')], [])
        self.assert_others_are_served()


class Media(unittest.TestCase):
    """35 and 36: the relay between a desk and a phone at the PBX."""

    @classmethod
    def setUpClass(cls):
        cls.workspace = Workspace()
        cls.addClassCleanup(cls.workspace.close)
        cls.branch = Branch(cls.workspace)
        cls.branch.start((), ())
        cls.far = SIPClient('101', USERS['101'], DOMAIN, (network.PBX, 5060), FAR)
        cls.addClassCleanup(cls.far.close)
        cls.far.register()
        cls.desk = Desk('HD0001', local=PHONE, domain=DOMAIN)
        cls.addClassCleanup(cls.desk.close)
        cls.desk.sign_on()
        log_in(cls.branch.edge, cls.desk)

    def call(self, near_offer):
        """A call whose far end answers with an address of its own; the edge's ports towards both, and the dialog."""
        with ThreadPoolExecutor(1) as pool:
            def answer():
                invite = self.far.wait_request('INVITE')
                self.far.accept(invite, offer(FAR, self.far_port))
                return invite
            answered = pool.submit(answer)
            response, dialog = self.desk.invite('101', body=near_offer)
            invite = answered.result()
        self.assertEqual(response.status, 200)
        port = lambda message: int(re.search(rb'm=audio (\d+)', message.body)[1])
        return port(response), port(invite), dialog

    def hang_up(self, dialog):
        with ThreadPoolExecutor(1) as pool:
            agreed = pool.submit(lambda: self.far.reply(self.far.wait_request('BYE'), 200))
            self.assertEqual(self.desk.hang_up(dialog), 200)
            agreed.result()

    def setUp(self):
        self.far_media = udp(FAR)
        self.addCleanup(self.far_media.close)
        self.far_port = self.far_media.getsockname()[1]

    def assert_heard(self, phone, port, sequences):
        """The phone speaks, packet by packet, until the far end has heard it."""
        for sequence in sequences:
            phone.sendto(rtp(sequence), (ADDRESS, port))
            if heard(self.far_media, 0.05):
                return
        self.fail('the far end hears nothing of the phone')

    def test_third_party_is_not_forwarded_once_the_source_is_known(self):
        phone, third = udp(PHONE), udp(THIRD)
        for s in (phone, third):
            self.addCleanup(s.close)
        near, far, dialog = self.call(offer(PHONE, phone.getsockname()[1]))
        self.assert_heard(phone, near, range(200))
        bye = bytes([0x80, 201, 0, 1]) + struct.pack('!I', 7) + bytes([0x81, 203, 0, 1]) + struct.pack('!I', 7)
        for port in range(20000, 21000):
            third.sendto(rtp(port, 99, b'spray' * 32), (ADDRESS, port))
            third.sendto(bye, (ADDRESS, port))
        spread = heard(self.far_media) + heard(phone)
        self.assertEqual([p for p in spread if b'spray' in p or p[1:2] in (b'\xc9', b'\xcb')], [])
        self.assertEqual(heard(third), [])
        self.assert_heard(phone, near, range(200, 400))
        self.hang_up(dialog)

    def test_descriptions_that_point_elsewhere_get_no_media(self):
        victim = udp(network.address(67))
        self.addCleanup(victim.close)
        for address in ('224.0.0.1', '0.0.0.0', '255.255.255.255', network.PBX):
            with self.subTest(address):
                listener = udp(network.PBX, 31000) if address == network.PBX else None
                near, far, dialog = self.call(offer(address, 31000))
                for sequence in range(20):
                    self.far_media.sendto(rtp(sequence), (ADDRESS, far))
                if listener:
                    self.assertEqual(heard(listener), [], 'media for the PBX itself')
                    listener.close()
                self.hang_up(dialog)
        self.assertTrue(self.branch.edge.process.running)


class TLSSink:
    """A PBX of bytes: takes the edge's TLS connection, says yes to each REGISTER, keeps what came, sends what it is told."""

    def __init__(self, pki):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(pki.pbx.certificate, pki.pbx.key)
        self.listener = socket.create_server((network.PBX, 5061))
        self.messages, self.connection = [], None
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                plain, _ = self.listener.accept()
                self.connection = self.context.wrap_socket(plain, server_side=True)
                self.read(self.connection)
            except OSError:
                if self.listener.fileno() < 0:
                    return

    def read(self, connection):
        data = b''
        while more := connection.recv(65536):
            data += more
            while b'\r\n\r\n' in data:
                head, _, rest = data.partition(b'\r\n\r\n')
                if not head.strip():
                    data = rest
                    continue
                length = int((re.search(rb'(?im)^content-length:\s*(\d+)', head) or [0, 0])[1])
                if len(rest) < length:
                    break
                data = rest[length:]
                message = Message.parse(head + b'\r\n\r\n' + rest[:length])
                self.messages.append(message)
                if not message.is_response and message.method in ('REGISTER', 'OPTIONS'):
                    fields = [(n, v) for n, v in message.headers if n in ('Via', 'From', 'Call-ID', 'CSeq', 'Contact', 'Expires')]
                    connection.sendall(Message('SIP/2.0 200 OK', fields + [('To', message.get('To') + ';tag=sink')]).encoded())

    def send(self, data):
        self.connection.sendall(data)

    def wait(self, wanted, seconds=3):
        return wait_until(lambda: next((m for m in self.messages if wanted(m)), None), seconds)

    def close(self):
        self.listener.close()
        if self.connection:
            self.connection.close()


class HostilePBX(unittest.TestCase):
    """38: what comes down the trunk is no more trusted than what comes up."""

    def setUp(self):
        self.workspace = Workspace()
        self.addCleanup(self.workspace.close)
        pki = SitePKI(self.workspace.path('pki'))
        self.site = SiteFile(self.workspace.path('site'), pki)
        self.sink = TLSSink(pki)
        self.addCleanup(self.sink.close)
        self.edge = Edge(self.workspace, self.site.write(), self.site.control).start()
        self.assertIsNotNone(wait_until(lambda: self.sink.connection, 5))
        self.desk = Desk('HD0001', local=PHONE, domain=DOMAIN).sign_on()
        self.addCleanup(self.desk.close)

    def invite(self, user, call, extra=''):
        return (f'INVITE sip:{user}@{ADDRESS} SIP/2.0\r\nVia: SIP/2.0/TLS {network.PBX}:5061;branch=z9hG4bK{call}\r\nMax-Forwards: 70\r\n'
                f'From: <sip:evil@{DOMAIN}>;tag=e\r\nTo: <sip:{user}@{DOMAIN}>\r\nCall-ID: {call}\r\nCSeq: 1 INVITE\r\n'
                f'Contact: <sip:evil@{network.PBX}>\r\n{extra}Content-Length: 0\r\n\r\n').encode()

    def test_no_call_rings_at_an_idle_device(self):
        for user in ('HD0001', '100', '112', 'nobody', '*77*100*'):
            with self.subTest(user):
                call = token()
                self.sink.send(self.invite(user, call))
                answer = self.sink.wait(lambda m: m.is_response and m.call_id == call and m.status >= 200)
                self.assertEqual(answer and answer.status, 480)
        self.assertIsNone(self.desk.wait_request('INVITE', 0.5))

    def test_messages_that_are_none_are_survived(self):
        noise = random.Random(2)
        long = 'X-Long: ' + 'x' * 9000 + '\r\n'
        for data in (self.invite('HD0001', token(), long), self.invite('HD0001', token(), 'X: 1\r\n' * 300), b'\r\n' * 3000,
                     b'SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n', noise.randbytes(5000),
                     b'INVITE sip:x SIP/2.0\r\nContent-Length: 99999999\r\n\r\n', b'A' * 100000):
            with self.subTest(data[:30]):
                try:
                    self.sink.send(data)
                except OSError:
                    pass
                self.assertIsNotNone(wait_until(lambda: any(n['up'] for n in self.edge.status()['nodes']), 8, 0.1),
                                     'the trunk does not come back')
        self.assertTrue(self.edge.process.running)
        self.assertIn(self.desk.try_call('101'), (403,))
        answered = threading.Thread(target=self.desk.try_call, args=('112', 3))
        answered.start()
        self.assertIsNotNone(self.sink.wait(lambda m: m.method == 'INVITE' and m.uri.startswith('sip:112@')))
        answered.join()
