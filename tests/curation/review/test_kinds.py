"""What people are asked."""

from __future__ import annotations

import re

import pytest

from curation.review.kinds import KINDS, guidelines, kind
from factory.errors import UserError
from factory.zh.classifiers.model import CLEAN, THREATS
from factory.zh.matcher import hits


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_is_whole(name: str) -> None:
    found = kind(name)
    decisive = found.question(found.decisive)
    assert decisive.level == "nominal" and decisive.required
    assert all(question.level == "ordinal" for question in found.questions if question.type == "rating")
    assert all(question.level is None and not question.required for question in found.questions if question.type == "text")
    assert any(field.required for field in found.fields)
    titles = [question.title for question in found.questions] + [field.title for field in found.fields]
    assert all(re.search("[一-鿿]", title) for title in titles)
    for question in found.questions:
        assert len(question.description or "") <= 1_000  # Argilla's limit


@pytest.mark.parametrize("name", KINDS)
def test_guidelines_are_taiwans_and_name_every_question_and_answer(name: str) -> None:
    text = guidelines(name)
    assert 300 < len(text) < 10_000  # Argilla's limit
    assert "\n  - " in text  # examples stand below what they show
    assert "|" not in text  # Argilla's page leaves no gap between the cells of a table
    decisive = kind(name).question(kind(name).decisive)
    for label in decisive.options.values():
        assert label.removeprefix("A ").removeprefix("B ") in text or label[:1] in text, label
    assert not re.search(r"[\u4e00-\u9fff][,;:?!]", text)  # full-width punctuation beside Chinese
    quoted = re.sub(r"「[^」]*」", "", text)
    assert not [hit for hit in hits(quoted) if hit.entry.group == "cn" and hit.entry.weight >= 2]


def test_classes_of_an_audit_are_the_classifiers() -> None:
    assert set(kind("audit").question("class").values()) == {CLEAN, *THREATS, "unreadable", "foreign"}


def test_an_unknown_kind_is_told() -> None:
    with pytest.raises(UserError, match="'poem': there are conversation, audit, preference, chat"):
        kind("poem")
