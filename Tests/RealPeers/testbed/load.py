"""SIPp as phones and as PBX. The packaged SIPp has no TLS: stunnel ends it in front of the PBX."""
import collections
import csv
import os
import re
import socket
import time

from . import network
from .edge import ROOT
from .processes import PeerError, wait_until

SCENARIOS = os.path.join(ROOT, 'Benchmarks', 'scenarios')


class LoadPBX:
    """Takes every call and registration. TLS on `address`:5061, SIPp behind it on `port`."""

    def __init__(self, workspace, pki, address=network.PBX, port=15080, name='load-pbx',
                 media=None):
        self.workspace, self.address, self.port, self.name = workspace, address, port, name
        self._inside = network.address(1)
        self._media = media or (self._inside, 19000)
        self._stunnel_config = workspace.write(f'{name}-stunnel.conf', '\n'.join([
            'foreground = yes', 'pid =', 'debug = 4', 'socket = l:TCP_NODELAY=1', 'socket = r:TCP_NODELAY=1', '[pbx]',
            f'accept = {address}:5061', f'connect = {self._inside}:{port}', f'cert = {pki.pbx.certificate}',
            f'key = {pki.pbx.key}', 'sslVersionMin = TLSv1.2', '']))
        self.sipp = self.stunnel = None

    def start(self):
        contact = f'sip:pbx@{self.address}:5061;transport=tls'
        self.sipp = self.workspace.start(f'{self.name}-sipp', [
            'sipp', '-sf', os.path.join(SCENARIOS, 'pbx.xml'), '-t', 't1', '-i', self._inside, '-p', str(self.port),
            '-key', 'audio_ip', self._media[0], '-key', 'audio_port', str(self._media[1]), '-key', 'contact', contact, '-nostdin', '-buff_size', '4000000', '-max_socket', '1000'])
        self.stunnel = self.workspace.start(f'{self.name}-stunnel', ['stunnel', self._stunnel_config])
        for host, port in ((self._inside, self.port), (self.address, 5061)):
            if not wait_until(lambda: self._listens(host, port), 5, 0.05):
                raise PeerError(f'{self.name} does not listen on {host}:{port}')
        return self

    @staticmethod
    def _listens(host, port):
        # Looks without connecting: SIPp would count the connection.
        wanted = f'{socket.inet_aton(host)[::-1].hex().upper()}:{port:04X}'
        with open('/proc/net/tcp') as f:
            return any(line.split()[1] == wanted and line.split()[3] == '0A' for line in list(f)[1:])

    def stop(self):
        for process in (self.stunnel, self.sipp):
            if process:
                self.workspace.stop(process)


class Load:
    """One run of SIPp as phones: `rate` calls or registrations a second for `seconds`."""

    def __init__(self, workspace, kind, proxy, rate, seconds, local=network.address(41), transport='udp'):
        self.workspace, self.kind, self.rate = workspace, kind, rate
        self.count = int(rate * seconds)
        self._statistics = workspace.path(f'load-{time.monotonic_ns()}.csv')
        self._errors = f'{self._statistics}.errors'
        self.process = workspace.start(f'load-{kind}', [
            'sipp', proxy, '-sf', os.path.join(SCENARIOS, f'phone_{kind}.xml'), '-t', {'udp': 'u1', 'tcp': 't1'}[transport],
            '-i', local, '-r', str(rate), '-rp', '1000', '-m', str(self.count), '-l', '20000', '-nostdin',
            '-buff_size', '4000000', '-timeout', str(int(seconds * 2 + 8)), '-trace_stat', '-stf', self._statistics,
            '-fd', '1', '-trace_err', '-error_file', self._errors])

    def finish(self, seconds=60):
        if not wait_until(lambda: not self.process.running, seconds, 0.05):
            self.workspace.stop(self.process)
            raise PeerError('SIPp did not end')
        return self.result()

    def result(self):
        with open(self._statistics) as f:
            last = list(csv.DictReader(f, delimiter=';'))[-1]
        number = lambda key: int(float(last.get(key) or 0))
        failed = number('FailedCall(C)')
        return {'ok': number('SuccessfulCall(C)'), 'failed': failed, 'retransmissions': number('Retransmissions(C)'),
                'wanted': self.count, 'reasons': self._reasons() if failed else {}}

    def _reasons(self):
        """What SIPp says of calls that failed: the first line of the message it did not expect, or its own words."""
        if not os.path.exists(self._errors):
            return {'SIPp wrote no error': 1}
        with open(self._errors, errors='replace') as f:
            said = [line.strip() for line in f]
        unexpected = [re.search(r"received '(SIP/2\.0 \d+[^\r\n']*|[A-Z]+ )", line) for line in said]
        reasons = [found.group(1).strip() for found in unexpected if found]
        return dict(collections.Counter(reasons or [line[:160] for line in said if line][:5]))
