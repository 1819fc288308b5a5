#!/usr/bin/python3
"""Runs the real-peer tests. Usage: run_tests.py [NAME ...], where a name is a module (policy), a class
(trunk.Outage) or a test. Classes run side by side, each in a network of its own; JOBS=1 runs them one by one.
The last line says how many passed and failed."""
import collections
import os
import re
import subprocess
import sys
import tempfile
import time
import unittest

from testbed import interop
from testbed.processes import exit_on_signals, following

#: The longest first: what begins last should be short.
MODULES = (
    'abuse', 'nuisance', 'main_path', 'provisioning', 'calls', 'behaviours', 'services', 'policy', 'trunk', 'tunnel', 'tunnel_errors', 'media', 'sources', 'local_media', 'quality', 'load',
    'redirect', 'delivery', 'dhcp', 'traps', 'watching', 'race', 'mutants', 'tunnel_load', 'bed',
    'phone_files')
JOBS = int(os.environ.get('JOBS') or 4)


class Result(unittest.TextTestResult):
    """Counts tests, not subtests; a class that could not be set up counts as one failure."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.bad = set()
        self.skips = set()
        self._began = 0.0

    def startTest(self, test):
        self._began = time.monotonic()
        super().startTest(test)

    def addSkip(self, test, reason):
        self.skips.add(test.id())
        super().addSkip(test, reason)

    def addFailure(self, test, error):
        self.bad.add(test.id())
        super().addFailure(test, error)

    def addError(self, test, error):
        self.bad.add(test.id())
        super().addError(test, error)

    def addSubTest(self, test, subtest, error):
        if error is not None:
            self.bad.add(test.id())
        super().addSubTest(test, subtest, error)

    def stopTest(self, test):
        super().stopTest(test)
        if test.id() not in self.skips:
            interop.note(test, test.id() not in self.bad)
        self.stream.write(f'      {time.monotonic() - self._began:.1f} s\n')
        self.stream.flush()


def load(names):
    return unittest.defaultTestLoader.loadTestsFromNames([f'tests.{name}' for name in names])


def classes(suite):
    """The names of the classes in it that have tests, in order."""
    if isinstance(suite, unittest.TestCase):
        return [f'{type(suite).__module__}.{type(suite).__qualname__}'.removeprefix('tests.')]
    return list(dict.fromkeys(name for part in suite for name in classes(part)))


def units(names):
    """What runs in one piece: a class, or a single test that was asked for."""
    for name in names:
        suite = load([name])
        yield from [name] if suite.countTestCases() == 1 else classes(suite)


def run_here(names):
    """Passed and failed."""
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2, resultclass=Result).run(load(names))
    failed = len(result.bad)
    setups = sum(1 for name in result.bad if name.startswith('setUpClass'))
    return result.testsRun + setups - failed, failed


class Worker:
    """One class in a process of its own. What it prints is shown when it has ended, in one piece."""

    def __init__(self, name, network):
        self.name, self.network = name, network
        self.output = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [sys.executable, '-u', __file__, name], stdin=subprocess.DEVNULL, stdout=self.output,
            stderr=subprocess.STDOUT, env=dict(os.environ, JOBS='1', TESTBED_NETWORK=str(network)), preexec_fn=following())

    def finish(self):
        """Passed and failed; a worker that says neither has failed."""
        with self.output:
            self.output.seek(0)
            text = self.output.read().decode(errors='replace').rstrip()
        print(f'\n{self.name}\n{text}', flush=True)
        counts = re.search(r'^(\d+) passed, (\d+) failed\Z', text, re.M)
        return (int(counts[1]), int(counts[2])) if counts else (0, 1)


def run_side_by_side(names):
    waiting, running = collections.deque(names), []
    free = list(range(JOBS))
    passed = failed = 0
    while waiting or running:
        while waiting and free:
            running.append(Worker(waiting.popleft(), free.pop(0)))
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
        for worker in [w for w in running if w.process.poll() is not None]:
            running.remove(worker)
            free.append(worker.network)
            good, bad = worker.finish()
            passed, failed = passed + good, failed + bad
    return passed, failed


def main():
    exit_on_signals()
    names = sys.argv[1:] or MODULES
    parts = list(units(names))
    passed, failed = run_here(names) if JOBS == 1 or len(parts) == 1 else run_side_by_side(parts)
    print(f'{passed} passed, {failed} failed', flush=True)
    return 1 if failed or not passed else 0


if __name__ == '__main__':
    sys.exit(main())
