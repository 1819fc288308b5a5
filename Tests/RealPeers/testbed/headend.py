"""Headends beside the demo PBX, and the certificates by which sites and headends know each other: all made by the program."""
import json
import os
import signal
import socket
import subprocess

from . import network
from .edge import BINARY, ROOT
from .processes import PeerError, wait_until

ADDRESS, SECOND = network.address(25), network.address(26)


class Headend:
    """`edgeproxy headend` with a file and an authority of its own; a second one takes the authority of the first (`like`)."""

    def __init__(self, workspace, pbx=f'udp:{network.PBX}:5060', address=ADDRESS, name='headend', like=None, ports='30000-30999',
                 inside=lambda *argv: list(argv), mtu=1400, days=90, pbx_address=None, token_life='24h', pbx_ca=None):
        self.workspace, self.name, self.address, self.inside = workspace, name, address, inside
        self.folder = workspace.make_folder(name)
        self.pki = os.path.join(self.folder, 'pki')
        self.control = os.path.join(self.folder, 'headend.sock')
        self.process = None
        if like:
            os.makedirs(self.pki)
            for file in ('ca.pem', 'ca.key'):
                with open(os.path.join(like.pki, file), 'rb') as source, open(os.path.join(self.pki, file), 'wb') as copy:
                    copy.write(source.read())
                os.chmod(os.path.join(self.pki, file), 0o600)
        self.run('headend', 'init', address, '--pki', self.pki)
        nodes = ', '.join(f'"{node}"' for node in ([pbx] if isinstance(pbx, str) else pbx))
        own = pbx_address or address
        self.path = workspace.write(f'{name}/headend.toml', '\n'.join([
            '[headend]', f'name = "{name}"', f'listen = ["{address}:5090"]', 'state = "state"', 'control = "headend.sock"', f'mtu = {mtu}', '',
            '[tls]', 'ca = "pki/ca.pem"', 'certificate = "pki/headend.pem"', 'key = "pki/headend.key"', '',
            '[enrol]', 'ca_key = "pki/ca.key"', f'certificate_days = {days}', f'token_life = "{token_life}"', '',
            '[pbx]', f'address = "{own}"', f'nodes = [{nodes}]', f'ca = "{pbx_ca}"' if pbx_ca else '', '',
            '[media]', f'address = "{own}"', f'ports = "{ports}"', '', '[log]', 'level = "debug"', '']))

    def run(self, *arguments, check=True):
        done = subprocess.run([BINARY, *arguments], capture_output=True, text=True, cwd=ROOT, timeout=30)
        if check and done.returncode:
            raise PeerError(f'{" ".join(arguments)}: {done.stdout}{done.stderr}')
        return done.stdout.strip() if check else (done.returncode, done.stdout + done.stderr)

    def start(self):
        self.process = self.workspace.start(
            self.name, self.inside(BINARY, 'headend', '--config', self.path), cwd=ROOT, orphan_signal=signal.SIGTERM)
        if not wait_until(self._answers, 10, 0.05):
            raise PeerError(f'the headend did not start:\n{self.process.output()[-3000:]}')
        return self

    def _answers(self):
        if not self.process.running:
            raise PeerError(f'the headend ended:\n{self.process.output()[-3000:]}')
        try:
            return self.status()
        except (OSError, ValueError, KeyError):     # the last: it is there, and not ready
            return None

    def status(self):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5)
            s.connect(self.control)
            s.sendall(b'{"command":"status"}\n')
            data = b''
            while not data.endswith(b'\n'):
                more = s.recv(65536)
                if not more:
                    break
                data += more
        return json.loads(data)['headend']

    def site(self, name='branch-01'):
        return next((site for site in self.status()['sites'] if site['name'] == name), None)

    def enrol(self, folder, name='branch-01'):
        """The site's files: authority, certificate, key."""
        token = self.run('headend', 'add-site', name, '--config', self.path)
        done = subprocess.run(self.inside(BINARY, 'enroll', f'{self.address}:5090', token, '--pki', folder), capture_output=True,
                              text=True, cwd=ROOT, timeout=30)
        if done.returncode:
            raise PeerError(f'enroll: {done.stdout}{done.stderr}\n{self.log()[-2000:]}')
        return tuple(os.path.join(folder, file) for file in ('headend-ca.pem', f'{name}.pem', f'{name}.key'))

    def log(self):
        with open(self.workspace.path(f'{self.name}.log'), errors='replace') as f:
            return f.read()

    def kill(self):
        self.process.kill()
        self.workspace.stop(self.process)
        self.process = None

    def stop(self):
        self.workspace.stop(self.process)
        self.process = None
