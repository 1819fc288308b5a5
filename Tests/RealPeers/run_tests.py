#!/usr/bin/python3
"""Runs the real-peer tests. Usage: run_tests.py [NAME ...], where a name is a module (policy), a class
(trunk.Outage) or a test. The last line says how many passed and failed."""
import sys
import time
import unittest

from testbed.processes import exit_on_signals

MODULES = ('bed', 'policy', 'trunk', 'load', 'main_path')


class Result(unittest.TextTestResult):
    """Counts tests, not subtests; a class that could not be set up counts as one failure."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.bad = set()
        self._began = 0.0

    def startTest(self, test):
        self._began = time.monotonic()
        super().startTest(test)

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
        self.stream.write(f'      {time.monotonic() - self._began:.1f} s\n')
        self.stream.flush()


def main():
    exit_on_signals()
    names = [f'tests.{name}' for name in sys.argv[1:] or MODULES]
    suite = unittest.defaultTestLoader.loadTestsFromNames(names)
    runner = unittest.TextTestRunner(stream=sys.stdout, verbosity=2, resultclass=Result)
    result = runner.run(suite)
    failed = len(result.bad)
    setups = sum(1 for name in result.bad if name.startswith('setUpClass'))
    print(f'{result.testsRun + setups - failed} passed, {failed} failed', flush=True)
    return 1 if failed or not result.testsRun else 0


if __name__ == '__main__':
    sys.exit(main())
