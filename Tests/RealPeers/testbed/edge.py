"""The edge itself: its site file and its process, judged only by what it says to others and over its control socket."""
import base64
import glob
import hashlib
import json
import os
import signal
import socket
import subprocess

from . import network
from .pbx import DOMAIN, EMERGENCY, TRUNK
from .processes import PeerError, wait_until

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), '..', '..', '..'))
BINARY = os.environ.get('EDGEPROXY') or os.path.join(ROOT, '.build', 'release', 'edgeproxy')
ADDRESS = network.EDGE
API_TOKEN = 'demo-token-of-the-test-bed'
PEOPLE = {'100': ('Alice Smith', '4711'), '101': ('Bob Jones', '2580'), '102': ('Carol Diaz', '8524'),
          '103': ('Dan Lee', '9630')}


def pin_hash(pin):
    """A PIN as a site file holds it: scrypt (RFC 7914) with N = 2^14, r = 8, p = 1."""
    salt = os.urandom(16)
    digest = hashlib.scrypt(pin.encode(), salt=salt, n=1 << 14, r=8, p=1, maxmem=1 << 26, dklen=32)
    return ':'.join(['scrypt', '14', '8', '1', base64.b64encode(salt).decode(), base64.b64encode(digest).decode()])


class SiteFile:
    """A site in a folder of its own: the TOML file, one file per secret, the store. Written anew by `write`."""

    def __init__(self, folder, pki, address=ADDRESS, servers=(f'{network.PBX}:5061',), devices=('HD0001', 'HD0002'),
                 name='branch-01', capture=None, plain_phones=False, ports='20000-20999', lock='15m', attempts=3,
                 second_login='move', gateway=None, client_certificate=True, ca=None, not_hot_desk=(), log_level='info',
                 call_back_window='60m', people=None, tls=False, pin_protected=(), domain=DOMAIN, media_address=None, store=None,
                 http=None, provisioning=None, models=None, keys=None, tunnel=None, mtu=None, srtp=None, outside_prefixes=(), https=None,
                 phone_ca=None, routers=None, dscp=None, silence=None, sixth=None, io_uring=True):
        self.folder, self.pki, self.address, self.servers = folder, pki, address, servers
        self.devices, self.name, self.capture = devices, name, capture
        self.plain_phones, self.ports, self.lock, self.attempts = plain_phones, ports, lock, attempts
        self.second_login, self.gateway = second_login, gateway
        self.client_certificate, self.ca = client_certificate, ca or pki.ca
        self.not_hot_desk, self.log_level, self.call_back_window = not_hot_desk, log_level, call_back_window
        self.people = PEOPLE if people is None else people
        self.tls, self.pin_protected, self.srtp = tls, pin_protected, srtp
        self.domain = domain
        #: Port of HTTP; lines of [provisioning]; (model, MAC) of devices; keys of people.
        self.http, self.provisioning, self.models, self.keys = http, provisioning, models or {}, keys or {}
        #: Headends, and the files of `Headend.enrol`; None: by TLS.
        self.tunnel, self.mtu = tunnel, mtu
        self.media_address = media_address or address
        self.path = os.path.join(folder, f'{name}.toml')
        self.control = os.path.join(folder, f'{name}.sock')
        self.store = store or os.path.join(folder, f'{name}.sqlite')
        self.outside_prefixes = outside_prefixes
        #: Port of HTTPS, with the edge's certificate; authority of phones' certificates.
        self.https, self.phone_ca = https, phone_ca
        #: Router phones: (None, address); those behind one: (its name, None).
        self.routers = routers or {}
        #: Marks of (signalling, media); how long there may be silence; an IPv6 address beside `address`.
        self.dscp, self.silence, self.sixth, self.io_uring = dscp, silence, sixth, io_uring
        self._hashes = {}

    def write(self):
        os.makedirs(os.path.join(self.folder, 'secrets'), exist_ok=True)
        if self.capture:
            os.makedirs(self.capture, exist_ok=True)
        with open(self.path, 'w') as f:
            f.write(self.text())
        return self.path

    def _secret(self, user, secret):
        path = os.path.join(self.folder, 'secrets', user)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 'w') as f:
            f.write(secret + '\n')
        return f'secrets/{user}'

    def _way(self, quoted):
        if not self.tunnel:
            return ['via = "tls"', f'servers = {quoted(self.servers)}', f'ca = "{self.ca}"']
        headends, (ca, certificate, key) = self.tunnel
        return ['via = "tunnel"', f'headends = {quoted(headends)}', f'ca = "{ca}"', f'certificate = "{certificate}"',
                f'key = "{key}"', *([f'mtu = {self.mtu}'] if self.mtu else [])]

    def _connection(self, device):
        if device not in self.routers:
            return ['connection = "lan"']
        router, address = self.routers[device]
        return ['connection = "router"', *([f'router = "{router}"'] if router else []), *([f'address = "{address}"'] if address else [])]

    def text(self):
        quoted = lambda values: '[' + ', '.join(f'"{value}"' for value in values) + ']'
        routes = ['pbx'] + (['gateway:fxo'] if self.gateway else [])
        listeners = [f'udp:{self.address}:5060', f'tcp:{self.address}:5060']
        media_addresses = f'"{self.media_address}"'
        if self.tls:
            listeners.append(f'tls:{self.address}:5061')
        if self.sixth:
            listeners += [f'udp:[{self.sixth}]:5060', f'tcp:[{self.sixth}]:5060']
            media_addresses = quoted([self.media_address, self.sixth])
        lines = [
            '[site]', f'name = "{self.name}"', 'language = "en"',
            'location = "10 High Street, Springfield, ground floor"', '',
            '[listen]', f'sip = {quoted(listeners)}',
            f'media = {{ address = {media_addresses}, ports = "{self.ports}" }}',
            *([f'dscp = {{ signalling = {self.dscp[0]}, media = {self.dscp[1]} }}'] if self.dscp else []),
            f'control = "{self.control}"', f'store = "{self.store}"',
            *([f'certificate = "{self.pki.edge.certificate}"', f'key = "{self.pki.edge.key}"'] if self.tls or self.https else []),
            *([f'https = "{self.address}:{self.https}"'] if self.https else []),
            *([f'phone_ca = "{self.phone_ca}"'] if self.phone_ca else []),
            *([f'http = "{self.address}:{self.http}"', f'api_token_file = "{self._secret("api-token", API_TOKEN)}"'] if self.http else []),
            '',
            '[pbx]', f'domain = "{self.domain}"', *self._way(quoted),
            f'account = {{ user = "{TRUNK}", secret_file = "{self._secret(TRUNK, f"demo-{TRUNK}")}" }}']
        if self.client_certificate and not self.tunnel:
            lines += [f'certificate = "{self.pki.site.certificate}"', f'key = "{self.pki.site.key}"']
        lines += [
            '', '[dial_codes]', 'login = "*77*"', 'logout = "*77*5*"', '',
            '[hotdesk]', f'second_login = "{self.second_login}"', f'plain_phones = {str(self.plain_phones).lower()}',
            f'pin = {{ attempts = {self.attempts}, within = "5m", lock = "{self.lock}" }}', '',
            '[emergency]', f'numbers = {quoted(EMERGENCY)}', f'routes = {quoted(routes)}',
            f'call_back_window = "{self.call_back_window}"', f'outside_prefixes = {quoted(self.outside_prefixes)}', '']
        if self.gateway:
            lines += ['[[gateway]]', 'name = "fxo"', f'address = "{self.gateway}"', '']
        lines += ['[media]', *([f'srtp = {{ phones = "{self.srtp[0]}", pbx = "{self.srtp[1]}" }}'] if self.srtp else []),
                  *([f'end_after_silence = "{self.silence}"'] if self.silence else []), *([] if self.io_uring else ['io_uring = false']), '']
        if self.capture:
            lines += ['[capture]', f'directory = "{self.capture}"', '']
        if self.provisioning is not None:
            lines += ['[provisioning]', *self.provisioning, '']
        lines += ['[log]', f'level = "{self.log_level}"', '']
        for index, device in enumerate(self.devices, 1):
            secret = self._secret(device, f'demo-{device}')
            model, mac = self.models.get(device, ('yealink-t54w', f'80:5e:c0:aa:{index >> 8:02x}:{index & 255:02x}'))
            lines += ['[[device]]', f'name = "{device}"', f'mac = "{mac}"', f'model = "{model}"', *self._connection(device), f'location = "desk {index}"',
                      f'secret_file = "{secret}"', '']
        for number, (person, pin) in self.people.items():
            hashed = self._hashes.setdefault(number, pin_hash(pin))
            secret = self._secret(number, f'demo-{number}')
            lines += ['[[extension]]', f'number = "{number}"', f'name = "{person}"', f'pin = "{hashed}"',
                      f'auth = {{ user = "{number}", secret_file = "{secret}" }}',
                      f'hot_desk = {str(number not in self.not_hot_desk).lower()}',
                      *([f'blf = {quoted(self.keys[number])}'] if number in self.keys else [])]
            if number in self.pin_protected:
                lines += ['pin_protected = true', 'pin_timeout = "0s"']
            lines.append('')
        return '\n'.join(lines)


