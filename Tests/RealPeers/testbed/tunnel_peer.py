"""A raw end of the tunnel, as docs/tunnel-protocol.md has it, that says whatever it is told to: an edge's end, or a headend's."""
import contextlib
import os
import socket
import ssl
import struct
import threading
import time

VERSION = b'EDGE\x01\x01'
PING, PONG, GO_AWAY, SIGNAL, OPEN, WAY, CERTIFICATE = 0x02, 0x03, 0x06, 0x10, 0x11, 0x16, 0x18


def frame(kind, payload=b''):
    return struct.pack('>BH', kind, len(payload)) + payload


def hello(token=None):
    fields = b'\x01\x04\x00\x00\x00\x00' + (b'\x02\x10' + token if token else b'') + b'\x03\x08' + bytes(8)
    return frame(0x01, VERSION + fields)


#: What a peer may flood the other with, each over and over.
FLOODS = {
    'pings': frame(PING, bytes(12)) * 500,
    'signals': frame(SIGNAL, struct.pack('>I', 1) + b'OPTIONS sip:a@b SIP/2.0\r\n' + b'x' * 60000),
    'unknown counted frames': frame(0x1f, bytes(1000)) * 20,
    'unknown frames': frame(0x0f, bytes(1000)) * 20,
    'media of no stream': frame(0x20, bytes(160)) * 100,
    'streams': b''.join(frame(OPEN, struct.pack('>HI', 32 + 2 * i, 8000)) for i in range(500)),
    'half a frame': struct.pack('>BH', SIGNAL, 65535) + bytes(1000),
}


def resident(pid):
    """Megabytes a process holds."""
    with open(f'/proc/{pid}/status') as f:
        return next(int(line.split()[1]) for line in f if line.startswith('VmRSS')) / 1024


class Connection:
    """A TLS connection on which frames are said and heard."""

    def __init__(self, tls):
        self.tls, self._heard = tls, b''

    def send(self, data, seconds=2.0):
        """False where the far end takes no more, or is gone."""
        self.tls.settimeout(seconds)
        try:
            self.tls.sendall(data)
            return True
        except OSError:
            return False

    def frames(self, seconds):
        """The frames that come within some time; none any more after the end of the connection."""
        end = time.monotonic() + seconds
        while True:
            while len(self._heard) >= 3:
                size = struct.unpack('>H', self._heard[1:3])[0]
                if len(self._heard) < 3 + size:
                    break
                kind, payload = self._heard[0], self._heard[3:3 + size]
                self._heard = self._heard[3 + size:]
                yield kind, payload
            left = end - time.monotonic()
            if left <= 0:
                return
            self.tls.settimeout(left)
            try:
                more = self.tls.recv(65536)
            except OSError:
                return
            if not more:
                return
            self._heard += more

    def wait(self, kind, seconds=5.0):
        return next((payload for found, payload in self.frames(seconds) if found == kind), None)

    def round_trip(self, seconds=5.0):
        """Seconds until a ping is answered; None: it is not."""
        mark, began = os.urandom(12), time.monotonic()
        if not self.send(frame(PING, mark)):
            return None
        for kind, payload in self.frames(seconds):
            if kind == PING:
                self.send(frame(PONG, payload))
            if kind == PONG and payload == mark:
                return time.monotonic() - began
        return None

    def flood(self, data, seconds):
        """Says it over and over; how many bytes the far end took."""
        end, taken = time.monotonic() + seconds, 0
        while time.monotonic() < end and self.send(data, max(0.05, end - time.monotonic())):
            taken += len(data)
        return taken

    def close(self):
        with contextlib.suppress(OSError):
            self.tls.close()


def connect(headend, certificate=None, key=None, source='127.0.0.1', buffer=None):
    """As an edge with a certificate, or as somebody without one. No hello is said yet. `buffer`: bytes that may wait in our own
    socket, where it counts how many the far end has taken."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if certificate:
        context.load_cert_chain(certificate, key)
    plain = socket.create_connection((headend, 5090), 5, source_address=(source, 0))
    if buffer:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
    return Connection(context.wrap_socket(plain))


def site(headend, certificate, key):
    """An edge whose session is up."""
    connection = connect(headend, certificate, key)
    connection.send(hello())
    if connection.wait(0x01) is None:
        raise OSError('no hello came back')
    return connection


class FalseHeadend:
    """Takes connections on a headend's port; `talk` is given each one when TLS stands. Without certificate: accepts and says nothing."""

    def __init__(self, address, certificate=None, key=None, authority=None, talk=None):
        self.said, self.datagrams, self.connections = b'', b'', 0
        self._context = None
        if certificate:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.minimum_version = ssl.TLSVersion.TLSv1_3
            self._context.load_cert_chain(certificate, key)
            self._context.load_verify_locations(authority)
            self._context.verify_mode = ssl.CERT_REQUIRED
        self._talk = talk
        self._listener = socket.create_server((address, 5090))
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind((address, 5090))
        for work in (self._accept, self._listen):
            threading.Thread(target=work, daemon=True).start()

    def _listen(self):
        with contextlib.suppress(OSError):
            while True:
                self.datagrams += self._udp.recv(65536)

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                plain, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain):
        with contextlib.suppress(OSError), plain:
            if self._context is None:
                while more := plain.recv(65536):
                    self.said += more
                return
            connection = Connection(self._context.wrap_socket(plain, server_side=True))
            if connection.wait(0x01) is not None:
                connection.send(hello(os.urandom(16)))
                self._talk(connection)

    def close(self):
        # A thread that waits in accept or recv is woken by this, and not by close.
        for each in (self._listener, self._udp):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
