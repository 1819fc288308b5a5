#!/usr/bin/python3
"""How calls sound through the tunnel on bad lines, and how soon they are back after cuts. Needs root.

Branch and PBX are in namespaces of their own with the test bed's line between them. Real recordings are played by the phone at
the PBX and recorded by the desk. MOS is what the edge measured of what it received (E-model); PESQ (ITU-T P.862, narrow band) compares
what was heard with what was played, where the Python package `pesq` is there (`pip install pesq`); the last column is the test bed's own
comparison, the share of pieces of 100 ms that are found again in their place. The tables are written to
docs/tunnel-protocol.md between their marks unless --dry is given; 0 leaves one out.

    wan.py [--seconds 20] [--cuts 200] [--dry]
"""
import argparse
import json
import os
import random
import re
import statistics
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, 'Tests', 'RealPeers'))

from testbed import audio, network, steps                     # noqa: E402
from testbed.branch import Branch                      # noqa: E402
from testbed.headend import Headend                    # noqa: E402
from testbed.processes import Workspace, exit_on_signals, wait_until    # noqa: E402
from testbed.wan import WAN, Line                      # noqa: E402

DOCUMENT = os.path.join(ROOT, 'docs', 'tunnel-protocol.md')
DELAY, JITTER = 0.04, 0.02
LONGEST_CUT = 6.0
#: Branches whose lines are cut at the same time.
BRANCHES = 4

try:
    import numpy
    from pesq import pesq
except ImportError:
    pesq = None


