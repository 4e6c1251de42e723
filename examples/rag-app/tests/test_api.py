"""What a caller of the application sees."""

import socket

import pytest
from fastapi.testclient import TestClient

from rag_app.main import create_app
from rag_app.settings import APP_ROOT, read_settings

QUESTION = {"question": "How are host keys remembered when an instance was stopped?"}


def client(**env: str) -> TestClient:
    return TestClient(create_app(read_settings(env)))


def test_collection_names_its_documents_and_the_release():
    reply = client(RELEASE_ID="r-42").get("/collection")
    ids = sorted(file.stem for file in (APP_ROOT / "documents").glob("*.md"))
    assert reply.status_code == 200
    assert reply.headers["x-release-id"] == "r-42"
    assert reply.json() | {"passages": 0} == {
        "name": "deploying-by-image",
        "documents": len(ids),
        "ids": ids,
        "passages": 0,
        "release": "r-42",
    }
    assert reply.json()["passages"] > len(ids)


def test_release_is_unreleased_when_unset_or_empty():
    assert client().get("/collection").json()["release"] == "unreleased"
    assert client(RELEASE_ID="").get("/collection").json()["release"] == "unreleased"


def test_release_is_on_errors_too():
    assert client(RELEASE_ID="r-42").get("/nothing-here").headers["x-release-id"] == "r-42"


def test_ask_gives_the_passages_to_the_model_and_returns_both(ollama):
    reply = client(OLLAMA_URL=ollama.url + "/", OLLAMA_MODEL="tiny").post("/ask", json=QUESTION)
    assert reply.status_code == 200
    body = reply.json()
    assert body["answer"] == "By its instance id [1]."
    assert body["model"] == "tiny"
    assert body["passages"][0]["document"] == "02-host-keys"
    [asked] = ollama.asked
    assert (asked["path"], asked["model"], asked["stream"]) == ("/api/generate", "tiny", False)
    assert QUESTION["question"] in asked["prompt"]
    assert f"[1] {body['passages'][0]['text']}" in asked["prompt"]


def test_missing_model_is_503_with_the_command_that_pulls_it(ollama):
    ollama.status = 404
    ollama.body = b'{"error": "model \'llama3.2:3b\' not found"}'
    reply = client(OLLAMA_URL=ollama.url).post("/ask", json=QUESTION)
    assert reply.status_code == 503
    assert reply.json()["error"] == "model_missing"
    assert "ollama pull llama3.2:3b" in reply.json()["message"]
    assert reply.json()["passages"][0]["document"] == "02-host-keys"


def test_ollama_away_is_503_with_the_passages():
    with socket.socket() as closed:
        # Bound and never listening: nobody answers there, and nobody else can take the port.
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        reply = client(OLLAMA_URL=url, RELEASE_ID="r-42").post("/ask", json=QUESTION)
    assert reply.status_code == 503
    assert reply.headers["x-release-id"] == "r-42"
    assert reply.json()["error"] == "ollama_away"
    assert url in reply.json()["message"]
    assert reply.json()["passages"]


@pytest.mark.parametrize(
    ("status", "body"),
    [(500, b"{}"), (200, b"<html>"), (200, b'{"done": true}'), (200, b"[]"), (200, b"null")],
)
def test_strange_replies_of_ollama_are_503(ollama, status, body):
    ollama.status, ollama.body = status, body
    reply = client(OLLAMA_URL=ollama.url).post("/ask", json=QUESTION)
    assert reply.status_code == 503
    assert reply.json()["error"] == "ollama_failed"


def test_a_question_that_no_document_answers_is_not_sent_to_the_model(ollama):
    reply = client(OLLAMA_URL=ollama.url).post("/ask", json={"question": "penguin migration?"})
    assert reply.status_code == 200
    assert reply.json()["passages"] == []
    assert reply.json()["model"] is None
    assert ollama.asked == []


@pytest.mark.parametrize("body", [{}, {"question": ""}, {"question": " \n"}, {"question": 3}])
def test_a_bad_question_is_422(body):
    assert client().post("/ask", json=body).status_code == 422


def test_an_empty_folder_of_documents_stops_the_start(tmp_path):
    with pytest.raises(ValueError, match="no \\*.md file"):
        client(DOCUMENTS_DIR=str(tmp_path))


def test_a_setting_that_is_no_number_stops_the_start():
    with pytest.raises(ValueError):
        client(PASSAGES="many")
