"""The demo PBX: Kamailio with TLS, a digest registrar, and a record of every request that reached it."""
import json
import os
import shutil
import signal
import socket
import time
from dataclasses import asdict, dataclass

from . import network
from .processes import PeerError, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
_TABLES = '/usr/share/kamailio/dbtext/kamailio'
DOMAIN = 'pbx.example'
PSAP = 'psap-112'
TRUNK = 'branch-01'
EMERGENCY = ('112', '911', '999')
USERS = {number: f'demo-{number}' for number in ('100', '101', '102', '103')} | {
    TRUNK: f'demo-{TRUNK}', PSAP: 'demo-psap'}


@dataclass
class SeenRequest:
    """One request as the PBX saw it. `stage` is "seen" for all, and once more "accepted" when it was let in."""
    stage: str
    at: float
    method: str
    transport: str
    address: str
    port: int
    target: str
    uri: str
    from_user: str
    to_user: str
    call_id: str
    cseq: int
    auth_user: str
    to_tag: str
    from_name: str
    asserted: str
    contact: str
    user_agent: str
    expires: str

    @classmethod
    def parse(cls, line):
        fields = line.split('judge|', 1)[1].split('|')
        text = lambda value: '' if value == '<null>' else bytes.fromhex(value).decode('utf-8', 'replace')
        return cls(fields[0], float(fields[1]), fields[2], fields[3], fields[4], int(fields[5]),
                   text(fields[6]), text(fields[7]), text(fields[8]), text(fields[9]), text(fields[10]),
                   int(fields[11] or 0), *[text(field) for field in fields[12:19]])


