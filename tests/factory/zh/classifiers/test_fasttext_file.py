"""A model file is hostile: whatever is wrong with it is one clear error, never a crash or a wrong model."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from factory.errors import UserError
from factory.zh.classifiers.fasttext_file import END, parse


def test_weights_are_vectors_times_output(model_file: Path) -> None:
    import fasttext

    reference = fasttext.load_model(str(model_file))
    model = parse(model_file.read_bytes(), "model")
    assert set(model.labels) == {"tw", "cn", "yue"} and model.loss == "softmax"
    assert END in model.tokens and len(model.tokens) == len(reference.words)
    order = [reference.labels.index(f"__label__{label}") for label in model.labels]
    if not reference.is_quantized():
        output = reference.get_output_matrix()[order]
        for row in range(0, len(model.tokens), 17):
            assert np.allclose(model.weights[row], output @ reference.get_word_vector(model.tokens[row]), atol=1e-5)


@pytest.mark.parametrize("loss", ["hs", "ns"])
def test_other_losses_are_refused(tmp_path: Path, loss: str) -> None:
    from tests.factory.zh.classifiers.conftest import train

    with pytest.raises(UserError, match="softmax nor ova"):
        parse(train(tmp_path, quantized=False, loss=loss).read_bytes(), "m")


def test_word_vectors_are_refused(tmp_path: Path) -> None:
    import fasttext

    (tmp_path / "text").write_text("一 二 三 四 五\n" * 600, "utf-8")
    fasttext.train_unsupervised(str(tmp_path / "text"), dim=4, epoch=1, minCount=1, thread=12, maxn=0, verbose=0).save_model(
        str(tmp_path / "v.bin")
    )
    with pytest.raises(UserError, match="word vectors, not a classifier"):
        parse((tmp_path / "v.bin").read_bytes(), "v.bin")


def test_hashed_features_are_refused(tmp_path: Path) -> None:
    import fasttext

    (tmp_path / "text").write_text("__label__a 一 二 三\n__label__b 四 五\n" * 600, "utf-8")
    fasttext.train_supervised(str(tmp_path / "text"), dim=4, epoch=1, wordNgrams=2, bucket=100, thread=12, verbose=0).save_model(
        str(tmp_path / "m.bin")
    )
    with pytest.raises(UserError, match="hashed n-grams or subwords"):
        parse((tmp_path / "m.bin").read_bytes(), "m.bin")


def test_a_cut_file_says_so_at_every_length(model_file: Path) -> None:
    blob = model_file.read_bytes()
    rng = random.Random(1)
    for length in [0, 1, 7, 8, 60, 100, len(blob) - 1, *(rng.randrange(len(blob)) for _ in range(150))]:
        with pytest.raises(UserError, match="is no usable fastText classifier"):
            parse(blob[:length], "cut")


def test_bytes_after_the_end_are_refused(model_file: Path) -> None:
    with pytest.raises(UserError, match="4 bytes follow its end"):
        parse(model_file.read_bytes() + b"more", "m")


def test_foreign_files_are_refused() -> None:
    for blob in (b"PK\x03\x04" * 50, b"\x80\x04\x95" * 40, bytes(400), "這是文字".encode() * 40):
        with pytest.raises(UserError, match="mark"):
            parse(blob, "foreign")


def test_flipped_bytes_never_crash(model_file: Path) -> None:
    """Sizes, flags and counts in the head and between the matrices, and weights, are overwritten at random."""
    blob = model_file.read_bytes()
    rng = random.Random(2)
    refused = 0
    for attempt in range(400):
        damaged = bytearray(blob)
        place = rng.randrange(min(200, len(blob))) if attempt % 2 else rng.randrange(len(blob))
        for offset in range(rng.choice([1, 4, 8])):
            if place + offset < len(damaged):
                damaged[place + offset] = rng.choice([0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)])
        try:
            found = parse(bytes(damaged), "damaged")
        except UserError:
            refused += 1
        else:
            assert np.isfinite(found.weights).all() and found.weights.shape == (len(found.tokens), len(found.labels))
    assert refused > 50


@pytest.mark.parametrize("loss", ["softmax", "ova"])
def test_a_written_model_is_read_again_by_us_and_by_fasttext(tmp_path: Path, loss: str) -> None:
    import fasttext
    import numpy as np

    from factory.zh.classifiers import kernel
    from factory.zh.classifiers.fasttext_file import LinearModel, encode

    weights = np.random.default_rng(1).normal(size=(4, 3)).astype(np.float32)
    model = LinearModel(("tw", "hk", "cn"), loss, ("夜", "市", "夜市", "</s>"), weights)
    again = parse(encode(model), "m")
    assert again[:3] == model[:3] and np.array_equal(again.weights, weights)
    path = tmp_path / "m.ftz"
    path.write_bytes(encode(model))
    found, values = fasttext.load_model(str(path)).predict("夜 市 夜市", k=3)
    raw = kernel.logits(["夜市"], kernel.tables(again))[0]
    ours = np.exp(raw) / np.exp(raw).sum() if loss == "softmax" else 1 / (1 + np.exp(-raw))
    by_label = dict(zip(found, values, strict=True))
    assert np.allclose([by_label[f"__label__{label}"] for label in model.labels], ours, atol=2e-4 if loss == "softmax" else 8e-3)
