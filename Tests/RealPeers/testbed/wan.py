"""A branch and a PBX in two network namespaces, and between them a line that delays, jitters, loses, narrows and breaks.

Each namespace has a TUN device; this process carries what is sent into one to the other. Nothing else leads out. The
namespaces live as long as two sleeping processes of ours: no names are left behind, whatever ends us. Needs root.
"""
import contextlib
import ctypes
import dataclasses
import fcntl
import heapq
import os
import random
import selectors
import struct
import subprocess
import threading
import time

from .processes import PeerError, wait_until

_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
_UDP = 17
_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


@dataclasses.dataclass(frozen=True)
class Line:
    """One direction of the line. Seconds, shares from 0 to 1, bits a second; None: as fast as it gets."""
    delay: float = 0.0
    #: Each packet is late by up to so much more, evenly by chance; order is kept as a queue keeps it unless `reorders`.
    jitter: float = 0.0
    loss: float = 0.0
    rate: float | None = None
    #: How long a packet may wait for its turn on a narrow line before it is dropped.
    queue: float = 0.5
    reorders: bool = False
    #: Nothing but TCP and ICMP gets through.
    blocks_udp: bool = False


class Direction:
    """What happens to packets one way. Time comes in, packets come out: no clock and no socket in here."""

    def __init__(self, line, seed):
        self.line = line
        self.is_cut = False
        self.sent = self.lost = 0
        self._chance = random.Random(seed)
        self._held, self._number = [], 0
        self._free_at = self._last = 0.0

    def take(self, packet, now):
        """A packet enters at `now`."""
        self.sent += 1
        line = self.line
        if self.is_cut or self._chance.random() < line.loss or (line.blocks_udp and _protocol(packet) == _UDP):
            self.lost += 1
            return
        start = now
        if line.rate:
            start = max(now, self._free_at)
            if start - now > line.queue:
                self.lost += 1
                return
            self._free_at = start + len(packet) * 8 / line.rate
            start = self._free_at
        due = start + line.delay + self._chance.random() * line.jitter
        if not line.reorders:
            due = self._last = max(due, self._last)
        self._number += 1
        heapq.heappush(self._held, (due, self._number, packet))

    def give(self, now):
        """The packets that leave by `now`. What was under way when the line was cut is lost too."""
        out = []
        while self._held and self._held[0][0] <= now:
            packet = heapq.heappop(self._held)[2]
            if self.is_cut:
                self.lost += 1
            else:
                out.append(packet)
        return out

    @property
    def next_due(self):
        return self._held[0][0] if self._held else None


def _protocol(packet):
    version = packet[0] >> 4 if packet else 0
    if version == 4 and len(packet) > 9:
        return packet[9]
    return packet[6] if version == 6 and len(packet) > 6 else None


def _join(namespace):
    """This thread goes into a network namespace."""
    if _libc.setns(namespace, _CLONE_NEWNET):
        raise PeerError(f'setns: {os.strerror(ctypes.get_errno())}')


class Namespace:
    """A network namespace with its own loopback."""

    def __init__(self, workspace, name):
        #: The device that leads out.
        self.device = None
        self.holder = workspace.start(f'{name}-namespace', ['unshare', '-n', 'sleep', 'infinity'])
        own = os.readlink('/proc/self/ns/net')

        def apart():
            try:
                return os.readlink(f'/proc/{self.holder.pid}/ns/net') != own
            except OSError:
                return False
        if not wait_until(apart, 5):
            raise PeerError(f'no network namespace for {name}:\n{self.holder.output()}')
        self.run('ip', 'link', 'set', 'lo', 'up')

    def enter(self, *argv):
        """The command line of a program in here."""
        return ['nsenter', '-t', str(self.holder.pid), '-n', *argv]

    @contextlib.contextmanager
    def inside(self):
        """What this thread starts, and the sockets it opens, are in here meanwhile."""
        before = os.open('/proc/thread-self/ns/net', os.O_RDONLY | os.O_CLOEXEC)
        there = os.open(f'/proc/{self.holder.pid}/ns/net', os.O_RDONLY | os.O_CLOEXEC)
        try:
            _join(there)
            yield
        finally:
            _join(before)
            os.close(before)
            os.close(there)

    def run(self, *argv):
        done = subprocess.run(self.enter(*argv), capture_output=True, text=True)
        if done.returncode != 0:
            raise PeerError(f'{" ".join(argv)}: {done.stdout}{done.stderr}')
        return done.stdout