def speech(path, seconds=120):
    """A wav of recorded speech, as the distribution's prompts give it."""
    samples = []
    for name in ('demo-congrats', 'demo-instruct', 'demo-moreinfo', 'demo-abouttotry', 'vm-options', 'conf-adminmenu', 'agent-user'):
        if len(samples) < seconds * audio.RATE and os.path.exists(steps.recording(name)):
            samples += [int(sample) for sample in audio.read(steps.recording(name))] + [0] * (audio.RATE // 4)
    if not samples:
        sys.exit('no recordings are installed: make deps')
    while len(samples) < seconds * audio.RATE:
        samples += samples
    return audio.write(path, samples[:seconds * audio.RATE])


def perceived(heard, played):
    """PESQ of what was heard, which begins somewhere in the recording of the call; None without the tool."""
    if pesq is None:
        return None
    played, heard = (numpy.array(samples, dtype=numpy.float64) for samples in (played, heard))
    frames = lambda samples: numpy.abs(samples[:len(samples) // 80 * 80]).reshape(-1, 80).mean(axis=1)
    lag = int(numpy.argmax(numpy.correlate(frames(heard), frames(played) - frames(played).mean(), 'valid'))) * 80
    return pesq(audio.RATE, played.astype(numpy.int16), heard[lag:lag + len(played)].astype(numpy.int16), 'nb')


class Bench:
    def __init__(self, workspace):
        self.wan = WAN(workspace, Line(delay=DELAY))
        self.wan.__enter__()
        with self.wan.pbx.inside():
            self.head = Headend(workspace, address=WAN.PBX, pbx_address=network.address(25)).start()
        with self.wan.branch.inside():
            files = self.head.enrol(workspace.path('site-pki'))
        self.branch = Branch(workspace, tunnel=([f'{WAN.PBX}:5090'], files))
        self.branch.pbx.trunk_transport = 'udp'
        with self.wan.pbx.inside():
            self.branch.pbx.start()
            self.played = speech(workspace.path('speech.wav'))
            self.far = self.branch.phone('101', source=self.played)
        with self.wan.branch.inside():
            self.branch.edge.start()
            self.desk = self.branch.device('HD0001')
            steps.login(self.branch, patient=False)

    def call(self):
        self.branch.forget()
        self.desk.dial('101')
        if not (self.desk.established(10) and self.far.established(10)):
            sys.exit('no call could be made:\n' + self.branch.edge.log()[-3000:])

    def end(self):
        self.desk.hang_up()
        self.far.closed()

    def status(self):
        return self.branch.edge.status()

    def quality(self, line, seconds):
        """The lane at the end, what the edge measured of what came from the PBX, PESQ, and the share that was found again."""
        self.wan.change(line)
        time.sleep(2)
        self.call()
        wait_until(lambda: self.status()['inProgress'][0]['lane'] == ('stream' if line.blocks_udp else 'datagram'), 10)
        time.sleep(seconds)
        call = self.status()['inProgress'][0]
        heard = self.desk.heard()
        self.end()
        # The first words are over before the desk hears anything.
        played = audio.read(self.played)[audio.RATE:int((seconds - 1) * audio.RATE)]
        return call['lane'], call['pbx'] or {}, perceived(heard, played), audio.find_recording(heard, played).score

    def recovery(self, cuts, seed):
        """Seconds from the end of each cut until packets of the call arrive again, and how many calls were lost."""
        self.wan.change(Line(delay=DELAY, jitter=JITTER, loss=0.01))
        chance, took, lost, began = random.Random(seed), [], 0, None
        for _ in range(cuts):
            # A phone whose recording has ended hangs up.
            if began is None or time.monotonic() - began > 80:
                if began is not None:
                    self.end()
                self.call()
                began = time.monotonic()
                time.sleep(1)
            self.wan.cut()
            time.sleep(chance.uniform(0.2, LONGEST_CUT))
            before = self.packets()
            self.wan.cut(False)
            back = time.monotonic()
            if wait_until(lambda: self.packets() > before, 20, 0.02) is None:
                lost, began = lost + 1, None
                self.end()
            else:
                took.append(time.monotonic() - back)
            time.sleep(2)
        self.end()
        return took, lost

    def packets(self):
        calls = self.status()['inProgress']
        return ((calls[0].get('pbx') or {}).get('received') or 0) if calls else 0


def lanes(bench, seconds):
    """The table of lanes: UDP open first, since a lane that was blocked is taken up again only after a while."""
    rows = []
    for blocked in (False, True):
        for loss in (0, 0.01, 0.03, 0.05):
            line = Line(delay=DELAY, jitter=JITTER, loss=loss, blocks_udp=blocked)
            lane, leg, score, share = bench.quality(line, seconds)
            rows.append(f'| {loss:.0%} | {"blocked" if blocked else "open"} | {lane} | {leg.get("mos", "-")} | {leg.get("lossPercent", "-")} | '
                        f'{leg.get("jitter", "-")} | {"-" if score is None else f"{score:.2f}"} | {share:.0%} |')
            print(rows[-1], flush=True)
    return [f'80 ms there and back, up to 20 ms of jitter each way, one call of {seconds:.0f} s each; what the edge received of the PBX\'s side, and how '
            'the desk heard it:', '', '| loss each way | UDP | lane | MOS | loss heard, % | jitter, ms | PESQ | found again |',
            '|---|---|---|---|---|---|---|---|', *rows]


def cuts(count):
    """Some branches at once, each with a line of its own."""
    shares = [count // BRANCHES + (index < count % BRANCHES) for index in range(BRANCHES)]
    running = [subprocess.Popen([sys.executable, __file__, '--branch', f'{index}:{share}'], stdout=subprocess.PIPE, text=True)
               for index, share in enumerate(shares) if share]
    parts = [json.loads(process.communicate()[0].splitlines()[-1]) for process in running]
    ordered, lost = sorted(seconds for part in parts for seconds in part['took']), sum(part['lost'] for part in parts)
    if not ordered:
        sys.exit('no call came back after a cut')
    return [f'{count} cuts of 0.2 to {LONGEST_CUT:.0f} s in calls at 1 % loss, 80 ms and 20 ms of jitter: packets of the PBX\'s side arrive again '
            f'{statistics.median(ordered):.2f} s after the line is back (median), {ordered[int(len(ordered) * 0.95)]:.2f} s (95 %), '
            f'{ordered[-1]:.2f} s (longest); calls lost: {lost}.']


def one_branch(text):
    seed, count = map(int, text.split(':'))
    with Workspace() as workspace:
        bench = Bench(workspace)
        took, lost = bench.recovery(count, seed)
        bench.wan.__exit__()
    print(json.dumps({'took': took, 'lost': lost}))


def write(part, text):
    marks = f'<!-- wan.py: {part} -->', f'<!-- end of {part} -->'
    with open(DOCUMENT) as f:
        before = f.read()
    if marks[0] not in before or marks[1] not in before:
        sys.exit(f'{DOCUMENT} has no place for {part}')
    block = '\n'.join([marks[0], *text, marks[1]])
    with open(DOCUMENT, 'w') as f:
        f.write(re.sub(re.escape(marks[0]) + '.*' + re.escape(marks[1]), lambda _: block, before, flags=re.S))


def main():
    exit_on_signals()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--seconds', type=float, default=20)
    parser.add_argument('--cuts', type=int, default=200)
    parser.add_argument('--dry', action='store_true')
    parser.add_argument('--branch', help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.branch:
        return one_branch(options.branch)

    def measured():
        with Workspace() as workspace:
            bench = Bench(workspace)
            text = lanes(bench, options.seconds)
            bench.wan.__exit__()
            return text
    for part, amount, make in (('lanes', options.seconds, measured), ('cuts', options.cuts, lambda: cuts(options.cuts))):
        text = make() if amount else []
        print('\n'.join(text), flush=True)
        if text and not options.dry:
            write(part, text)


if __name__ == '__main__':
    main()
