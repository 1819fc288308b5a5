#!/usr/bin/python3
"""The edge beside Kamailio on one load: phones on UDP, the PBX behind TLS. Both are up all the time and take turns, so
that what the machine does to one it does to the other. CPU is the scheduler's own count of all their threads.

bench.py [--rates 300,1000] [--seconds 5] [--repeat 5] [--flows call,register] [--memory 10,1000]
         [--only edge|kamailio] [--skip-memory] [--skip-cpu]
"""
import argparse
import json
import os
import signal
import socket
import ssl
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'Tests', 'RealPeers'))

from simphones.phone import SimPhone                                            # noqa: E402
from testbed.edge import Edge, SiteFile                                        # noqa: E402
from testbed.load import Load, LoadPBX                                         # noqa: E402
from testbed.measure import cpu_nanoseconds, spread                            # noqa: E402
from testbed.pki import SitePKI                                                # noqa: E402
from testbed.processes import PeerError, Workspace, exit_on_signals, wait_until  # noqa: E402
from testbed.sip import SIPClient                                              # noqa: E402

RESULTS = os.path.join(HERE, 'results')
SHARED_MEMORY = '1024'      # MB: tm keeps each finished transaction for 5 s


def stolen_seconds():
    with open('/proc/stat') as f:
        return int(f.readline().split()[8]) / os.sysconf('SC_CLK_TCK')


def proportional_memory(pids):
    """PSS of all, in KiB: shared pages are counted once, divided among those who share them."""
    total = 0
    for pid in pids:
        with open(f'/proc/{pid}/smaps_rollup') as f:
            total += sum(int(line.split()[1]) for line in f if line.startswith('Pss:'))
    return total


