"""What a case of the bench is, and where it finds what it needs."""
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

import services


@dataclass
class Method:
    """One way to do the work of a case. `before` prepares a run and `after` looks at its result; neither is measured.
    `after` may add to the sample's `extra`."""

    name: str
    command: list
    before: Callable | None = None
    after: Callable | None = None
    codes: tuple = (0,)
    env: dict = field(default_factory=dict)
    cwd: Path | None = None


@dataclass
class Goal:
    """`metric` of ours is at most `at_most` times that of `peer`; with `over`, at most that much more, in the metric's unit."""

    metric: str
    peer: str
    at_most: float | None = None
    over: float | None = None


@dataclass
class Case:
    """The first method is ours. `limit` says what stands in the way of a goal that is missed."""

    name: str
    program: str
    what: str
    setup: Callable
    goals: list
    runs: int = 5
    limit: str = ""
    by_default: bool = True


CASES: dict[str, Case] = {}


def case(name, program, what, **settings):
    """Registers the function as the set-up of a case. It gets the bench, and returns the methods; or, when it did the runs
    itself, the samples of each method."""

    def register(setup):
        CASES[name] = Case(name, program, what, setup, **settings)
        return setup

    return register


class Bench:
    """The programs, the servers that were started, and the folder of the case that runs."""

    def __init__(self, programs: Path, build: Path, work: Path):
        self.programs, self.build, self.top = programs, build, work
        self.work = work
        self.running = {}
        self.env = {"PATH": os.environ["PATH"], "HOME": str(work), "LC_ALL": "C.UTF-8", "TMPDIR": str(work)}

    def ours(self, name):
        return self.programs / name

    def peer(self, name):
        """A program of the virtual environment for this."""
        return self.build / "venv-bench/bin" / name

    def server(self, name, start):
        if name not in self.running:
            self.running[name] = start()
        return self.running[name]

    def moto(self):
        return self.server("moto", lambda: services.Moto(self.build, self.top))

    def sshd(self):
        return self.server("sshd", lambda: services.Sshd(self.top))

    def stop(self):
        for server in self.running.values():
            server.stop()
        self.running.clear()
