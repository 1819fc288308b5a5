"""The texts of `edgeproxy dhcp-options`, judged by the servers they are for: dnsmasq and Kea take them, and a phone that asks
dnsmasq for a lease in a network of its own is told where the edge is."""
import json
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import unittest

from testbed.edge import BINARY, ROOT
from testbed.processes import Workspace, wait_until

DNSMASQ, KEA = shutil.which('dnsmasq', path='/usr/sbin:/usr/bin'), shutil.which('kea-dhcp4', path='/usr/sbin:/usr/bin')
FIRST = 'http://192.0.2.10:8080/prov/'
#: MAC, vendor class, and what the phone must be told: option and text.
PHONES = {
    'yealink': ('80:5e:c0:00:00:01', 'yealink', 66, FIRST), 'fanvil': ('0c:38:3e:00:00:02', '', 66, FIRST + '$mac.cfg'),
    'snom': ('00:04:13:00:00:03', 'snomD785', 66, FIRST + '{mac}.xml'), 'grandstream': ('c0:74:ad:00:00:04', 'Grandstream', 66, FIRST),
    'poly': ('64:16:7f:00:00:05', 'Polycom-VVX450', 160, FIRST), 'yealink of a new block': ('02:00:00:00:00:06', 'yealink', 66, FIRST),
    'no phone': ('02:00:00:00:00:07', 'MSFT 5.0', 66, None)}


def texts():
    """The text for each server, of the demo site with delivery switched on."""
    folder = tempfile.mkdtemp(prefix='dhcp-')
    try:
        with open(os.path.join(ROOT, 'conf', 'demo.toml'), encoding='utf-8') as file:
            lines = [line for line in file if not line.startswith('ca = ')]
        shutil.copytree(os.path.join(ROOT, 'conf', 'demo-secrets'), os.path.join(folder, 'demo-secrets'))
        site = os.path.join(folder, 'site.toml')
        with open(site, 'w', encoding='utf-8') as file:
            file.write(''.join(lines).replace('[listen]', '[listen]\nhttp = "127.0.0.10:8080"')
                       + '\n[provisioning]\nnetworks = ["192.0.2.0/24"]\nurl = "http://192.0.2.10:8080/"\n')
        run = lambda server: subprocess.run(  # noqa: E731
            [BINARY, 'dhcp-options', '--server', server, '--site', site], capture_output=True, text=True, check=True, timeout=30).stdout
        return {server: run(server) for server in ('dnsmasq', 'kea')}
    finally:
        shutil.rmtree(folder)


def discover(mac, vendor_class):
    """DHCPDISCOVER (RFC 2131) as a phone sends it."""
    address = bytes.fromhex(mac.replace(':', ''))
    head = struct.pack('!BBBBIHH4s4s4s4s16s64s128s', 1, 1, 6, 0, 0x11223344, 0, 0x8000, b'', b'', b'', b'', address, b'', b'')
    options = b'\x35\x01\x01' + b'\x37\x04\x01\x03\x42\xa0'
    if vendor_class:
        options += bytes([60, len(vendor_class)]) + vendor_class.encode()
    return head + b'\x63\x82\x53\x63' + options + b'\xff'


def options_of(reply):
    found, place = {}, 240
    while place < len(reply) and reply[place] != 255:
        code, length = reply[place], reply[place + 1]
        found[code] = reply[place + 2:place + 2 + length]
        place += 2 + length
    return found


