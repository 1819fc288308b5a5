"""Many calls through one tunnel: their packets share datagrams, and none is lost, doubled or out of order."""
import os
import re
import select
import signal
import socket
import struct
import threading
import time
import unittest

from testbed import capture, network
from testbed.edge import Edge, SiteFile
from testbed.headend import Headend
from testbed.load import SCENARIOS, LoadPBX
from testbed.pki import SitePKI
from testbed.processes import Workspace, wait_until

CALLS, TURNS, TURN = 24, 150, 0.02
PHONE_PORT, PBX_PORT = 18400, 19400
PACKET = 172


class Talk:
    """RTP of every call from the phones' socket to the edge; what reaches the PBX's socket goes back by the way it came."""

    def __init__(self, ports):
        self.ports = ports
        self.phone, self.pbx = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        for end, port in ((self.phone, PHONE_PORT), (self.pbx, PBX_PORT)):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            end.bind((network.address(1), port))
        #: Of each call, the numbers that came: at the PBX, and back at the phones.
        self.there, self.back = {}, {}
        self._ended = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        while not self._ended.is_set():
            for end in select.select([self.phone, self.pbx], [], [], 0.1)[0]:
                packet, sender = end.recvfrom(2048)
                if len(packet) != PACKET:
                    continue
                number, call = struct.unpack_from('>H4xI', packet, 2)
                (self.there if end is self.pbx else self.back).setdefault(call, []).append(number)
                if end is self.pbx:
                    end.sendto(packet, sender)

    def run(self, edge):
        begin = time.monotonic()
        for turn in range(TURNS):
            for call, port in enumerate(self.ports):
                head = struct.pack('>BBHII', 0x80, 8, turn + 1, turn * 160, call + 1)
                self.phone.sendto(head.ljust(PACKET, b'\xd5'), (edge, port))
            time.sleep(max(0, begin + (turn + 1) * TURN - time.monotonic()))

    def close(self):
        self._ended.set()
        self._reader.join()
        self.phone.close()
        self.pbx.close()


class ManyCalls(unittest.TestCase):
    """One site with 24 calls."""

    @classmethod
    def setUpClass(cls):
        cls.workspace = Workspace()
        cls.addClassCleanup(cls.workspace.close)
        pki = SitePKI(cls.workspace.path('pki'))
        cls.pbx = LoadPBX(cls.workspace, pki, media=(network.address(1), PBX_PORT)).start()
        cls.head = Headend(cls.workspace, f'tls:{network.PBX}:5061', pbx_ca=pki.ca).start()
        site = SiteFile(cls.workspace.path('site'), pki, devices=['HD0001'], plain_phones=True, people={}, client_certificate=False,
                        tunnel=([f'{cls.head.address}:5090'], cls.head.enrol(cls.workspace.path('site-pki'))))
        cls.edge = Edge(cls.workspace, site.write(), site.control)
        cls.edge.start()

    def open(self):
        log = self.workspace.path('ports.log')
        self.workspace.start('phones', [
            'sipp', f'{network.EDGE}:5060', '-sf', os.path.join(SCENARIOS, 'phone_media.xml'), '-t', 'u1', '-i', network.address(41),
            '-key', 'audio_ip', network.address(1), '-key', 'audio_port', str(PHONE_PORT), '-r', '50', '-m', str(CALLS), '-l', str(CALLS),
            '-d', '3600000', '-nostdin', '-trace_logs', '-log_file', log], orphan_signal=signal.SIGTERM)

        def ports():
            if not os.path.exists(log):
                return None
            with open(log) as f:
                found = [int(port) for port in re.findall(r'(?m)^port (\d+)$', f.read())]
            return found if len(found) == CALLS else None
        found = wait_until(ports, 15, 0.1)
        self.assertTrue(found, self.edge.log()[-3000:])
        return found

    def test_all_arrives_once_and_in_order(self):
        ports = self.open()
        lanes = lambda: {call.get('lane') for call in self.edge.status()['inProgress']}
        self.assertTrue(wait_until(lambda: lanes() == {'datagram'}, 10, 0.1), lanes())
        # Two probes as long as a datagram of several packets.
        time.sleep(2.5)
        wire = capture.Wire(self.workspace, wanted=f'host {self.head.address} and port 5090')
        talk = Talk(ports)
        try:
            talk.run(network.EDGE)
            whole = {call + 1: list(range(1, TURNS + 1)) for call in range(CALLS)}
            wait_until(lambda: sum(map(len, talk.back.values())) >= CALLS * TURNS, 5, 0.1)
            self.assertEqual(talk.there, whole)
            # The far end of each call spoke only after it had heard something.
            self.assertEqual(talk.back, whole)
        finally:
            talk.close()
        # A packet alone takes 210 bytes behind UDP's head, one of six in a datagram 182. On the loopback datagrams are seen joined.
        path = wire.stop()
        for end in ('src', 'dst'):
            sizes = [int(row[0]) - 8 for row in capture.fields(path, ('udp.length',), f'ip.{end} == {self.head.address} && udp')]
            self.assertLess(sum(sizes), CALLS * TURNS * 196, f'{end}: hardly any packets share a datagram')
