#!/usr/bin/python3
"""What a media packet through the tunnel costs each end, lane by lane, beside what a message of that size costs stunnel, in turns.

tunnel.py [--streams 100,400] [--seconds 4] [--repeat 3] [--peers FOLDER]

The packets are RTP of real calls: from a socket to the edge, by the tunnel to the headend, and on to a socket; each end's cost holds what it
does with UDP on its plain side as well. stunnel gets as many messages of the same size a second on one TCP connection. Runs in
a network namespace of its own (needs root): for the stream lane, datagrams of the tunnel are dropped there. The load generators come from
`../shared/bench/peers`; without them this says so and ends.
"""
import argparse
import ctypes
import json
import os
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, '..', 'Tests', 'RealPeers')]

from relay import PACKETS_A_SECOND, PBX_PORT, PEERS, RESULTS, SIZE, EdgeRelay, Generator    # noqa: E402
from testbed.edge import Edge, SiteFile                                                      # noqa: E402
from testbed.headend import Headend                                                          # noqa: E402
from testbed.load import LoadPBX                                                             # noqa: E402
from testbed.measure import spread, write_results                                            # noqa: E402
from testbed.pki import SitePKI                                                              # noqa: E402
from testbed.processes import PeerError, Workspace, exit_on_signals, wait_until             # noqa: E402

CLONE_NEWNET = 0x40000000
TICK = os.sysconf('SC_CLK_TCK')
PLAIN, TLS, SINK = 28001, 28002, 28003


def cpu_seconds(pid):
    """User and system time of a process, of threads that have ended too."""
    with open(f'/proc/{pid}/stat') as f:
        fields = f.read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def own_network():
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
        sys.exit(f'tunnel: no network of its own: {os.strerror(ctypes.get_errno())} (run it as root)')
    subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)


class Tunnel(EdgeRelay):
    """An edge and a headend with so many calls between them. `lane`: datagram or stream."""

    def __init__(self, workspace, lane):
        self.name, self.workspace = lane, workspace
        pki = SitePKI(workspace.path('pki'), pbx_addresses=('127.0.0.20',))
        self.pbx = LoadPBX(workspace, pki, '127.0.0.20', 15080, f'pbx-{lane}', media=('127.0.0.1', PBX_PORT)).start()
        self.head = Headend(workspace, 'tls:127.0.0.20:5061', name=f'headend-{lane}', ports='30000-31999', pbx_ca=pki.ca)
        with open(self.head.path) as f:
            text = f.read().replace('level = "debug"', 'level = "warning"') + '\n[limits]\nstreams_per_site = 512\n'
        workspace.write(f'headend-{lane}/headend.toml', text)
        self.head.start()
        files = self.head.enrol(workspace.path('site-pki'))
        self.site = site = SiteFile(workspace.path('site'), pki, devices=['HD0001'], plain_phones=True, ports='24000-27999',
                                    media_address='127.0.0.1', log_level='warning', tunnel=([f'{self.head.address}:5090'], files), people={})
        self.edge = Edge(workspace, site.write(), site.control)
        self.phones = None
        if lane == 'stream':
            # Before the table of local addresses: nothing of UDP to the headend's port gets anywhere.
            for rule in (['add', 'pref', '10', 'lookup', 'local'], ['add', 'pref', '1', 'ipproto', 'udp', 'dport', '5090', 'blackhole'],
                         ['del', 'pref', '0']):
                subprocess.run(['ip', 'rule', *rule], check=True)
        self.edge.start()

    def measure(self, generator, streams, seconds):
        ports = self.open(streams)
        if not wait_until(lambda: self.head.site()['calls'] == streams, 10, 0.1) or not wait_until(lambda: {c.get('lane') for c in self.edge.status()['inProgress']} == {self.name}, 10, 0.1):
            raise PeerError(f'the calls do not go by the {self.name} lane')
        # One blast a call: a generator that begins again with the timestamps of before is late to whoever knows the time.
        time.sleep(1)
        pids = (self.edge.process.pid, self.head.process.pid)
        before = [cpu_seconds(pid) for pid in pids]
        result = generator.blast(ports, seconds)
        used = [cpu_seconds(pid) - was for pid, was in zip(pids, before)]
        self.end()
        self.restart()
        got = max(result['got'], 1)
        return {'edge': used[0] * 1e6 / got, 'headend': used[1] * 1e6 / got, 'loss': result['loss_pct'], 'p99': result['delay_us']['p99']}

    def close(self):
        self.edge.stop()
        self.head.stop()
        self.pbx.stop()


