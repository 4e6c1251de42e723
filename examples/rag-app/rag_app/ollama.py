"""Asks Ollama to answer from the passages that were found."""

from collections.abc import Sequence

import httpx

from rag_app.retrieval import Hit

# A host that is away shows at once; a model may think for as long as the settings allow.
CONNECT_TIMEOUT_SECS = 3.0


class ModelUnavailable(Exception):
    """No answer can be had now. `reason` is a stable word for programs, the text is for people."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def prompt(question: str, hits: Sequence[Hit]) -> str:
    """The passages, numbered so that the answer can cite them, then the question."""
    evidence = "\n".join(f"[{n}] {hit.passage.text}" for n, hit in enumerate(hits, start=1))
    return (
        "Answer the question from the passages below and cite them by number. "
        "If they do not hold the answer, say so.\n\n"
        f"Passages:\n{evidence}\n\nQuestion: {question}\nAnswer:"
    )


def generate(url: str, model: str, text: str, timeout_secs: float) -> str:
    """One answer from `/api/generate`. Raises ModelUnavailable with the reason `ollama_away`,
    `model_missing` or `ollama_failed`.

    https://github.com/ollama/ollama/blob/main/docs/api.md#generate-a-completion
    """
    timeout = httpx.Timeout(timeout_secs, connect=CONNECT_TIMEOUT_SECS)
    body = {"model": model, "prompt": text, "stream": False}
    try:
        # Ollama is a neighbour, not the internet: a proxy set for downloads must not get this.
        with httpx.Client(timeout=timeout, trust_env=False) as client:
            reply = client.post(f"{url}/api/generate", json=body)
    except httpx.HTTPError as error:
        raise ModelUnavailable("ollama_away", f"cannot reach Ollama at {url}: {error}") from error

    if reply.status_code == 404:
        message = f"Ollama at {url} has no model `{model}`; pull it with: ollama pull {model}"
        raise ModelUnavailable("model_missing", message)
    try:
        reply.raise_for_status()
        answer = reply.json()["response"]
    except (httpx.HTTPStatusError, ValueError, KeyError, TypeError) as error:
        message = f"Ollama at {url} did not answer the question: HTTP {reply.status_code}"
        raise ModelUnavailable("ollama_failed", message) from error
    return str(answer).strip()
