"""Ranking, on passages small enough to rank by hand."""

import pytest

from rag_app.collection import Passage, load_collection, split
from rag_app.retrieval import Index, words
from rag_app.settings import APP_ROOT


def index(*texts: str) -> Index:
    return Index([Passage(f"d{n}", "", text) for n, text in enumerate(texts)])


def found(idx: Index, question: str, limit: int = 9) -> list[str]:
    return [hit.passage.document for hit in idx.search(question, limit)]


def test_words_are_lower_case_without_stop_words_and_plurals():
    assert words("The Keys of AWS, and it's SSH-access!") == ["key", "aws", "s", "ssh", "access"]


def test_a_passage_without_a_shared_word_is_no_hit():
    assert found(index("red apple", "green pear"), "blue plum") == []
    assert found(index("red apple", "green pear"), "the of and") == []


def test_a_rare_word_weighs_more_than_a_common_one():
    assert found(index("cat dog", "cat bird", "cat fish"), "cat bird")[0] == "d1"


def test_among_equal_counts_the_shorter_passage_wins():
    assert found(index("cat one two three four five", "cat six"), "cat") == ["d1", "d0"]


def test_repetition_helps_and_then_saturates():
    once, thrice, many = (
        index("cat x x x x x x x"), index("cat cat cat x x x x x"), index("cat cat cat cat cat cat cat x")
    )
    score = [idx.search("cat", 1)[0].score for idx in (once, thrice, many)]
    assert score[0] < score[1] < score[2] < score[0] * (1.5 + 1)


def test_ties_keep_their_order_and_the_limit_holds():
    idx = index("cat", "cat", "cat")
    assert found(idx, "cat") == ["d0", "d1", "d2"]
    assert found(idx, "cat", 2) == ["d0", "d1"]


def test_the_score_is_the_formula():
    # One passage of two, both of mean length: rarity ln(1 + 1.5/1.5), frequency part 2.5/2.5.
    [hit] = index("cat dog", "red fox").search("cat", 9)
    assert hit.score == pytest.approx(0.6931471805599453)


def test_no_passages_find_nothing():
    assert Index([]).search("anything", 3) == []


def test_split_joins_lines_and_takes_the_title_off():
    passages = split("doc", "# Title\r\n\r\nfirst\r\nline\n\n\n\nsecond\n")
    assert passages == [Passage("doc", "Title", "first line"), Passage("doc", "Title", "second")]


@pytest.mark.parametrize(
    ("question", "document"),
    [
        ("What is a golden image?", "01-golden-image"),
        ("Why is StrictHostKeyChecking=no dangerous?", "02-host-keys"),
        ("How long does an AMI take to become available?", "03-waiting"),
        ("Why does export hide a failing command?", "04-exported-variables"),
        ("Where does Ollama keep a model?", "05-ollama-models"),
        ("What happens when a batch of instances fails to update?", "06-rolling-update"),
    ],
)
def test_the_shipped_documents_answer_their_questions(question, document):
    passages = load_collection("c", APP_ROOT / "documents").passages
    assert found(Index(passages), question)[0] == document
