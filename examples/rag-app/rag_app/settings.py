"""Settings, read from the environment once at start."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

APP_ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Settings:
    """Where the documents and the model are, and which release this is."""

    documents: Path
    collection: str
    release_id: str
    ollama_url: str
    ollama_model: str
    ollama_timeout_secs: float
    passages: int


def read_settings(env: Mapping[str, str]) -> Settings:
    """Read the settings; an empty variable counts as unset. Raises ValueError for a bad number."""

    def value(name: str, default: str) -> str:
        return env.get(name) or default

    return Settings(
        documents=Path(value("DOCUMENTS_DIR", str(APP_ROOT / "documents"))),
        collection=value("COLLECTION", "deploying-by-image"),
        release_id=value("RELEASE_ID", "unreleased"),
        ollama_url=value("OLLAMA_URL", "http://127.0.0.1:11434").rstrip("/"),
        ollama_model=value("OLLAMA_MODEL", "llama3.2:3b"),
        ollama_timeout_secs=float(value("OLLAMA_TIMEOUT_SECS", "120")),
        passages=int(value("PASSAGES", "3")),
    )
