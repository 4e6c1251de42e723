"""`start` and `stop` as a deployment calls them, under a plain POSIX shell."""

import json
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag_app.settings import APP_ROOT


class Host:
    """A machine's state folder, with an environment that already has the requirements."""

    def __init__(self, folder: Path) -> None:
        self.release = folder / "release"
        self.state = folder / "state"
        ignore = shutil.ignore_patterns("tests", "__pycache__", ".*")
        shutil.copytree(APP_ROOT, self.release, ignore=ignore)
        venv = self.state / "venv"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
        [site] = venv.glob("lib/python*/site-packages")
        (site / "outer.pth").write_text(sysconfig.get_path("purelib"))
        shutil.copy(APP_ROOT / "requirements.txt", venv / "installed-requirements.txt")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def run(self, script: str, **env: str) -> subprocess.CompletedProcess:
        env = {
            "PATH": os.environ["PATH"],
            "HOME": "/nonexistent",
            "APP_STATE": str(self.state),
            "APP_VENV": str(self.state / "venv"),
            "APP_HOST": "127.0.0.1",
            "APP_PORT": str(self.port),
            "PYTHON": sys.executable,
            **env,
        }
        # The output is a pipe: a daemon that kept it open would hang this, as it would an SSH session.
        command = ["sh", str(self.release / script)]
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)

    def answers(self) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/collection") as reply:
            return json.load(reply)["release"]

    def pid(self) -> int:
        return int((self.state / "pid").read_text())

    def processes(self) -> list[str]:
        """Everything that runs from this host's environment."""
        found = []
        for file in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                line = file.read_bytes()
            except OSError:
                continue
            if str(self.state).encode() in line:
                found.append(line.replace(b"\0", b" ").decode())
        return found


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    host = Host(tmp_path)
    yield host
    host.run("stop")
    assert host.processes() == []


def test_start_replaces_what_runs_and_stop_ends_it(host: Host):
    shipped = sorted(host.release.rglob("*"))
    first = host.run("start", RELEASE_ID="r1")
    assert first.returncode == 0, first.stderr
    assert host.answers() == "r1"
    before = host.pid()

    second = host.run("start", RELEASE_ID="r2")
    assert second.returncode == 0, second.stderr
    assert host.answers() == "r2"
    assert host.pid() != before
    assert len(host.processes()) == 1

    assert host.run("stop").returncode == 0
    assert host.processes() == []
    assert host.run("stop").returncode == 0
    assert sorted(host.release.rglob("*")) == shipped


def test_the_daemon_has_a_session_of_its_own(host: Host):
    assert host.run("start").returncode == 0
    assert os.getsid(host.pid()) == host.pid()


def test_a_taken_port_fails_with_the_reason_and_leaves_nothing(host: Host):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", host.port))
        taken.listen()
        start = host.run("start")
    assert start.returncode == 1
    assert "address already in use" in start.stderr
    assert host.processes() == []
    assert not (host.state / "pid").exists()


def test_a_release_that_cannot_start_fails_with_its_log(host: Host):
    shutil.rmtree(host.release / "documents")
    start = host.run("start")
    assert start.returncode == 1
    assert "no *.md file" in start.stderr


def test_a_pid_that_belongs_to_somebody_else_is_left_alone(host: Host):
    with subprocess.Popen(["sleep", "60"]) as other:
        (host.state / "pid").write_text(str(other.pid))
        assert host.run("stop").returncode == 0
        assert other.poll() is None
        other.kill()


def test_a_folder_that_is_no_environment_is_not_deleted(host: Host, tmp_path: Path):
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").touch()
    start = host.run("start", APP_VENV=str(precious))
    assert start.returncode == 2
    assert (precious / "file").exists()
