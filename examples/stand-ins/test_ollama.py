"""The stand-in for Ollama, driven through its HTTP interface and its command."""

import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

PROGRAM = [sys.executable, str(Path(__file__).parent / "ollama" / "ollama")]
MODEL = "llama3.2:3b"


class Ollama:
    """One running server, and a way to start it again on the same models."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = "%s:%d" % free.getsockname()
        self.url = f"http://{address}"
        own = {"OLLAMA_HOST": address, "OLLAMA_MODELS": str(folder), "OLLAMA_STAND_IN_SECS": "0"}
        self.env = {**os.environ, **own}

    def start(self) -> None:
        self.server = subprocess.Popen([*PROGRAM, "serve"], env=self.env, stderr=subprocess.PIPE)
        # Its first line says that it listens.
        assert b"not Ollama" in self.server.stderr.readline()

    def stop(self) -> int:
        self.server.terminate()
        self.server.communicate(timeout=10)
        return self.server.returncode

    def command(self, *arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run([*PROGRAM, *arguments], env=self.env, capture_output=True, text=True)

    def get(self, path: str):
        with urllib.request.urlopen(self.url + path) as reply:
            return json.load(reply)

    def post(self, path: str, **body) -> tuple[int, list]:
        request = urllib.request.Request(self.url + path, json.dumps(body).encode())
        try:
            with urllib.request.urlopen(request) as reply:
                return reply.status, [json.loads(line) for line in reply]
        except urllib.error.HTTPError as error:
            return error.code, [json.load(error)]


@pytest.fixture
def ollama(tmp_path: Path) -> Iterator[Ollama]:
    ollama = Ollama(tmp_path / "models")
    ollama.start()
    yield ollama
    ollama.stop()


def test_it_says_what_it_is(ollama: Ollama):
    assert urllib.request.urlopen(ollama.url).read() == b"Ollama is running"
    assert "stand-in" in ollama.get("/api/version")["version"]


def test_pull_streams_layers_then_success_and_the_model_outlives_the_server(ollama: Ollama):
    assert ollama.get("/api/tags") == {"models": []}
    status, steps = ollama.post("/api/pull", model=MODEL)
    assert status == 200
    assert steps[0] == {"status": "pulling manifest"}
    assert steps[-1] == {"status": "success"}
    layers = [step for step in steps if "digest" in step]
    assert layers[0]["completed"] == 0
    assert layers[-1]["completed"] == layers[-1]["total"] > 0
    assert ollama.stop() == 0
    ollama.start()
    assert [model["name"] for model in ollama.get("/api/tags")["models"]] == [MODEL]


def test_an_unknown_model_is_an_error_in_either_form(ollama: Ollama):
    error = {"error": "pull model manifest: file does not exist"}
    status, steps = ollama.post("/api/pull", model="no-such:1b")
    assert (status, steps[-1]) == (200, error)
    assert ollama.post("/api/pull", model="no-such:1b", stream=False) == (500, [error])
    assert ollama.post("/api/pull", model="../../etc:x")[0] == 400


def test_generate_needs_the_model_and_depends_on_the_prompt(ollama: Ollama):
    missing = ollama.post("/api/generate", model=MODEL, prompt="hi")
    assert missing == (404, [{"error": f"model '{MODEL}' not found"}])
    ollama.post("/api/pull", model=MODEL)
    prompt = "Passages:\n[1] Cats purr. Dogs bark.\n\nQuestion: What do cats do?\nAnswer:"
    _, [whole] = ollama.post("/api/generate", model=MODEL, prompt=prompt, stream=False)
    assert "What do cats do?" in whole["response"]
    assert "Cats purr. [1]" in whole["response"]
    assert "stand-in" in whole["response"]
    _, parts = ollama.post("/api/generate", model=MODEL, prompt=prompt)
    assert "".join(part["response"] for part in parts) == whole["response"]
    assert [part["done"] for part in parts] == [False] * (len(parts) - 1) + [True]


def test_an_empty_prompt_loads_the_model(ollama: Ollama):
    ollama.post("/api/pull", model=MODEL)
    assert ollama.get("/api/ps") == {"models": []}
    _, [reply] = ollama.post("/api/generate", model=MODEL, stream=False)
    assert (reply["response"], reply["done_reason"]) == ("", "load")
    assert [model["name"] for model in ollama.get("/api/ps")["models"]] == [MODEL]


def test_the_command(ollama: Ollama):
    assert MODEL not in ollama.command("list").stdout
    assert ollama.command("pull", MODEL).returncode == 0
    assert MODEL in ollama.command("list").stdout
    failed = ollama.command("pull", "no-such")
    assert (failed.returncode, failed.stderr.splitlines()[-1]) == (
        1, "Error: pull model manifest: file does not exist"
    )
    assert ollama.command("rm", MODEL).returncode == 0
    assert ollama.command("dance").returncode == 2
    ollama.stop()
    assert ollama.command("list").returncode == 1
