"""A branch's network of namespaces: hosts on one switch, each with an address of its own, and routers that translate addresses.

On the loopback every host may send from any address, so who sends from where is judged here alone. Needs root and nft.
"""
import contextlib
import itertools
import socket
import struct
import threading

from .baresip import Baresip
from .branch import PBX_PHONES, Branch
from .desk import Desk, log_in
from .pbx import DOMAIN
from .pki import SitePKI
from .wan import Namespace

_ETH_IP = 0x0800
_numbers = itertools.count(1)


class Host:
    """One machine on the switch. `with host.inside():` what is started there is there."""

    def __init__(self, lan, name, *addresses):
        self.address = addresses[0]
        self.namespace = Namespace(lan.workspace, f'{lan.name}-{name}')
        lan.plug(self.namespace, 'eth0')
        for address in addresses:
            self.namespace.run('ip', 'address', 'add', f'{address}/24', 'dev', 'eth0')

    def inside(self):
        return self.namespace.inside()

    def move(self, address):
        """Another address, as after a DHCP renewal; the one of before is gone."""
        self.namespace.run('ip', 'address', 'flush', 'dev', 'eth0')
        self.namespace.run('ip', 'address', 'add', f'{address}/24', 'dev', 'eth0')
        self.address = address

    def unplug(self):
        """Takes it off the switch, so that another may have its address."""
        self.namespace.run('ip', 'link', 'del', 'eth0')

    def udp(self, port=0):
        """A socket of this host."""
        with self.inside():
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind((self.address, port))
        return s


class LAN:
    """The switch: a bridge in a namespace of its own."""

    def __init__(self, workspace, name='lan'):
        self.workspace, self.name = workspace, name
        self.switch = Namespace(workspace, f'{name}-switch')
        self.switch.run('ip', 'link', 'add', 'switch', 'type', 'bridge')
        self.switch.run('ip', 'link', 'set', 'switch', 'up')

    def plug(self, namespace, device):
        """A cable from the switch to a new device there."""
        plug = f'p{next(_numbers)}'
        # Made at the switch's end, with its other end in the host at once.
        self.switch.run('ip', 'link', 'add', plug, 'type', 'veth', 'peer', 'name', device, 'netns', str(namespace.holder.pid))
        self.switch.run('ip', 'link', 'set', plug, 'master', 'switch', 'up')
        namespace.run('ip', 'link', 'set', device, 'up')

    def host(self, name, *addresses):
        return Host(self, name, *addresses)


