"""The HTTP interface: `GET /collection` and `POST /ask`."""

import os
from collections.abc import Sequence

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from rag_app.collection import load_collection
from rag_app.ollama import ModelUnavailable, generate, prompt
from rag_app.retrieval import Hit, Index
from rag_app.settings import Settings, read_settings


class CollectionReply(BaseModel):
    """What is served: enough for a deployment to see that its own release answers."""

    name: str
    documents: int
    ids: list[str]
    passages: int
    release: str


class Question(BaseModel):
    """A question in plain words."""

    question: str = Field(min_length=1, max_length=2000, pattern=r"\S")


class Evidence(BaseModel):
    """A passage that was found, and how well it fits."""

    document: str
    title: str
    text: str
    score: float


class Answer(BaseModel):
    """The model's answer with the passages that it was given."""

    question: str
    answer: str
    model: str | None
    passages: list[Evidence]


def create_app(settings: Settings) -> FastAPI:
    """Load the documents and build the application. Raises ValueError when there are none."""
    collection = load_collection(settings.collection, settings.documents)
    index = Index(collection.passages)
    app = FastAPI(title="rag-app", description=__doc__)

    @app.middleware("http")
    async def say_release(request: Request, call_next) -> Response:
        response = await call_next(request)
        response.headers["X-Release-Id"] = settings.release_id
        return response

    @app.get("/collection")
    def get_collection() -> CollectionReply:
        return CollectionReply(
            name=collection.name,
            documents=len(collection.documents),
            ids=list(collection.documents),
            passages=len(collection.passages),
            release=settings.release_id,
        )

    @app.post("/ask", responses={503: {"description": "the model is away; passages are returned"}})
    def ask(body: Question) -> Answer:
        hits = index.search(body.question, settings.passages)
        passages = evidence(hits)
        if not hits:
            # Without evidence a model can only invent, so it is not asked.
            answer = "No document in the collection speaks of this."
            return Answer(question=body.question, answer=answer, model=None, passages=[])
        try:
            answer = generate(
                settings.ollama_url,
                settings.ollama_model,
                prompt(body.question, hits),
                settings.ollama_timeout_secs,
            )
        except ModelUnavailable as error:
            content = {
                "error": error.reason,
                "message": str(error),
                "question": body.question,
                "passages": [passage.model_dump() for passage in passages],
            }
            return JSONResponse(status_code=503, content=content)
        return Answer(
            question=body.question, answer=answer, model=settings.ollama_model, passages=passages
        )

    return app


def evidence(hits: Sequence[Hit]) -> list[Evidence]:
    """The hits as they are shown to a caller."""
    return [
        Evidence(
            document=hit.passage.document,
            title=hit.passage.title,
            text=hit.passage.text,
            score=round(hit.score, 4),
        )
        for hit in hits
    ]


def from_environment() -> FastAPI:
    """What uvicorn calls (`--factory`): the application as the environment describes it."""
    return create_app(read_settings(os.environ))
