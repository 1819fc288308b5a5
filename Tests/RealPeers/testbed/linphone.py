"""linphonec, its command line on a pipe; and linphone's library, for what the command line cannot do."""
import json
import os
import subprocess
import sys
import time

from . import audio
from .processes import wait_until


class Linphone:
    """One phone that plays a wav and records what it hears. `address` is its own loopback address. encryption: SRTP, and no
    call without it. roams: bound to no address, it looks every few seconds which one it has (by its default route). publishes: it
    tells the PBX that it is there (RFC 3903)."""

    def __init__(self, workspace, user, password, address, proxy, domain, realm, transport='udp', source=None,
                 answer='manual', expires=60, name=None, rtp_port=21000, encryption=False, roams=False, publishes=False):
        self.workspace, self.user, self.domain, self.source = workspace, user, domain, source
        self._password, self._is_challenged = password, transport == 'udp'
        self.automatic = answer == 'auto'
        self.name = name or f'linphone-{user}'
        self.folder = workspace.make_folder(self.name)
        for sub in ('.config/linphone', '.local/share/linphone'):
            workspace.make_folder(self.name, sub)
        self.recording = os.path.join(self.folder, 'heard.wav')
        ports = {'udp': 0, 'tcp': 0, 'tls': 0} | {transport: 5060}
        route = f'<sip:{proxy};transport={transport};lr>'
        codecs = ''.join(f'[audio_codec_{i}]\nmime={mime}\nrate=8000\nchannels=1\nenabled=1\n'
                         for i, mime in enumerate(('PCMA', 'PCMU')))
        bound = '' if roams else f'bind_address={address}\n'
        where = bound and f'{bound}contact="{user}" <sip:{user}@{address}>\n'
        self._config = workspace.write(f'{self.name}/linphonerc', (
            f'[sip]\nsip_port={ports["udp"]}\nsip_tcp_port={ports["tcp"]}\nsip_tls_port={ports["tls"]}\n'
            f'{where}guess_hostname=0\nauto_net_state_mon={int(roams)}\n'
            f'register_only_when_network_is_up=0\nuse_ipv6=0\nmedia_encryption={"srtp" if encryption else "none"}\nmedia_encryption_mandatory={int(encryption)}\nuse_info=0\nuse_rfc2833=1\n'
            'default_proxy=0\nkeepalive_period=30000\nverify_server_certs=0\n'
            f'[rtp]\naudio_rtp_port={rtp_port}\naudio_jitt_comp=60\nnortp_timeout=60\n{bound}'
            '[sound]\nechocancellation=0\nagc=0\nremote_ring=\nlocal_ring=\n[net]\nmtu=1300\n'
            '[misc]\nnetwork_state=1\n[video]\nenabled=0\n'
            f'{codecs}[auth_info_0]\nusername={user}\npasswd={password}\nrealm={realm}\ndomain={domain}\n'
            f'[proxy_0]\nreg_proxy=<sip:{proxy};transport={transport}>\nreg_route={route}\n'
            f'reg_identity=sip:{user}@{domain}\nreg_expires={expires}\nreg_sendregister=1\npublish={int(publishes)}\n'
            'quality_reporting_enabled=0\n'))
        self.process = None
        self._read = self._heard = 0

    def _run(self, argv):
        environment = dict(
            os.environ, HOME=self.folder, XDG_CONFIG_HOME=os.path.join(self.folder, '.config'),
            XDG_DATA_HOME=os.path.join(self.folder, '.local/share'), TERM='dumb')
        self.process = self.workspace.start(self.name, argv, cwd=self.folder, env=environment, stdin=subprocess.PIPE)

    def start(self):
        self._run(['linphonec', '-c', self._config, '-d', '6', '-l', os.path.join(self.folder, 'debug.log')]
                  + (['-a'] if self.automatic else []))
        self.process.said('linphonec>', 5)
        self.command('soundcard use files')
        if self.source:
            self.command(f'play {self.source}')
        self.command(f'record {self.recording}')
        return self

    def stop(self):
        if self.process:
            self.command('quit')
            wait_until(lambda: not self.process.running, 3)
            self.workspace.stop(self.process)
            self.process = None

    def command(self, line):
        try:
            self.process.popen.stdin.write(f'{line}\n'.encode())
            self.process.popen.stdin.flush()
        except BrokenPipeError:
            pass

    def mark(self):
        """Forgets what the screen has shown so far."""
        self._read = len(self.process.output())

    def shows(self, *texts, seconds=6.0):
        """Waits until the screen shows one of the texts since `mark`; which, or None."""
        def look():
            screen = self.process.output()[self._read:]
            return next((text for text in texts if text in screen), None)
        return wait_until(look, seconds, 0.05)

    def registered(self, seconds=8.0):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.command('status register')
            if self.shows('registered, identity', seconds=0.4):
                return True
        return False

    def dial(self, target):
        self.mark()
        self.command(f'call {target if ":" in target else f"sip:{target}@{self.domain}"}')

    def established(self, seconds=8.0):
        return self.shows('connected', 'ended', 'error', seconds=seconds) == 'connected'

    def incoming(self, seconds=8.0):
        return self.shows('is contacting you', seconds=seconds)

    def answer(self):
        self.command('answer')

    def press(self, digits):
        """Keys by RFC 4733."""
        for digit in digits:
            self.command(digit)
            time.sleep(0.35)

    def hang_up(self):
        self.command('terminate')
        return self.closed(4)

    def closed(self, seconds=8.0):
        """Waits for the end of the call; what the screen said of it, or None."""
        end = self.shows('ended', 'error', 'terminated', 'rejected', 'Forbidden', seconds=seconds)
        # It takes a 403 to a call it was challenged for as a wrong password, and its next line of input as a new one.
        if end == 'error' and self._is_challenged and self.shows('Password for', seconds=2):
            self.command(self._password)
        return end

    def heard(self):
        """All that was recorded since `forget_recordings`. Complete once the call has ended: one file grows with
        every call."""
        return self._recorded()[self._heard:]

    def forget_recordings(self):
        self._heard = len(self._recorded())

    def _recorded(self):
        return audio.read(self.recording) if os.path.exists(self.recording) else []

    def rest(self, seconds):
        time.sleep(seconds)


class LinphoneLibrary(Linphone):
    """A phone that watches lamps and presence, and says what it was told (`linphone_library.py`)."""

    def start(self):
        self._run([sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'linphone_library.py'), self._config])
        return self

    def stop(self):
        if self.process:
            self.process.popen.stdin.close()
            wait_until(lambda: not self.process.running, 3)
            self.workspace.stop(self.process)
            self.process = None

    def tell(self, do, **fields):
        self.command(json.dumps({'do': do} | fields))

    def reports(self, **wanted):
        """All that it has said since `mark` and that has these values."""
        lines = (line for line in self.process.output()[self._read:].splitlines(keepends=True) if line.startswith('{') and line.endswith('}\n'))
        return [said for said in map(json.loads, lines) if wanted.items() <= said.items()]

    def report(self, seconds=6.0, **wanted):
        """The first of these, or None."""
        found = wait_until(lambda: self.reports(**wanted), seconds, 0.05)
        return found[0] if found else None

    def registered(self, seconds=8.0):
        return self.report(seconds, what='registration', state='registered')

    def watch(self, name, uri, package='dialog', expires=600):
        """Asks for a lamp, called `name` from here on."""
        self.tell('watch', name=name, uri=uri, package=package, expires=expires)
