#!/usr/bin/python3
"""Writes tools/hot-functions.txt: the functions a running edge uses, for the linker to put side by side, so that few
pages of the program are in memory. Runs .build/release/edgeproxy under callgrind (package valgrind) with a site's
ordinary work. What the list lacks or what is gone does no harm: run it again where the paths of a call have changed.
"""
import glob
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import bench                                                                    # noqa: E402
from testbed import edge, network                                               # noqa: E402
from testbed.load import Load                                                   # noqa: E402
from testbed.pki import SitePKI                                                 # noqa: E402
from testbed.processes import PeerError, Workspace, exit_on_signals, wait_until  # noqa: E402

LIST = os.path.join(HERE, '..', 'tools', 'hot-functions.txt')
PROGRAM = 'edgeproxy-stripped'


def wrapped(workspace):
    """A program that runs the edge under callgrind; without debug information, which valgrind reads too slowly."""
    # Below .build, where the program finds the models of phones.
    program, profile = os.path.join(os.path.dirname(edge.BINARY), PROGRAM), workspace.path('profile')
    subprocess.run(['strip', '-g', '-o', program, edge.BINARY], check=True)
    path = workspace.write('edgeproxy-under-callgrind', '\n'.join([
        '#!/bin/sh', f'exec valgrind -q --tool=callgrind --instr-atstart=no --demangle=no --callgrind-out-file={profile}.%p '
        f'{program} "$@"', '']))
    os.chmod(path, 0o755)
    return path, profile


def control(pid, switch):
    subprocess.run(['callgrind_control', '-i', switch, str(pid)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def used(profile):
    """Names of the program's own functions that ran, the most instructions first."""
    names, objects, cost = {}, {}, {}
    owner = function = None
    is_call = False
    for line in open(profile):
        if match := re.match(r'(c?)(fn|ob)=\((\d+)\)(?: (.*))?$', line):
            called, kind, number, text = match.groups()
            table = names if kind == 'fn' else objects
            if text:
                table[number] = text
            if not called and kind == 'ob':
                owner = objects[number]
            elif not called:
                function = names[number].split("'")[0] if os.path.basename(owner or '') == PROGRAM else None
        elif line.startswith('calls='):
            is_call = True
        elif line[:1].isdigit() or line[:1] in '+-*':
            if function and not is_call:
                cost[function] = cost.get(function, 0) + int(line.split()[1])
            is_call = False
    return [name for name in sorted(cost, key=lambda name: -cost[name]) if not name.startswith('0x')]


def main():
    exit_on_signals()
    with Workspace(prefix='hot-functions-') as workspace:
        pki = SitePKI(workspace.path('pki'), pbx_addresses=(network.PBX,))
        subject = bench.EdgeSubject(workspace, pki)
        subject.pbx.start()
        path, profile = wrapped(workspace)
        site = subject.site(10)
        with open(site.write(), 'a') as f:
            # valgrind knows no io_uring.
            f.write('\n[media]\nio_uring = false\n')
        subject.edge = edge.Edge(workspace, site.path, site.control, binary=path)
        subject.edge.start(seconds=120.0, trunk=False)
        pid = subject.pids()[0]
        control(pid, 'on')
        if not wait_until(lambda: any(node['up'] for node in subject.edge.status()['nodes']), 60, 0.5):
            raise PeerError('the edge has no trunk')
        subject.register_devices()
        for flow in ('call', 'register'):
            done = Load(workspace, flow, subject.proxy, 5, 12).finish()
            if done['failed']:
                raise PeerError(f'the load did not run: {done}')
        control(pid, 'off')
        subject.stop()
        subject.pbx.stop()
        functions = used(glob.glob(f'{profile}.*')[0])
    with open(LIST, 'w') as f:
        f.write('\n'.join(functions) + '\n')
    print(f'{len(functions)} functions in {os.path.relpath(LIST)}')


if __name__ == '__main__':
    main()