class DemoPBX:
    def __init__(self, workspace, pki, address=network.PBX, port=5060, tls_port=5061, name='pbx',
                 algorithm='MD5', nonce_expire=300, require_client_certificate=False, trunk_identities=(),
                 refused_registrations=(), users=None, certificate=None, mailboxes=None, forking=False, media=None,
                 presence=False):
        self.workspace, self.name, self.address = workspace, name, address
        self.port, self.tls_port = port, tls_port
        self.users = dict(users or USERS)
        self.folder = workspace.make_folder(name)
        self.process = None
        #: Address at which it keeps the media of calls (rtpengine); None: it leaves them to the ends.
        self.media = media
        #: By what requests of the edge reach the PBX.
        self.trunk_transport = 'tls'
        self._since = 0
        leaf = certificate or pki.pbx
        verify = 'yes' if require_client_certificate else 'no'
        tls = workspace.write(f'{name}/tls.cfg', '\n'.join([
            '[server:default]', 'method = TLSv1.2+', f'verify_certificate = {verify}',
            f'require_certificate = {verify}', f'private_key = {leaf.key}', f'certificate = {leaf.certificate}',
            f'ca_list = {pki.ca}', '', '[client:default]', 'method = TLSv1.2+', 'verify_certificate = no',
            'require_certificate = no', '']))
        secrets = ''.join(f'        case "{user}": $var(secret) = "{secret}"; break;\n'
                          for user, secret in self.users.items())
        refused = ''.join(f'    if ($tU == "{user}") {{ sl_send_reply("403", "Forbidden"); exit; }}\n'
                          for user in refused_registrations)
        values = dict(
            ADDRESS=address, PORT=port, TLSPORT=tls_port, DOMAIN=DOMAIN, TLSCFG=tls, NONCEEXPIRE=nonce_expire,
            ALGORITHM='' if algorithm == 'MD5' else algorithm, QOP='auth', TRUNK=TRUNK, PSAP=PSAP,
            TRUNKIDENTITIES='|'.join(trunk_identities) or '-', EMERGENCY='|'.join(EMERGENCY),
            MEDIAMODULE='loadmodule "rtpengine.so"\nmodparam("rtpengine", "rtpengine_sock", "udp:127.0.0.1:2223")' if media else '',
            ANCHOR='if (is_method("INVITE|ACK|BYE|CANCEL|UPDATE")) rtpengine_manage("replace-origin replace-session-connection");' if media else '',
            **self._presence(presence),
            SAVE='0x00' if forking else '0x04', MAILBOXES=f'$rU = "{mailboxes}";' if mailboxes else 'sl_send_reply("489", "Bad Event"); exit;', USERS='|'.join(self.users), SECRETS=secrets.rstrip('\n'), REFUSED=refused.rstrip('\n'))
        with open(os.path.join(HERE, 'pbx.cfg.in')) as f:
            text = f.read()
        for key, value in values.items():
            text = text.replace(f'@{key}@', str(value))
        self.config = workspace.write(f'{name}/kamailio.cfg', text)
        self.log = workspace.path(f'{name}.log')
        self.judgement = workspace.path(f'{name}-requests.jsonl')

    def start(self):
        if self.media:
            self._start_media()
        run = self.workspace.make_folder(self.name, 'run')
        argv = ['kamailio', '-f', self.config, '-DD', '-E', '-x', 'fm', '-X', 'fm', '-m', '32', '-M', '4',
                '-w', self.folder, '-Y', run, '-P', os.path.join(run, 'pid')]
        self.process = self.workspace.start(self.name, argv, cwd=self.folder, log=self.log,
                                            orphan_signal=signal.SIGTERM)
        if not wait_until(self._answers, 8, 0.05):
            raise PeerError(f'the demo PBX did not start:\n{self.process.output()[-3000:]}')
        return self

    def _presence(self, wanted):
        """Its notifier: a part of it, at a port of its own, that its proxy sends SUBSCRIBE and PUBLISH on to."""
        if not wanted:
            return dict.fromkeys(('PRESENCE', 'NOTIFIER', 'WATCHED', 'WATCHEDALREADY'), '')
        tables = self.workspace.make_folder(self.name, 'tables')
        for table in ('version', 'presentity', 'active_watchers', 'watchers', 'pua', 'xcap'):
            shutil.copy(os.path.join(_TABLES, table), tables)
        port = self.port + 10
        with open(os.path.join(HERE, 'presence.cfg.in')) as f:
            text = f.read().replace('@TABLES@', tables).replace('@PRESENCEPORT@', str(port)).replace('@ADDRESS@', self.address)
        pass_on = f'{{ $du = "sip:{self.address}:{port}"; route(RELAY); }}'
        return {'PRESENCE': text, 'NOTIFIER': f'if ($Rp == {port}) route(NOTIFIER);',
                'WATCHED': 'if (is_method("INVITE")) dlg_manage();\n    if (is_method("PUBLISH") || (is_method("SUBSCRIBE") && $hdr(Event) =~ '
                           f'"^(dialog|presence)")) {pass_on}',
                # A Request-URI of its own would be taken for a strict router's.
                'WATCHEDALREADY': f'if (is_method("SUBSCRIBE") && $rp == {port}) {{ $var(stage) = "accepted"; route(JUDGE); {pass_on[2:]}'}

    def _start_media(self):
        process = self.workspace.start(f'{self.name}-media', [
            'rtpengine', '--config-file=none', '--foreground', '--table=-1', f'--interface={self.media}', '--listen-ng=127.0.0.1:2223',
            '--port-min=40000', '--port-max=40999', '--num-threads=1', '--log-level=4', '--log-stderr', '--delete-delay=0'])

        def pongs():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.settimeout(0.2)
                s.sendto(b'1 d7:command4:pinge', ('127.0.0.1', 2223))
                try:
                    return b'pong' in s.recv(4096)
                except OSError:
                    return False
        # Kamailio asks once at its start, and then for a minute no more.
        if not wait_until(pongs, 8, 0.05):
            raise PeerError(f'rtpengine did not start:\n{process.output()[-2000:]}')

    def _answers(self):
        if not self.process.running:
            raise PeerError(f'the demo PBX ended:\n{self.process.output()[-3000:]}')
        try:
            socket.create_connection((self.address, self.tls_port), 0.3).close()
        except OSError:
            return False
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind((self.address, 0))
            s.settimeout(0.2)
            ip, port = s.getsockname()
            probe = (f'OPTIONS sip:{self.address}:{self.port} SIP/2.0\r\nVia: SIP/2.0/UDP {ip}:{port};branch=z9hG4bK'
                     f'{time.monotonic_ns()};rport\r\nFrom: <sip:probe@{ip}>;tag=p\r\nTo: <sip:{self.address}>\r\n'
                     f'Call-ID: {time.monotonic_ns()}@{ip}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 1\r\n'
                     'Content-Length: 0\r\n\r\n')
            s.sendto(probe.encode(), (self.address, self.port))
            try:
                return s.recv(4096).startswith(b'SIP/2.0 200')
            except OSError:
                return False

    def stop(self):
        if self.process:
            self.workspace.stop(self.process)
            self.process = None

    def kill(self):
        """Ends the PBX without a goodbye on its connections."""
        if self.process:
            self.process.kill()
            self.workspace.stop(self.process)
            self.process = None

    # The judge: what reached the PBX.

    def mark(self):
        """Forgets what came so far: `requests` gives only what comes after this."""
        self._since = len(self._lines())
        return self._since

    def requests(self, stage='accepted', method=None, from_user=None, target=None, transport=None, everything=False):
        """Requests since `mark`, in order of arrival; `everything` from the start. OPTIONS keep-alives are left out."""
        lines = self._lines()
        found = []
        for line in lines if everything else lines[self._since:]:
            request = SeenRequest.parse(line)
            if request.stage != stage or (request.method == 'OPTIONS' and not request.target and method is None):
                continue
            wanted = ((method, request.method), (from_user, request.from_user), (target, request.target),
                      (transport, request.transport))
            if all(value is None or value == actual for value, actual in wanted):
                found.append(request)
        return found

    def wait_for(self, seconds=5.0, **filters):
        """The first request that fits, or None."""
        found = wait_until(lambda: self.requests(**filters), seconds, 0.05)
        return found[0] if found else None

    def has_registered(self, user):
        """Whether the branch has this user registered here: by the last REGISTER that was let in."""
        asked = self.requests(method='REGISTER', from_user=user, transport=self.trunk_transport, everything=True)
        return bool(asked) and asked[-1].expires != '0'

    def wait_registered(self, user, registered=True, seconds=5.0):
        return wait_until(lambda: self.has_registered(user) == registered, seconds, 0.05) is not None

    def write_judgement(self):
        """One JSON object per request, for people and for other programs."""
        with open(self.judgement, 'w') as f:
            for line in self._lines():
                f.write(json.dumps(asdict(SeenRequest.parse(line))) + '\n')
        return self.judgement

    def _lines(self):
        if not os.path.exists(self.log):
            return []
        with open(self.log, errors='replace') as f:
            return [line for line in f if 'judge|' in line and line.endswith('|\n')]