class Texts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.texts = texts()
        cls.workspace = Workspace()
        cls.addClassCleanup(cls.workspace.close)

    def write(self, name, text):
        path = self.workspace.path(name)
        with open(path, 'w', encoding='utf-8') as file:
            file.write(text)
        return path

    @unittest.skipUnless(DNSMASQ, 'dnsmasq is not installed')
    def test_dnsmasq_takes_it(self):
        good = self.write('dnsmasq.conf', self.texts['dnsmasq'])
        done = subprocess.run([DNSMASQ, '--test', '-C', good], capture_output=True, text=True, timeout=20, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        bad = self.write('bad.conf', self.texts['dnsmasq'].replace('dhcp-option=', 'dhcp-opinion='))
        self.assertNotEqual(subprocess.run([DNSMASQ, '--test', '-C', bad], capture_output=True, timeout=20, check=False).returncode, 0)

    def kea(self, classes):
        subnet = {'id': 1, 'subnet': '192.0.2.0/24', 'pools': [{'pool': '192.0.2.100 - 192.0.2.200'}]}
        server = {'interfaces-config': {'interfaces': []}, 'lease-database': {'type': 'memfile', 'persist': False}, 'subnet4': [subnet], **classes}
        path = self.write('kea.json', json.dumps({'Dhcp4': server}))
        return subprocess.run([KEA, '-t', path], capture_output=True, text=True, timeout=30, check=False)

    @unittest.skipUnless(KEA, 'kea-dhcp4 is not installed')
    def test_kea_takes_it(self):
        text = '\n'.join(line for line in self.texts['kea'].splitlines() if not line.lstrip().startswith(('#', '//')))
        classes = json.loads('{' + text.strip().rstrip(',') + '}') if not text.lstrip().startswith('{') else json.loads(text)
        classes = classes.get('Dhcp4', classes)
        done = self.kea(classes)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        broken = json.loads(json.dumps(classes).replace('substring', 'subtext'))
        self.assertNotEqual(self.kea(broken).returncode, 0)

    @unittest.skipUnless(DNSMASQ, 'dnsmasq is not installed')
    def test_a_phone_that_asks_for_a_lease_is_told(self):
        """A network of its own: two ends of a cable, dnsmasq at one, the phone at the other."""
        if subprocess.run(['unshare', '--net', 'true'], capture_output=True, check=False).returncode:
            self.skipTest('this machine makes no network namespaces')
        config = self.write('lease.conf', self.texts['dnsmasq'] + '\n'.join([
            'port=0', 'interface=server0', 'bind-interfaces', 'dhcp-range=192.0.2.100,192.0.2.200,1h', 'dhcp-authoritative', 'user=root',
            f'dhcp-leasefile={self.workspace.path("leases")}', f'pid-file={self.workspace.path("dnsmasq.pid")}', 'log-facility=-', 'no-ping', '']))
        script = self.write('client.py', CLIENT)
        questions = self.write('questions.json', json.dumps({name: discover(mac, kind).hex() for name, (mac, kind, _, _) in PHONES.items()}))
        shell = f'''set -e
            ip link add server0 type veth peer name phone0; ip address add 192.0.2.1/24 dev server0
            ip link set lo up; ip link set server0 up; ip link set phone0 up
            {DNSMASQ} -k -C {config} & server=$!
            python3 {script} {questions}; kill $server'''
        done = subprocess.run(['unshare', '--net', 'sh', '-c', shell], capture_output=True, text=True, timeout=60, check=False)
        lines = [line for line in done.stdout.splitlines() if line.startswith('{')]
        self.assertTrue(lines, done.stdout + done.stderr)
        replies = {name: options_of(bytes.fromhex(reply)) for name, reply in json.loads(lines[-1]).items()}
        for name, (_, _, code, expected) in PHONES.items():
            with self.subTest(name):
                self.assertIn(name, replies, done.stderr)
                told = replies[name].get(code)
                self.assertEqual(told.rstrip(b'\0').decode() if told else None, expected)


CLIENT = '''
import json, socket, struct, sys, time

def framed(question):
    # The phone has no address yet: Ethernet, IPv4 and UDP by hand.
    udp = struct.pack('!HHHH', 68, 67, 8 + len(question), 0) + question
    head = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, bytes(4), bytes([255] * 4))
    total = sum(struct.unpack('!10H', head))
    total = (total & 0xffff) + (total >> 16)
    head = head[:10] + struct.pack('!H', ~(total + (total >> 16)) & 0xffff) + head[12:]
    return bytes([255] * 6) + question[28:34] + b'\\x08\\x00' + head + udp

questions = json.load(open(sys.argv[1]))
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
wire.bind(('phone0', 0x0800)); wire.settimeout(0.5)
replies, end = {}, time.monotonic() + 20
for name, question in questions.items():
    question = bytes.fromhex(question)
    while name not in replies and time.monotonic() < end:
        try:
            wire.send(framed(question))
            while name not in replies:
                frame = wire.recv(2048)
                # From the server's port to the phone's, about this phone.
                if frame[34:38] == bytes([0, 67, 0, 68]) and frame[42 + 28:42 + 34] == question[28:34]:
                    replies[name] = frame[42:].hex()
        except OSError:
            time.sleep(0.1)
print(json.dumps(replies))
'''
