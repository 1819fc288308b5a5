#!/usr/bin/python3
"""make run: the whole scenario at a demo branch, told as it happens. Demo PBX, phones and edge end with this program."""
import os
import subprocess
import sys
import time

from testbed import steps
from testbed.branch import Branch
from testbed.edge import BINARY, ROOT
from testbed.pbx import PSAP, TRUNK
from testbed.pki import SitePKI
from testbed.processes import PeerError, Workspace, exit_on_signals

RUN = os.path.join(ROOT, 'run')
SITE = os.path.join(ROOT, 'conf', 'demo.toml')
CONTROL = os.path.join(RUN, 'demo.sock')
SECRETS = os.path.join(ROOT, 'conf', 'demo-secrets')
STATE = ('demo.sqlite', 'demo.sqlite-wal', 'demo.sqlite-shm', 'demo.sock')

STEPS = [
    ('A hot desk registers', lambda b: steps.registers(b)),
    ('Idle, it calls 101: refused', lambda b: steps.refused_when_idle(b)),
    ('Idle, it calls 112: the emergency answer point', lambda b: steps.emergency(b)),
    ('The answer point calls the idle desk back', lambda b: steps.call_back(b, TRUNK)),
    ('Alice logs in: *77*100* and her PIN', lambda b: steps.login(b)),
    ('status shows her', lambda b: steps.shows_session(b)),
    ('She calls 101', lambda b: steps.call_out(b)),
    ('101 calls her', lambda b: steps.call_in(b)),
    ('She moves to another desk', lambda b: steps.roam(b)),
    ('At the new desk she is called', lambda b: steps.call_in(b, 'HD0002')),
    ('She gives it back: *77*5*', lambda b: steps.logout(b, 'HD0002')),
    ('She logs in at the first desk again and calls at once', lambda b: steps.login_and_call(b)),
    ('She gives it back with the key', lambda b: steps.logout_by_key(b)),
    ('Idle again: refused', lambda b: steps.refused_when_idle(b)),
    ('Three wrong PINs at HD0002', lambda b: steps.wrong_pins(b)),
    ('HD0002 is locked out', lambda b: steps.locked_out(b)),
    ('112 works there all the same', lambda b: steps.emergency(b, 'HD0002')),
]


def say(text=''):
    print(text, flush=True)


def clean_state():
    os.makedirs(RUN, exist_ok=True)
    # A checkout makes them readable for everybody, of which the edge would warn.
    for name in os.listdir(SECRETS):
        os.chmod(os.path.join(SECRETS, name), 0o600)
    for name in STATE:
        if os.path.exists(os.path.join(RUN, name)):
            os.remove(os.path.join(RUN, name))


def run_steps(branch):
    results = []
    for number, (title, step) in enumerate(STEPS, 1):
        say(f'\n{number:2}. {title}')
        began = time.monotonic()
        try:
            said, passed = step(branch), True
        except (PeerError, AssertionError, OSError) as problem:
            said, passed = str(problem), False
        say('    ' + said.replace('\n', '\n    '))
        results.append((title, passed, time.monotonic() - began))
    return results


def table(results):
    width = max(len(title) for title, _, _ in results)
    say('\n' + f'{"step":{width}}  result  seconds')
    for title, passed, seconds in results:
        say(f'{title:{width}}  {"passed" if passed else "FAILED"}  {seconds:7.1f}')
    good = sum(passed for _, passed, _ in results)
    say(f'\n{good} of {len(results)} passed')
    return good == len(results)


def shown(argv):
    done = subprocess.run(argv, capture_output=True, text=True, cwd=ROOT)
    say('\n'.join('    ' + line for line in (done.stdout + done.stderr).strip().splitlines()))


def stay(branch):
    edge = os.path.relpath(BINARY, ROOT)
    say(f'''
Edge and PBX go on until Ctrl-C. From another terminal in {ROOT}:

    {edge} status --site conf/demo.toml
    {edge} logout HD0001 --site conf/demo.toml
    {edge} check --site conf/demo.toml
    baresip -f {branch.device('HD0001').folder}     (stop the one that runs first: its pid is {branch.device('HD0001').process.pid})

Any SIP phone of this machine may register at 127.0.0.10:5060 as HD0001 with password demo-HD0001 and dial
*77*101* (PIN 2580), *77*102* (PIN 8524), 101, 112 or *77*5*. HD0002 is locked for 15 minutes after the wrong PINs.
Logs: {branch.workspace.folder}''')
    try:
        while branch.edge.process.running and branch.pbx.process.running:
            time.sleep(0.5)
        say('The edge or the PBX has ended by itself.')
        return False
    except KeyboardInterrupt:
        say('\nStopping.')
        return True


def main():
    exit_on_signals()
    say('Demo branch: edge 127.0.0.10, PBX 127.0.0.20 (Kamailio, TLS), hot desks 127.0.0.11 and 127.0.0.12.')
    clean_state()
    passed = False
    with Workspace() as workspace:
        try:
            branch = Branch(workspace, 'udp', SitePKI(os.path.join(RUN, 'pki')), site=(SITE, CONTROL))
            branch.start(('101', PSAP), ('HD0001',))
            passed = table(run_steps(branch))
            say('\nstatus:')
            shown([BINARY, 'status', '--site', SITE])
            if sys.stdin.isatty() and sys.stdout.isatty():
                passed = stay(branch) and passed
        except PeerError as problem:
            say(f'\nThe demo could not run: {problem}')
        except KeyboardInterrupt:
            say('\nStopped.')
            passed = False
    return 0 if passed else 1


if __name__ == '__main__':
    sys.exit(main())
