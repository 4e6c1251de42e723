"""Run a command, and say what it took."""
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

# The wrapper whose own memory is small: a child of Python starts with Python's peak as its own (see exec_mmap in
# Linux's fs/exec.c), and would never show less.
TIME = "/usr/bin/time"

# The longest that one run may take, in seconds: far more than any does on a busy machine.
LONGEST = 900


@dataclass
class Sample:
    """One run: seconds on the clock, seconds of the processors, and the largest process in KiB. `extra` holds
    what a case measures beside that, by its name."""

    wall: float
    cpu: float | None
    memory: int
    extra: dict

    def values(self):
        all_of_it = {"wall": self.wall, "cpu": self.cpu, "memory": self.memory} | self.extra
        return {metric: value for metric, value in all_of_it.items() if value is not None}


class Failed(Exception):
    """A measured command failed. What it printed is in the message."""


@contextlib.contextmanager
def ending(child):
    """The child and all its own end when it takes too long, or when the bench does."""
    timer = threading.Timer(LONGEST, os.killpg, (child.pid, signal.SIGKILL))
    timer.start()
    try:
        yield
    except BaseException:
        os.killpg(child.pid, signal.SIGKILL)
        raise
    finally:
        timer.cancel()


def run(command, *, env, cwd, codes=(0,)):
    """Run `command` to its end. The times are those of all its processes."""
    with tempfile.TemporaryFile() as said, tempfile.NamedTemporaryFile() as peak:
        started = time.monotonic()
        child = subprocess.Popen(
            [TIME, "-q", "-o", peak.name, "-f", "%M", *map(str, command)],
            env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True,
        )
        with ending(child):
            _, status, usage = os.wait4(child.pid, 0)
        wall = time.monotonic() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode not in codes:
            said.seek(0)
            text = said.read()[-4000:].decode(errors="replace")
            raise Failed(f"{' '.join(map(str, command))} ended with {child.returncode}:\n{text}")
        return Sample(wall, usage.ru_utime + usage.ru_stime, int(Path(peak.name).read_text()), {})


def need(*programs):
    """The paths of programs that must be installed."""
    found = [shutil.which(program) for program in programs]
    if None in found:
        sys.exit(f"bench: cannot find `{programs[found.index(None)]}`; run: scripts/setup tools bench")
    return found