def answers_options(address, port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind((address, 0))
        s.settimeout(0.2)
        host, own = s.getsockname()
        s.sendto((f'OPTIONS sip:{address}:{port} SIP/2.0\r\nVia: SIP/2.0/UDP {host}:{own};rport;branch=z9hG4bK'
                  f'{time.monotonic_ns()}\r\nFrom: <sip:bench@{host}>;tag=b\r\nTo: <sip:{address}:{port}>\r\n'
                  f'Call-ID: {time.monotonic_ns()}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n'
                  ).encode(), (address, port))
        try:
            return s.recv(2048).startswith(b'SIP/2.0')
        except OSError:
            return False


class EdgeSubject:
    name, proxy = 'edge', '127.0.0.10:5060'

    def __init__(self, workspace, pki):
        self.workspace, self.pki = workspace, pki
        self.pbx = LoadPBX(workspace, pki, '127.0.0.20', 15080, 'pbx-of-edge')

    def site(self, devices, delivers=False):
        self.devices = [f'HD{n:04}' for n in range(1, devices + 1)]
        return SiteFile(self.workspace.path(f'site-{devices}'), self.pki, devices=self.devices, plain_phones=True,
                        ports='10000-40001', log_level='warning', client_certificate=False, people={},
                        **({'http': 8080, 'https': 8443, 'provisioning': ['networks = ["127.0.0.0/8"]']} if delivers else {}))

    def start(self, devices=10, delivers=False):
        site = self.site(devices, delivers)
        self.edge = Edge(self.workspace, site.write(), site.control)
        self.edge.start()
        return self

    def pids(self):
        return self.edge.process.tree()

    def fetch_all(self):
        """Each phone out of its box: its first file by HTTP or HTTPS in turns, its own by HTTPS."""
        context = ssl.create_default_context(cafile=self.pki.ca)
        for number, name in enumerate(self.devices):
            first = 'http://127.0.0.10:8080/prov/' if number % 2 else 'https://127.0.0.10:8443/prov/'
            mac = f'80:5e:c0:aa:{number + 1 >> 8:02x}:{number + 1 & 255:02x}'
            phone = SimPhone('yealink-t54w', mac, f'127.0.1.{1 + number % 200}', first)
            phone.fetcher.context = context
            phone.provision()
            if phone.screen != name:
                raise PeerError(f'{name} was not set up: {phone.fetcher.seen}')

    def register_devices(self):
        for name in self.devices:
            with SIPClient(name, f'demo-{name}', 'pbx.example', ('127.0.0.10', 5060), '127.0.0.13') as phone:
                response = phone.register(3600)
                if response is None or response.status != 200:
                    raise PeerError(f'{name} could not register: {response and response.start}')

    def stop(self):
        self.edge.stop()


class KamailioSubject:
    name, proxy = 'kamailio', '127.0.0.15:5060'

    def __init__(self, workspace, pki):
        self.workspace, self.pki = workspace, pki
        self.pbx = LoadPBX(workspace, pki, '127.0.0.21', 15082, 'pbx-of-kamailio')

    def start(self, devices=10):
        folder = self.workspace.make_folder('kamailio', 'run')
        tls = self.workspace.write('kamailio/tls.cfg', '\n'.join([
            '[server:default]', 'method = TLSv1.2+', 'verify_certificate = no', 'require_certificate = no',
            f'private_key = {self.pki.pbx.key}', f'certificate = {self.pki.pbx.certificate}', '[client:default]',
            'method = TLSv1.2+', 'verify_certificate = yes', 'require_certificate = yes', f'ca_list = {self.pki.ca}', '']))
        with open(os.path.join(HERE, 'kamailio.cfg.in')) as f:
            text = f.read()
        for key, value in {'ADDRESS': '127.0.0.15', 'PORT': 5060, 'TLSPORT': 5061, 'TLSCFG': tls,
                           'PBX': '127.0.0.21:5061'}.items():
            text = text.replace(f'@{key}@', str(value))
        config = self.workspace.write('kamailio/kamailio.cfg', text)
        self.process = self.workspace.start('kamailio', [
            'kamailio', '-f', config, '-DD', '-E', '-x', 'fm', '-X', 'fm', '-m', SHARED_MEMORY, '-M', '8',
            '-w', folder, '-Y', folder, '-P', os.path.join(folder, 'pid')],
            orphan_signal=signal.SIGTERM)
        if not wait_until(lambda: answers_options('127.0.0.15', 5060), 8, 0.05):
            raise PeerError(f'Kamailio did not start:\n{self.process.output()[-2000:]}')
        self.devices = devices
        return self

    def pids(self):
        return self.process.tree()

    def register_devices(self):
        """It keeps nothing per phone here: the PBX does."""
        Load(self.workspace, 'register', self.proxy, 500, self.devices / 500).finish()

    def stop(self):
        self.workspace.stop(self.process)


def measure(workspace, subject, flow, rate, seconds):
    """CPU in microseconds per call or REGISTER of one run, with what makes it doubtful."""
    pids = subject.pids()
    cpu, stolen = cpu_nanoseconds(pids), stolen_seconds()
    result = Load(workspace, flow, subject.proxy, rate, seconds).finish()
    time.sleep(0.3)
    used = cpu_nanoseconds(pids) - cpu
    result.update(cpu_us=round(used / 1000 / max(result['ok'], 1), 1), stolen_s=round(stolen_seconds() - stolen, 2),
                  memory_kib=proportional_memory(pids))
    return result


def shown(values):
    return f'{values["min"]:7.0f} {values["median"]:7.0f} {values["max"]:7.0f}'


def cpu_table(workspace, subjects, options):
    rows = []
    for flow in options.flows.split(','):
        for rate in (int(r) for r in options.rates.split(',')):
            runs = {subject.name: [] for subject in subjects}
            for turn in range(options.repeat):
                for subject in subjects if turn % 2 == 0 else subjects[::-1]:
                    run = measure(workspace, subject, flow, rate, options.seconds)
                    runs[subject.name].append(run)
                    print(f'  {flow:8} {rate:5}/s {subject.name:8} {run["cpu_us"]:7.1f} us, failed {run["failed"]}, '
                          f'retransmissions {run["retransmissions"]}, stolen {run["stolen_s"]} s', flush=True)
                    for reason, count in run['reasons'].items():
                        print(f'    failed: {count} x {reason}', flush=True)
            row = {'flow': flow, 'rate': rate, 'runs': runs,
                   'cpu_us': {name: spread([r['cpu_us'] for r in values]) for name, values in runs.items()}}
            if len(subjects) == 2:
                row['ratio'] = round(row['cpu_us']['edge']['median'] / row['cpu_us']['kamailio']['median'], 3)
            rows.append(row)
    return rows


def memory_with_delivery(subject, count):
    """The same with HTTP and HTTPS on, and every phone set up by them."""
    subject.start(count, delivers=True)
    subject.fetch_all()
    subject.register_devices()
    time.sleep(1.0)
    memory = proportional_memory(subject.pids())
    subject.stop()
    return memory


def memory_table(pki, kinds, counts):
    rows = []
    for count in counts:
        row = {'devices': count}
        for kind in kinds:
            with Workspace(prefix='edge-bench.') as workspace:
                subject = kind(workspace, pki)
                subject.pbx.start()
                subject.start(count)
                subject.register_devices()
                time.sleep(1.0)
                row[subject.name] = proportional_memory(subject.pids())
                subject.stop()
                if kind is EdgeSubject:
                    row['edge that delivers'] = memory_with_delivery(subject, count)
                subject.pbx.stop()
        rows.append(row)
        print(f'  {count:5} devices registered: ' + ', '.join(
            f'{name} {row[name] / 1024:.1f} MB' for name in row if name != 'devices'), flush=True)
    return rows


def text(report):
    lines = ['CPU of the proxy, us per call or REGISTER, UDP to TLS (min, median, max; n runs in turns)', '']
    for row in report['cpu']:
        parts = [f'{name:8} {shown(values)}' for name, values in row['cpu_us'].items()]
        failed = sum(run['failed'] for runs in row['runs'].values() for run in runs)
        ratio = f'  ratio {row["ratio"]:.2f}' if 'ratio' in row else ''
        lines.append(f'{row["flow"]:8} {row["rate"]:5}/s  ' + '   '.join(parts) + ratio + f'  failed {failed}')
    lines += ['', 'Proportional memory with devices registered, MB', '']
    for row in report['memory']:
        lines.append(f'{row["devices"]:5}  ' + '   '.join(
            f'{name} {row[name] / 1024:.1f}' for name in row if name != 'devices'))
    return '\n'.join(lines) + '\n'


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--rates', default='300,1000')
    parser.add_argument('--seconds', type=float, default=5)
    parser.add_argument('--repeat', type=int, default=5)
    parser.add_argument('--flows', default='call,register')
    parser.add_argument('--memory', default='10,1000')
    parser.add_argument('--only', choices=('edge', 'kamailio'))
    parser.add_argument('--skip-memory', action='store_true')
    parser.add_argument('--skip-cpu', action='store_true')
    options = parser.parse_args()
    exit_on_signals()
    kinds = [k for k in (EdgeSubject, KamailioSubject) if options.only in (None, k.name)]
    with Workspace(prefix='edge-bench.') as base:
        pki = SitePKI(base.path('pki'), pbx_addresses=('127.0.0.20', '127.0.0.21', '127.0.0.15'))
        with Workspace(prefix='edge-bench.') as workspace:
            subjects = [kind(workspace, pki) for kind in kinds]
            for subject in subjects:
                subject.pbx.start()
                subject.start()
                Load(workspace, 'call', subject.proxy, 50, 2).finish()
            report = {'at': time.strftime('%Y-%m-%dT%H:%M:%S'), 'cpu': [] if options.skip_cpu else cpu_table(workspace, subjects, options)}
        counts = [] if options.skip_memory else [int(n) for n in options.memory.split(',')]
        report['memory'] = memory_table(pki, kinds, counts)
    os.makedirs(RESULTS, exist_ok=True)
    with open(os.path.join(RESULTS, 'bench.json'), 'w') as f:
        json.dump(report, f, indent=1)
    with open(os.path.join(RESULTS, 'bench.txt'), 'w') as f:
        f.write(text(report))
    print('\n' + text(report))
    return 0


if __name__ == '__main__':
    try:
        sys.exit(main())
    except PeerError as problem:
        sys.exit(f'bench: {problem}')
