"""Starts programs and makes sure that they end: with the workspace, and with this process whatever ends it."""
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class PeerError(Exception):
    """A peer did not do what the test bed needs of it."""


def wait_until(condition, seconds, every=0.02):
    """Calls `condition` until it gives something true, which is returned; None after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            return None
        time.sleep(every)


def exit_on_signals():
    """Turns SIGTERM and SIGHUP into an ordinary exit, so that `with` blocks are left properly."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda n, _: sys.exit(128 + n))


def following(number=signal.SIGTERM):
    """What a child does before exec: it asks for this signal when its parent is gone, even by SIGKILL."""
    return lambda: _libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)


class Process:
    """One program in a session of its own, with its output in a log file. `orphan_signal` ends it when we are gone:
    phones want to say goodbye for long, programs with children must be able to end those."""

    def __init__(self, name, argv, log, cwd, env=None, stdin=None, orphan_signal=signal.SIGKILL):
        self.name, self.log = name, log
        with open(log, 'ab') as out:
            self.popen = subprocess.Popen(
                argv, cwd=cwd, env=env, stdin=stdin or subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                start_new_session=True, preexec_fn=following(orphan_signal))

    @property
    def pid(self):
        return self.popen.pid

    @property
    def running(self):
        return self.popen.poll() is None

    def output(self):
        with open(self.log, errors='replace') as f:
            return f.read()

    def said(self, text, seconds=5.0):
        """Waits until the log holds `text`."""
        return bool(wait_until(lambda: text in self.output(), seconds, 0.05))

    def signal(self, number):
        if self.running:
            self.popen.send_signal(number)

    def stop(self, seconds=5.0):
        """SIGTERM, then SIGKILL for whatever is left of its process group."""
        self.signal(signal.SIGTERM)
        try:
            self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
        self._kill_group()
        if self.popen.stdin:
            try:
                self.popen.stdin.close()
            except OSError:
                pass

    def kill(self):
        """SIGKILL to the whole group: no time to say goodbye to anybody."""
        self._kill_group()
        if self.running:
            self.popen.kill()
        self.popen.wait()

    def _kill_group(self):
        # The session's id is the pid we started; it cannot be another's while members are left.
        try:
            os.killpg(self.popen.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass

    def tree(self):
        """Its pid and those of its session."""
        found = []
        for entry in os.listdir('/proc'):
            if not entry.isdigit():
                continue
            try:
                with open(f'/proc/{entry}/stat') as f:
                    fields = f.read().rsplit(')', 1)[1].split()
            except OSError:
                continue
            if int(fields[3]) == self.pid:
                found.append(int(entry))
        return sorted(found)


class Workspace:
    """A temporary folder and the programs started in it. Use as a context manager.

    KEEP=1 in the environment keeps the folder, for a look at logs and recordings."""

    def __init__(self, folder=None, prefix='edge-testbed.'):
        self._own = folder is None
        self.folder = folder or tempfile.mkdtemp(prefix=prefix)
        os.makedirs(self.folder, exist_ok=True)
        self._processes = []
        self.before_closing = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def make_folder(self, *parts):
        path = self.path(*parts)
        os.makedirs(path, exist_ok=True)
        return path

    def write(self, name, text):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w') as f:
            f.write(text)
        return path

    def start(self, name, argv, cwd=None, log=None, **options):
        process = Process(name, argv, log or self.path(f'{name}.log'), cwd or self.folder, **options)
        self._processes.append(process)
        return process

    def stop(self, process, seconds=5.0):
        process.stop(seconds)
        if process in self._processes:
            self._processes.remove(process)

    def stop_all(self):
        for process in reversed(self._processes):
            process.stop()
        self._processes.clear()

    def logs(self):
        """What each program in here has said."""
        for name in sorted(os.listdir(self.folder)):
            if name.endswith('.log'):
                with open(self.path(name), errors='replace') as log:
                    yield log.read()

    def close(self):
        """Ends all programs. What is in `before_closing` is called when they have ended, and may find fault."""
        self.stop_all()
        try:
            while self.before_closing:
                self.before_closing.pop()()
        finally:
            self._remove()

    def _remove(self):
        if self._own and not os.environ.get('KEEP'):
            shutil.rmtree(self.folder, ignore_errors=True)
        elif self._own:
            print(f'kept: {self.folder}', file=sys.stderr)
