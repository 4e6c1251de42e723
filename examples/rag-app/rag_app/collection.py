"""Documents on disk, and the passages that they are cut into."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Passage:
    """One paragraph of a document: small enough to quote, large enough to mean something."""

    document: str
    title: str
    text: str


@dataclass(frozen=True)
class Collection:
    """All documents under one name, in the order of their ids."""

    name: str
    documents: tuple[str, ...]
    passages: tuple[Passage, ...]


def load_collection(name: str, folder: Path) -> Collection:
    """Read every `*.md` of the folder. Raises ValueError when there is none: an application that
    starts without its documents would answer every question wrongly, so it must not start."""
    files = sorted(folder.glob("*.md"))
    if not files:
        raise ValueError(f"cannot load collection `{name}`: no *.md file in {folder}")
    passages = [p for file in files for p in split(file.stem, file.read_text(encoding="utf-8"))]
    return Collection(name, tuple(file.stem for file in files), tuple(passages))


def split(document: str, text: str) -> list[Passage]:
    """Cut a text into paragraphs. A `# Title` line names the document and is no passage itself."""
    title = document
    passages = []
    for block in text.replace("\r\n", "\n").split("\n\n"):
        paragraph = " ".join(block.split())
        if paragraph.startswith("# "):
            title = paragraph.removeprefix("# ")
        elif paragraph:
            passages.append(Passage(document, title, paragraph))
    return passages