class Stunnel:
    """Two of them: plain to TLS, TLS to plain."""
    name = 'stunnel'

    def __init__(self, workspace, peers):
        pki = SitePKI(workspace.path('pki'), pbx_addresses=('127.0.0.1',))
        self.program = workspace.path('tcpmsg')
        subprocess.run(['cc', '-O2', '-o', self.program, os.path.join(peers, 'stunnel', 'tcpmsg.c')], check=True)
        workspace.start('sink', [self.program, 'sink', str(SINK)])
        head = 'foreground = yes\npid =\ndebug = 4\nsocket = l:TCP_NODELAY=1\nsocket = r:TCP_NODELAY=1\n[way]\n'
        client = workspace.write('client.conf', f'{head}client = yes\naccept = 127.0.0.1:{PLAIN}\nconnect = 127.0.0.1:{TLS}\n'
                                                f'CAfile = {pki.ca}\nverifyChain = yes\n')
        server = workspace.write('server.conf', f'{head}accept = 127.0.0.1:{TLS}\nconnect = 127.0.0.1:{SINK}\ncert = {pki.pbx.certificate}\n'
                                                f'key = {pki.pbx.key}\n')
        self.processes = [workspace.start(name, ['stunnel', file]) for name, file in (('client', client), ('server', server))]
        time.sleep(0.5)

    def measure(self, generator, streams, seconds):
        before = [cpu_seconds(process.pid) for process in self.processes]
        done = subprocess.run([self.program, 'pace', str(PLAIN), str(SIZE), str(streams * PACKETS_A_SECOND), str(seconds)], capture_output=True,
                              text=True, check=True)
        time.sleep(0.2)
        used = [cpu_seconds(process.pid) - was for process, was in zip(self.processes, before)]
        sent = max(json.loads(done.stdout)['sent'], 1)
        return {'edge': used[0] * 1e6 / sent, 'headend': used[1] * 1e6 / sent, 'loss': 0.0, 'p99': 0}


def one(kind, streams, seconds, peers):
    """One measurement, in a process and a network of its own: prints it as JSON."""
    own_network()
    with Workspace(prefix='tunnel-bench.') as workspace:
        subject = Stunnel(workspace, peers) if kind == 'stunnel' else Tunnel(workspace, kind)
        print(json.dumps(subject.measure(Generator(workspace, peers), streams, seconds)))


def text(rows):
    lines = ['CPU of either end, us per packet of 172 bytes (min, median, max); stunnel: per message; in turns', '']
    for row in rows:
        for name, runs in row['runs'].items():
            for end in ('edge', 'headend'):
                us = spread([run[end] for run in runs])
                label = {'edge': 'client', 'headend': 'server'}[end] if name == 'stunnel' else end
                lines.append(f'{row["streams"]:5} streams  {name:9} {label:8} {us["min"]:6.2f} {us["median"]:6.2f} {us["max"]:6.2f} us'
                             f'   loss {max(run["loss"] for run in runs):.3f} %')
        for name, ratio in row['ratios'].items():
            lines.append(f'{"":15}{name} : stunnel {ratio:.2f} (both ends together)')
    return '\n'.join(lines) + '\n'


def main():
    exit_on_signals()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--streams', default='100,400')
    parser.add_argument('--seconds', type=int, default=4)
    parser.add_argument('--repeat', type=int, default=3)
    parser.add_argument('--peers', default=PEERS)
    parser.add_argument('--one', help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not os.path.isdir(options.peers):
        print(f'tunnel: skipped: {options.peers} is not there, and with it the load generators')
        return 0
    if os.geteuid() != 0:
        print('tunnel: skipped: each run has a network namespace of its own, which needs root')
        return 0
    if options.one:
        one(options.one, int(options.streams), options.seconds, options.peers)
        return 0
    rows, kinds = [], ['datagram', 'stream', 'stunnel']
    for streams in (int(n) for n in options.streams.split(',')):
        runs = {kind: [] for kind in kinds}
        for turn in range(options.repeat):
            for kind in kinds if turn % 2 == 0 else kinds[::-1]:
                done = subprocess.run(
                    [sys.executable, __file__, '--one', kind, '--streams', str(streams), '--seconds', str(options.seconds), '--peers', options.peers],
                    capture_output=True, text=True)
                if done.returncode:
                    raise PeerError(f'{kind}: {done.stderr[-2000:]}')
                runs[kind].append(json.loads(done.stdout.splitlines()[-1]))
                print(f'  {streams:5} streams {kind:9} {json.dumps(runs[kind][-1])}', flush=True)
        medians = {kind: statistics.median(run['edge'] + run['headend'] for run in values) for kind, values in runs.items()}
        rows.append({'streams': streams, 'runs': runs, 'ratios': {
            kind: round(medians[kind] / max(medians['stunnel'], 0.01), 3) for kind in ('datagram', 'stream')}})
    write_results(RESULTS, 'tunnel', rows, text(rows))
    return 0


if __name__ == '__main__':
    try:
        sys.exit(main())
    except PeerError as problem:
        sys.exit(f'tunnel: {problem}')
