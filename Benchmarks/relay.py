#!/usr/bin/python3
"""RTP through the edge beside rtpengine (user space) and beside the plainest relays there can be (recvmmsg, sendmmsg on
one socket; io_uring on a socket for each stream), in turns on one load. The edge's calls are real ones: SIPp phones, SIPp
behind TLS as the PBX.

relay.py [--streams 100,400] [--seconds 5] [--repeat 5] [--only edge,rtpengine,floor,ports] [--peers FOLDER]

The load generator, the floor and the control of rtpengine come from the folder of peers, `../shared/bench/peers` beside
this checkout; without it there is nothing to compare with, and this says so and ends.
"""
import argparse
import glob
import json
import os
import signal
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'Tests', 'RealPeers'))

from testbed.edge import Edge, SiteFile                                        # noqa: E402
from testbed.load import SCENARIOS, LoadPBX                                    # noqa: E402
from testbed.measure import cpu_nanoseconds, spread, write_results             # noqa: E402
from testbed.pki import SitePKI                                                # noqa: E402
from testbed.processes import PeerError, Workspace, exit_on_signals, wait_until  # noqa: E402

RESULTS = os.path.join(HERE, 'results')
PEERS = os.path.join(HERE, '..', '..', 'shared', 'bench', 'peers')
SIZE, PACKETS_A_SECOND = 172, 50
# Where the generator sends from and receives at: the phone's end and the PBX's.
PHONE_PORT, PBX_PORT = 18000, 19000
FLOOR_PORT = 21000
# Where `ports` listens: two thousand ports, in halves by turns, so up to 500 streams.
FIRST_STREAM_PORT = 12000


class EdgeRelay:
    name = 'edge'

    def __init__(self, workspace, peers):
        self.workspace = workspace
        pki = SitePKI(workspace.path('pki'), pbx_addresses=('127.0.0.20',))
        self.pbx = LoadPBX(workspace, pki, '127.0.0.20', 15080, 'pbx-of-edge', media=('127.0.0.1', PBX_PORT)).start()
        site = SiteFile(workspace.path('site'), pki, devices=['HD0001'], plain_phones=True, ports='24000-31999',
                        media_address='127.0.0.1', log_level='warning', client_certificate=False, people={})
        self.site = site
        self.edge = Edge(workspace, site.write(), site.control)
        self.edge.start()
        self.phones = None

    def open(self, count):
        log = self.workspace.path(f'ports-{time.monotonic_ns()}.log')
        self.phones = self.workspace.start('phones', [
            'sipp', '127.0.0.10:5060', '-sf', os.path.join(SCENARIOS, 'phone_media.xml'), '-t', 'u1', '-i', '127.0.0.41',
            '-key', 'audio_ip', '127.0.0.1', '-key', 'audio_port', str(PHONE_PORT), '-r', '100', '-m', str(count), '-l', str(count), '-d', '3600000',
            '-nostdin', '-trace_logs', '-log_file', log], orphan_signal=signal.SIGTERM)

        def ports():
            if not os.path.exists(log):
                return None
            with open(log) as f:
                found = [int(line.split()[1]) for line in f if line.startswith('port ')]
            return found if len(found) == count else None
        found = wait_until(ports, count / 100 + 10, 0.1)
        if not found:
            raise PeerError(f'the calls did not come up:\n{self.phones.output()[-2000:]}')
        return found

    def end(self):
        # SIPp ends with its calls left up: the edge goes, and takes them along.
        self.workspace.stop(self.phones)

    def pids(self):
        return self.edge.process.tree()

    def restart(self):
        self.edge.stop()
        # Calls outlive the edge: those of this turn are none of the next one's.
        for path in glob.glob(self.site.store + '*'):
            os.remove(path)
        self.edge.start()


class Rtpengine:
    name = 'rtpengine'

    def __init__(self, workspace, peers):
        self.workspace = workspace
        sys.path.insert(0, os.path.join(peers, 'rtpengine'))
        from ng import NG, media_port, sdp
        self._sdp, self._port = sdp, media_port
        self.process = workspace.start('rtpengine', [
            'rtpengine', '--config-file=none', '--foreground', '--table=-1', '--interface=127.0.0.1',
            '--listen-ng=127.0.0.1:22222', '--port-min=32000', '--port-max=39999', '--num-threads=2', '--log-level=3',
            '--log-stderr', '--delete-delay=0'])
        self.control = NG(22222)
        if not wait_until(self._answers, 8, 0.1):
            raise PeerError(f'rtpengine did not start:\n{self.process.output()[-2000:]}')
        self.run = 0

    def _answers(self):
        try:
            return self.control.ask(command='ping').get('result') == b'pong'
        except RuntimeError:
            return False

    def open(self, count):
        self.run += 1
        self.calls = [f'{self.run}-{n}' for n in range(count)]
        ports = []
        for call in self.calls:
            self.control.ask(command='offer', call_id=call, from_tag='f', sdp=self._sdp(PHONE_PORT), ICE='remove', replace=['origin'])
            answer = self.control.ask(command='answer', call_id=call, from_tag='f', to_tag='t', sdp=self._sdp(PBX_PORT),
                                      ICE='remove', replace=['origin'])
            ports.append(self._port(answer['sdp']))
        return ports

    def end(self):
        for call in self.calls:
            self.control.ask(command='delete', call_id=call, from_tag='f')

    def pids(self):
        return [self.process.pid]

    def restart(self):
        pass


