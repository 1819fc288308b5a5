"""RTP as plain packets: somebody who talks on a socket, and somebody who sprays a relay with packets."""
import contextlib
import struct
import threading
import time


def packet(sequence, source, payload, kind=8, timestamp=None):
    time_of = 160 * sequence if timestamp is None else timestamp
    return struct.pack('!BBHII', 0x80, kind, sequence & 0xFFFF, time_of & 0xFFFFFFFF, source) + payload


class _Beating:
    """Does something every 20 ms until it is closed."""

    def __init__(self):
        self._runs = True
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self._thread.start()
        return self

    def _run(self):
        due = time.monotonic()
        while self._runs:
            self.beat()
            due += 0.02
            time.sleep(max(0.0, due - time.monotonic()))

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._runs = False
        self._thread.join()


class Talker(_Beating):
    """The media of a phone on a socket: sends `words` (16 bytes) over and over, or a text once, and keeps the payloads of what comes."""

    def __init__(self, socket, words, source=7, sequence=0):
        super().__init__()
        self.socket, self.target, self.words, self.source, self.sequence = socket, None, words, source, sequence
        socket.setblocking(False)
        self.heard, self._text = [], b''

    def say(self, text, target):
        """160 bytes a packet, in the place of the words."""
        self._text, self.target = text, target

    def beat(self):
        with contextlib.suppress(OSError):
            while True:
                self.heard.append(self.socket.recv(2048)[12:])
        payload, self._text = self._text[:160] or self.words * 10, self._text[160:]
        if self.target and payload:
            with contextlib.suppress(OSError):
                self.socket.sendto(packet(self.sequence, self.source, payload), self.target)
            self.sequence += 1


class Sprayer(_Beating):
    """Sends RTP that looks like a phone's to each even port of a range, 50 times a second: it is there before a call is."""

    WORDS = b'sprayed RTP here'

    def __init__(self, socket, address, ports=range(20000, 20100, 2)):
        super().__init__()
        self.socket, self.address, self.ports, self.sequence = socket, address, ports, 0

    def beat(self):
        data = packet(self.sequence, 99, self.WORDS * 10)
        self.sequence += 1
        for port in self.ports:
            with contextlib.suppress(OSError):
                self.socket.sendto(data, (self.address, port))
