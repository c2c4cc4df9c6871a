"""The kernel's scores are fastText's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.zh.classifiers import kernel
from factory.zh.classifiers.fasttext_file import END, parse
from factory.zh.classifiers.tokens import fold, tokens
from tests.factory.zh.classifiers.conftest import TEXTS, train


def expected(model: object, text: str, labels: tuple[str, ...], run: int) -> list[float]:
    found, values = model.predict(" ".join(tokens(text, run)), k=len(labels))  # type: ignore[attr-defined]
    by_label = dict(zip(found, values, strict=True))
    return [by_label.get(f"__label__{label}", 0.0) for label in labels]


@pytest.mark.parametrize("loss", ["softmax", "ova"])
def test_scores_equal_fasttext(tmp_path: Path, loss: str) -> None:
    import fasttext

    path = train(tmp_path, quantized=True, loss=loss)
    reference, model = fasttext.load_model(str(path)), parse(path.read_bytes(), "m")
    texts = [text for texts in TEXTS.values() for text in texts] + ["夜市视频好冇", "ABC 123", "", "🙂🙂", "完全沒有見過的句子？"]
    raw = kernel.logits(texts, kernel.tables(model))
    ours = np.exp(raw) / np.exp(raw).sum(1, keepdims=True) if loss == "softmax" else 1 / (1 + np.exp(-raw))
    tolerance = 2e-4 if loss == "softmax" else 8e-3  # fastText reads its sigmoid off a table of 512 steps from -8 to 8
    for text, row in zip(texts, ours, strict=True):
        assert np.allclose(row, expected(reference, text, model.labels, 3), atol=tolerance), text


@given(st.lists(st.text(max_size=60), max_size=8))
@settings(max_examples=60, deadline=None)
def test_a_batch_is_its_texts_one_by_one(texts: list[str]) -> None:
    laid = _laid()
    clean = [text.encode("utf-8", "replace").decode() for text in texts]
    together = kernel.logits(clean, laid)
    assert together.shape == (len(clean), 3)
    for text, row in zip(clean, together, strict=True):
        assert np.array_equal(kernel.logits([text], laid)[0], row)


@given(st.text(max_size=80))
@settings(max_examples=100, deadline=None)
def test_folding_leaves_no_space_and_is_done_once(text: str) -> None:
    once = fold(text)
    assert fold(once) == once
    assert not any(character.isspace() for character in once)


def test_evasions_fold_to_the_word() -> None:
    assert fold("Ｌ Ｉ Ｎ Ｅ：ＡＢ１２３４") == "line：ab0000"
    assert fold("飆\u200b 股\ufe0f") == "飆股"


def test_few_known_tokens_say_little() -> None:
    laid = _laid()
    short, long = "夜市", "今天去夜市吃蚵仔煎，結果排隊排了半小時。" * 5
    assert np.abs(kernel.logits([short], laid, least=40)).max() < 0.2 * np.abs(kernel.logits([short], laid)).max()
    assert np.array_equal(kernel.logits([long], laid, least=40), kernel.logits([long], laid))


def test_contributions_add_up_to_the_score() -> None:
    model, laid = _model(), _laid()
    text = "今天去夜市吃蚵仔煎"
    column = model.labels.index("tw")
    parts = kernel.contributions(fold(text), model, column, laid.run)
    assert parts and all(weight > 0 for _, weight in parts)
    assert parts == sorted(parts, key=lambda pair: (-pair[1], pair[0]))
    assert all(token in text for token, _ in parts)


_held: list[object] = []


def _model():  # type: ignore[no-untyped-def]
    if not _held:
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            _held.append(parse(train(Path(folder), quantized=True).read_bytes(), "m"))
    return _held[0]


def _laid() -> kernel.Tables:
    return kernel.tables(_model())


def test_presence_counts_each_token_once_and_grows_with_the_root_of_their_number() -> None:
    model, laid = _model(), _laid()
    rows = {token: row for row, token in enumerate(model.tokens)}
    for text in ("今天去夜市吃蚵仔煎", "夜市夜市夜市", "", "完全沒有見過的句子？" * 9):
        known = {token for token in tokens(text, laid.run) if token in rows} | ({END} & set(rows))
        expect = sum((model.weights[rows[token]] for token in known), np.zeros(len(model.labels))) / max(len(known), 5) ** 0.5
        assert np.allclose(kernel.logits([text], laid, 5, presence=True)[0], expect, atol=1e-5), text
    assert np.array_equal(kernel.logits(["夜市"], laid, 1, presence=True), kernel.logits(["夜市夜市"], laid, 1, presence=True)) == (
        "市夜" not in rows
    )


@given(st.lists(st.text(max_size=60), max_size=8))
@settings(max_examples=60, deadline=None)
def test_presence_of_a_batch_is_that_of_its_texts_one_by_one(texts: list[str]) -> None:
    laid = _laid()
    clean = [text.encode("utf-8", "replace").decode() for text in texts]
    together = kernel.logits(clean, laid, 3, presence=True)
    for text, row in zip(clean, together, strict=True):
        assert np.array_equal(kernel.logits([text], laid, 3, presence=True)[0], row)