class Floor:
    """One socket, no calls: what comes in goes out."""
    name = 'floor'

    def __init__(self, workspace, peers):
        program = workspace.path('udpfwd')
        subprocess.run(['cc', '-O2', '-o', program, os.path.join(peers, 'floor', 'udpfwd.c')], check=True)
        self.process = workspace.start('floor', [program, 'mmsg', str(FLOOR_PORT), str(PBX_PORT)])

    def open(self, count):
        return [FLOOR_PORT] * count

    def end(self):
        pass

    def pids(self):
        return [self.process.pid]

    def restart(self):
        pass


class PortFloor:
    """A socket for each stream, as calls must have, and no calls."""
    name = 'ports'

    def __init__(self, workspace, peers):
        self.workspace, self.program, self.process, self.turn = workspace, workspace.path('portfloor'), None, 0
        subprocess.run(['cc', '-O2', '-o', self.program, os.path.join(HERE, 'portfloor.c'), '-luring'], check=True)

    def open(self, count):
        # The kernel takes a moment to have the ports of the last turn back.
        self.turn += 1
        first = FIRST_STREAM_PORT + self.turn % 2 * 1000
        self.process = self.workspace.start(f'ports-{self.turn}', [self.program, str(count), str(first), str(PBX_PORT)])
        if not wait_until(lambda: 'ready' in self.process.output(), 5):
            raise PeerError(f'portfloor did not start:\n{self.process.output()[-2000:]}')
        return [first + 2 * n for n in range(count)]

    def end(self):
        self.workspace.stop(self.process)

    def pids(self):
        return [self.process.pid]

    def restart(self):
        pass


class Generator:
    def __init__(self, workspace, peers):
        self.program, self._ports = workspace.path('udpblast'), workspace.path('ports')
        subprocess.run(['cc', '-O2', '-o', self.program, os.path.join(peers, 'floor', 'udpblast.c'), '-pthread'], check=True)

    def blast(self, ports, seconds):
        with open(self._ports, 'w') as f:
            f.write('\n'.join(map(str, ports)))
        done = subprocess.run([
            self.program, '-r', str(PBX_PORT), '-p', str(PHONE_PORT), '-f', self._ports, '-R',
            str(len(ports) * PACKETS_A_SECOND), '-s', str(SIZE), '-t', str(seconds)], capture_output=True, text=True, check=True)
        return json.loads(done.stdout)


def settle(subject):
    """Waits until the set-up of the calls is over (the edge writes them to its store): it is no part of a packet's cost."""
    last = [cpu_nanoseconds(subject.pids())]

    def is_quiet():
        before, last[0] = last[0], cpu_nanoseconds(subject.pids())
        return last[0] - before < 1_000_000
    # It does so a second or two after the last of them came up or was heard.
    wait_until(is_quiet, 20, 2.5)


def measure(subject, generator, streams, seconds):
    ports = subject.open(streams)
    generator.blast(ports, 1)          # sources are learnt
    settle(subject)
    before = cpu_nanoseconds(subject.pids())
    result = generator.blast(ports, seconds)
    used = cpu_nanoseconds(subject.pids()) - before
    subject.end()
    subject.restart()
    return {'us': used / 1000 / max(result['got'], 1), 'loss': result['loss_pct'], 'p50': result['delay_us']['p50'],
            'p99': result['delay_us']['p99']}


def text(rows):
    lines = ['CPU of the relay, us per packet (min, median, max), loss, delay through it; all in turns', '']
    for row in rows:
        for name, runs in row['runs'].items():
            us = spread([run['us'] for run in runs])
            lines.append(
                f'{row["streams"]:5} streams  {name:10} {us["min"]:6.2f} {us["median"]:6.2f} {us["max"]:6.2f} us'
                f'   loss {max(run["loss"] for run in runs):.3f} %   p50 {statistics.median(run["p50"] for run in runs):.0f} us'
                f'   p99 {statistics.median(run["p99"] for run in runs):.0f} us')
        for name, ratio in row['ratios'].items():
            lines.append(f'{"":15}edge : {name} {ratio:.2f}')
    return '\n'.join(lines) + '\n'


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--streams', default='100,400')
    parser.add_argument('--seconds', type=int, default=5)
    parser.add_argument('--repeat', type=int, default=5)
    parser.add_argument('--only', default='edge,rtpengine,floor,ports')
    parser.add_argument('--peers', default=PEERS)
    options = parser.parse_args()
    exit_on_signals()
    if not os.path.isdir(options.peers):
        print(f'relay: skipped: {options.peers} is not there, and with it the load generator and the peers')
        return 0
    kinds = [kind for kind in (EdgeRelay, Rtpengine, Floor, PortFloor) if kind.name in options.only.split(',')]
    rows = []
    with Workspace(prefix='edge-bench.') as workspace:
        generator = Generator(workspace, options.peers)
        subjects = [kind(workspace, options.peers) for kind in kinds]
        for streams in (int(n) for n in options.streams.split(',')):
            runs = {subject.name: [] for subject in subjects}
            for turn in range(options.repeat):
                for subject in subjects if turn % 2 == 0 else subjects[::-1]:
                    run = measure(subject, generator, streams, options.seconds)
                    runs[subject.name].append(run)
                    print(f'  {streams:5} streams {subject.name:10} {run["us"]:6.2f} us, loss {run["loss"]:.3f} %, '
                          f'p50 {run["p50"]:.0f} us, p99 {run["p99"]:.0f} us', flush=True)
            medians = {name: statistics.median(run['us'] for run in values) for name, values in runs.items()}
            rows.append({'streams': streams, 'runs': runs, 'ratios': {
                name: round(medians['edge'] / value, 3) for name, value in medians.items() if name != 'edge' and 'edge' in medians}})
    write_results(RESULTS, 'relay', rows, text(rows))
    return 0


if __name__ == '__main__':
    try:
        sys.exit(main())
    except PeerError as problem:
        sys.exit(f'relay: {problem}')
