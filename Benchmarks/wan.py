#!/usr/bin/python3
"""How calls sound through the tunnel on bad lines, and how soon they are back after cuts. Needs root.

Branch and PBX are in namespaces of their own with the test bed's line between them. A recording is played by a phone at each
end; MOS is what each end's receiver measured (E-model), lane by lane. The tables are written to docs/tunnel-protocol.md
between its two marks unless --dry is given.

    wan.py [--seconds 20] [--cuts 200] [--dry]
"""
import argparse
import os
import random
import re
import statistics
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, 'Tests', 'RealPeers'))

from testbed import network, steps                     # noqa: E402
from testbed.branch import Branch                      # noqa: E402
from testbed.headend import Headend                    # noqa: E402
from testbed.processes import Workspace, exit_on_signals, wait_until    # noqa: E402
from testbed.wan import WAN, Line                      # noqa: E402

DOCUMENT = os.path.join(ROOT, 'docs', 'tunnel-protocol.md')
MARKS = '<!-- wan.py -->', '<!-- end of wan.py -->'
DELAY, JITTER = 0.04, 0.02


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
            self.far = self.branch.phone('101')
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
        """The lane at the end, and what the edge measured of what came from the PBX: MOS, loss in per cent, jitter in ms."""
        self.wan.change(line)
        time.sleep(2)
        self.call()
        time.sleep(seconds)
        call = self.status()['inProgress'][0]
        self.end()
        return call['lane'], call['pbx'] or {}

    def recovery(self, cuts):
        """Seconds from the end of each cut until packets of the call arrive again."""
        self.wan.change(Line(delay=DELAY, jitter=JITTER, loss=0.01))
        chance, took, lost = random.Random(1), [], 0
        self.call()
        for _ in range(cuts):
            self.wan.cut()
            time.sleep(chance.uniform(0.2, 10))
            before = self.packets()
            self.wan.cut(False)
            began = time.monotonic()
            if wait_until(lambda: self.packets() > before, 20, 0.02) is None:
                lost += 1
                self.end()
                self.call()
            else:
                took.append(time.monotonic() - began)
            time.sleep(2)
        self.end()
        return took, lost

    def packets(self):
        calls = self.status()['inProgress']
        return ((calls[0].get('pbx') or {}).get('received') or 0) if calls else 0


def main():
    exit_on_signals()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--seconds', type=float, default=20)
    parser.add_argument('--cuts', type=int, default=200)
    parser.add_argument('--dry', action='store_true')
    options = parser.parse_args()
    with Workspace() as workspace:
        bench = Bench(workspace)
        rows = []
        for loss in (0, 0.01, 0.03, 0.05):
            for blocked in (False, True):
                lane, leg = bench.quality(Line(delay=DELAY, jitter=JITTER, loss=loss, blocks_udp=blocked), options.seconds)
                rows.append(f'| {loss:.0%} | {"blocked" if blocked else "open"} | {lane} | {leg.get("mos", "-")} | '
                            f'{leg.get("lossPercent", "-")} | {leg.get("jitter", "-")} |')
                print(rows[-1], flush=True)
        took, lost = bench.recovery(options.cuts) if options.cuts else ([], 0)
        bench.wan.__exit__()
    text = ['80 ms there and back, up to 20 ms of jitter each way, one call of '
            f'{options.seconds:.0f} s each; what the edge received of the PBX\'s side:', '',
            '| loss each way | UDP | lane | MOS | loss heard, % | jitter, ms |', '|---|---|---|---|---|---|', *rows]
    if took:
        ordered = sorted(took)
        text += ['', f'{options.cuts} cuts of 0.2 to 10 s in one call at 1 % loss: heard again after {statistics.median(ordered):.2f} s (median), '
                 f'{ordered[int(len(ordered) * 0.95)]:.2f} s (95 %), {ordered[-1]:.2f} s (longest); calls lost: {lost}.']
    print('\n'.join(text))
    if not options.dry:
        with open(DOCUMENT) as f:
            before = f.read()
        block = '\n'.join([MARKS[0], *text, MARKS[1]])
        after = re.sub(re.escape(MARKS[0]) + '.*' + re.escape(MARKS[1]), lambda _: block, before, flags=re.S)
        with open(DOCUMENT, 'w') as f:
            f.write(after)


if __name__ == '__main__':
    main()