class Behind:
    """A host behind a router of its own that translates addresses and ports of UDP (nftables' masquerade, by chance into `PORTS`)."""
    INSIDE, ROUTER, PORTS = '192.168.77.2', '192.168.77.1', (40000, 49999)

    def __init__(self, lan, name, outside):
        self.router = lan.host(f'{name}-router', outside)
        self.namespace = Namespace(lan.workspace, f'{lan.name}-{name}')
        self.address, self.outside = self.INSIDE, outside
        own = self.router.namespace
        own.run('ip', 'link', 'add', 'inner', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', str(self.namespace.holder.pid))
        own.run('ip', 'address', 'add', f'{self.ROUTER}/24', 'dev', 'inner')
        own.run('ip', 'link', 'set', 'inner', 'up')
        self.namespace.run('ip', 'address', 'add', f'{self.INSIDE}/24', 'dev', 'eth0')
        self.namespace.run('ip', 'link', 'set', 'eth0', 'up')
        self.namespace.run('ip', 'route', 'add', 'default', 'via', self.ROUTER)
        own.run('sysctl', '-qw', 'net.ipv4.ip_forward=1')
        own.run('nft', 'add', 'table', 'ip', 'nat')
        own.run('nft', 'add', 'chain', 'ip', 'nat', 'out', '{ type nat hook postrouting priority 100; }')
        own.run('nft', 'add', 'rule', 'ip', 'nat', 'out', 'oifname', 'eth0', 'meta', 'l4proto', 'udp', 'masquerade', 'to',
                ':{}-{}'.format(*self.PORTS), 'random')

    def inside(self):
        return self.namespace.inside()


class Ear:
    """Hears every UDP packet of IPv4 that reaches a host by one of its devices: (source, destination port, payload)."""

    def __init__(self, host, device='eth0'):
        with host.inside():
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_IP))
        self._socket.bind((device, _ETH_IP))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self._socket.settimeout(0.2)
        self.packets, self._runs = [], True
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self):
        while self._runs:
            with contextlib.suppress(TimeoutError):
                packet, (_, _, kind, *_) = self._socket.recvfrom(2048)
                size = (packet[0] & 15) * 4
                if kind == socket.PACKET_HOST and packet[9] == socket.IPPROTO_UDP and len(packet) >= size + 8:
                    source, target = struct.unpack_from('!HH', packet, size)
                    self.packets.append(((socket.inet_ntoa(packet[12:16]), source), target, packet[size + 8:]))

    def rtp(self, source=None):
        """RTP without RTCP (RFC 5761 tells them apart) that came from there; None: from anywhere."""
        return [p for p in self.packets if len(p[2]) >= 12 and p[2][0] >> 6 == 2 and not 64 <= p[2][1] & 0x7F <= 95
                and source in (None, p[0][0])]

    def forget(self):
        self.packets = []

    def close(self):
        self._runs = False
        self._thread.join()
        self._socket.close()


class BranchOnLAN:
    """Edge, PBX and the PBX's phones as hosts of a LAN. The PBX may keep media, at a second address."""
    EDGE, PBX, FAR, PBX_MEDIA = '10.78.0.1', '10.78.0.2', '10.78.0.3', '10.78.0.4'

    def __init__(self, workspace, pbx_options=None, **site_options):
        self.workspace = workspace
        self.lan = LAN(workspace)
        self.edge_host = self.lan.host('edge', self.EDGE)
        self.pbx_host, self.far_host = self.lan.host('pbx', self.PBX, self.PBX_MEDIA), self.lan.host('far', self.FAR)
        self.pki = SitePKI(workspace.path('pki'), pbx_addresses=(self.PBX,))
        self.branch = Branch(workspace, pki=self.pki, address=self.EDGE, servers=(f'{self.PBX}:5061',),
                             pbx_options={'address': self.PBX, **(pbx_options or {})}, **site_options)
        self.pbx, self.edge = self.branch.pbx, self.branch.edge

    def start(self):
        with self.pbx_host.inside():
            self.pbx.start()
        with self.edge_host.inside():
            self.edge.start()
        return self

    def far(self, number='101', **options):
        """A phone on the PBX's side."""
        with self.far_host.inside():
            phone = Baresip(self.workspace, number, self.pbx.users[number], self.FAR, f'{self.PBX}:5060', DOMAIN, 'udp', 'auto',
                            PBX_PHONES[number][1], **options).start()
            registered = phone.registered()
        if not registered:
            raise AssertionError(phone.process.output()[-1500:])
        return phone

    def desk(self, host, name, number, tone, **options):
        """A hot desk with somebody logged in."""
        with host.inside(), Desk(name, local=host.address, server=(self.EDGE, 5060), domain=self.EDGE) as typist:
            log_in(self.edge, typist.sign_on(), number)
        return self.phone(host, name, f'demo-{name}', tone, self.EDGE, **options)

    def phone(self, host, user, password, tone, domain=DOMAIN, **options):
        """A phone of the branch, registered at the edge."""
        with host.inside():
            phone = Baresip(self.workspace, user, password, host.address, f'{self.EDGE}:5060', domain, 'udp',
                            options.pop('answer', 'auto'), tone, **options).start()
            registered = phone.registered()
        if not registered:
            raise AssertionError(phone.process.output()[-1500:] + self.edge.log()[-1500:])
        return phone