class Edge:
    """`edgeproxy run` on a site file."""

    def __init__(self, workspace, site_path, control, name='edge', binary=None):
        self.workspace, self.site_path, self.control, self.name = workspace, site_path, control, name
        self.binary = binary or BINARY
        #: What it is started by: the beginning of a command line.
        self.launcher = []
        self.process = None

    def start(self, seconds=10.0, trunk=True):
        """Starts it and waits until it answers; with `trunk`, until a PBX node is up as well."""
        if not os.path.exists(self.binary):
            raise PeerError(f'{self.binary} does not exist: run make build')
        self.process = self.workspace.start(self.name, [*self.launcher, self.binary, 'run', '--site', self.site_path], cwd=ROOT,
                                            orphan_signal=signal.SIGTERM)
        if not wait_until(self._answers, seconds, 0.05):
            raise PeerError(f'the edge did not start:\n{self.process.output()[-4000:]}')
        if trunk and not wait_until(lambda: any(node['up'] for node in self.status()['nodes']), seconds, 0.05):
            raise PeerError(f'the edge has no trunk:\n{self.process.output()[-4000:]}')
        return self

    def _answers(self):
        if not self.process.running:
            raise PeerError(f'the edge ended:\n{self.process.output()[-4000:]}')
        try:
            return self.ask('status').get('ok')
        except (OSError, ValueError):
            return False

    def stop(self, seconds=10.0):
        if self.process:
            self.workspace.stop(self.process, seconds)
            self.process = None

    def kill(self):
        """As by `kill -9`."""
        if self.process:
            self.process.kill()
            self.workspace.stop(self.process)
            self.process = None

    def reload(self):
        self.process.signal(signal.SIGHUP)

    def ask(self, command, **fields):
        """One request over the control socket."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5)
            s.connect(self.control)
            s.sendall(json.dumps({'command': command} | fields).encode() + b'\n')
            data = b''
            while not data.endswith(b'\n'):
                more = s.recv(65536)
                if not more:
                    break
                data += more
        return json.loads(data)

    def status(self):
        reply = self.ask('status')
        if not reply.get('ok'):
            raise PeerError(f'status: {reply}')
        return reply['status']

    def device(self, name):
        return next((d for d in self.status()['devices'] if d['name'] == name), None)

    def extension_on(self, device):
        """Who is logged in there; None: idle."""
        return (self.device(device) or {}).get('extension')

    def wait_extension(self, device, extension, seconds=5.0):
        return wait_until(lambda: self.extension_on(device) == extension, seconds, 0.05) is not None

    def command(self, *arguments):
        """Runs another subcommand of the program; its exit status and what it printed."""
        done = subprocess.run([self.binary, *arguments], capture_output=True, text=True, cwd=ROOT, timeout=30)
        return done.returncode, done.stdout + done.stderr

    def wait_log(self, text, count=1, seconds=8.0):
        """Waits until the log has said `text` so often."""
        return wait_until(lambda: self.log().count(text) >= count, seconds) is not None

    def log(self):
        with open(self.workspace.path(f'{self.name}.log'), errors='replace') as f:
            return f.read()


def captures_in(folder):
    return sorted(glob.glob(os.path.join(folder, '**', '*.pcap*'), recursive=True), key=os.path.getmtime)
