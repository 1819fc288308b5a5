#!/usr/bin/python3
"""Records captures/ anew: each scenario with a fresh edge, real phones and the demo PBX; the capture the edge wrote,
and beside it what it must come to. Usage: record.py [NAME ...]"""
import json
import os
import shutil
import sys

from testbed import capture, edge, scenarios
from testbed.branch import Branch
from testbed.processes import PeerError, Workspace, exit_on_signals
from testbed.steps import StepFailed, expect

FOLDER = os.path.join(edge.ROOT, 'captures')
TRANSPORT = 'udp'


def record(scenario):
    with Workspace() as workspace:
        written = workspace.make_folder('captures')
        branch = Branch(workspace, TRANSPORT, capture=written)
        branch.start(scenario.phones, scenario.devices)
        scenario.run(branch)
        branch.edge.stop()
        reached = scenarios.reached(branch.pbx)
        expect(reached == scenario.reaches_pbx,
               f'the PBX saw\n  {json.dumps(reached)}\nnot\n  {json.dumps(scenario.reaches_pbx)}')
        files = edge.captures_in(written)
        expect(len(files) == 1, f'the edge wrote {len(files)} captures')
        judge(files[0], scenario)
        shutil.copyfile(files[0], os.path.join(FOLDER, f'{scenario.name}.pcap'))
    with open(os.path.join(FOLDER, f'{scenario.name}.json'), 'w') as f:
        json.dump(scenario.expectation(TRANSPORT), f, indent=2)
        f.write('\n')


def judge(path, scenario):
    """A capture is kept only if it can be read by others and gives no PIN away."""
    broken = capture.malformed(path)
    expect(not broken, f'tshark finds malformed packets:\n' + '\n'.join(broken[:5]))
    expect(capture.packets(path, 'sip') > 0, 'there is no SIP in the capture')
    digits = capture.telephone_events(path)
    for typed in scenario.typed:
        for pin in filter(None, typed['digits'].split('#')):
            expect(pin not in digits, f'a typed PIN can be read in the capture (events: {digits})')


def main():
    exit_on_signals()
    wanted = sys.argv[1:] or [scenario.name for scenario in scenarios.ALL]
    failed = 0
    os.makedirs(FOLDER, exist_ok=True)
    for name in wanted:
        try:
            record(scenarios.named(name))
            path = os.path.join(FOLDER, f'{name}.pcap')
            print(f'recorded {name}: {os.path.getsize(path)} bytes, {capture.statistics(path)}', flush=True)
        except (StepFailed, PeerError) as problem:
            failed += 1
            print(f'FAILED   {name}: {problem}', flush=True)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