class WAN:
    """`branch` (10.77.0.1, fd77::1) and `pbx` (10.77.0.2, fd77::2) with the line between them. Use as a context manager."""
    BRANCH, PBX = '10.77.0.1', '10.77.0.2'
    BRANCH_SIX, PBX_SIX = 'fd77::1', 'fd77::2'

    def __init__(self, workspace, up=Line(), down=None, mtu=1500, seed=1):
        self.branch, self.pbx = Namespace(workspace, 'branch'), Namespace(workspace, 'pbx')
        self._devices = [self._device(self.branch, self.BRANCH, mtu), self._device(self.pbx, self.PBX, mtu)]
        #: From the branch to the PBX, and back.
        self.up, self.down = Direction(up, seed), Direction(down or up, seed + 1)
        self._lock, self._stop = threading.Lock(), os.pipe()
        self._thread = threading.Thread(target=self._carry, daemon=True)

    @staticmethod
    def _device(namespace, address, mtu):
        descriptor = os.open('/dev/net/tun', os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        name = f'wan{os.getpid() % 100000}.{descriptor}'
        fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack('16sH', name.encode(), _IFF_TUN | _IFF_NO_PI))
        moved = subprocess.run(['ip', 'link', 'set', name, 'netns', str(namespace.holder.pid)], capture_output=True, text=True)
        if moved.returncode != 0:
            raise PeerError(f'{name}: {moved.stderr}')
        namespace.device = name
        namespace.run('ip', 'address', 'add', f'{address}/24', 'dev', name)
        namespace.run('ip', 'address', 'add', f'fd77::{address.rpartition(".")[2]}/64', 'dev', name, 'nodad')
        namespace.run('ip', 'link', 'set', name, 'mtu', str(mtu), 'up')
        namespace.run('ip', 'route', 'add', 'default', 'dev', name)
        return descriptor

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        os.write(self._stop[1], b'.')
        self._thread.join()
        for descriptor in (*self._devices, *self._stop):
            os.close(descriptor)

    def change(self, up, down=None):
        """Another line from now on; packets under way are not affected."""
        with self._lock:
            self.up.line, self.down.line = up, down or up

    def cut(self, is_cut=True):
        """Breaks the line both ways, or mends it."""
        with self._lock:
            self.up.is_cut = self.down.is_cut = is_cut

    def _carry(self):
        branch, pbx = self._devices
        ways = {branch: (self.up, pbx), pbx: (self.down, branch)}
        with selectors.DefaultSelector() as selector:
            for descriptor in (branch, pbx, self._stop[0]):
                selector.register(descriptor, selectors.EVENT_READ)
            while True:
                dues = [way.next_due for way, _ in ways.values() if way.next_due is not None]
                wait = max(0.0, min(dues) - time.monotonic()) if dues else None
                for key, _ in selector.select(wait):
                    if key.fd == self._stop[0]:
                        return
                    self._read(key.fd, ways[key.fd][0])
                with self._lock:
                    now = time.monotonic()
                    leaving = [(out, way.give(now)) for way, out in ways.values()]
                for out, packets in leaving:
                    for packet in packets:
                        self._write(out, packet)

    def _read(self, descriptor, way):
        for _ in range(64):
            try:
                packet = os.read(descriptor, 65536)
            except BlockingIOError:
                return
            with self._lock:
                way.take(packet, time.monotonic())

    @staticmethod
    def _write(descriptor, packet):
        try:
            os.write(descriptor, packet)
        except OSError:
            pass                # the far end's queue is full: lost, as on any line
