"""Each compiled kernel against a plain reference written from its docstring, and signatures against datasketch itself."""

from __future__ import annotations

import io
import json
import unicodedata
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from datasketch import MinHash, MinHashLSH
from hypothesis import example, given, settings
from hypothesis import strategies as st

from factory.storage import open_binary
from factory.zh import ngrams
from factory.zh.charclass import LETTER, CharClass, table

SIZES = (1, 2, 4, 5, 9, 10, 20)
LIST_MARKS = frozenset("-*•·●○■□◆◇★☆▲△►▶※＊‧→✓✔")
ALPHABET = (
    "的台灣了ㄅㄆあア한Aaz09Ｚ９éŁāА𠮷㐀"  # letters of every script, some outside the basic plane
    '，。！？…」"~:;-*•★→✓'
    "  \t\u3000\u00a0\n\n\r\u2028"
    "😀👨\u200d🇹\ufe0f\u0301\u030d\u0358\u200b\ufffd\ue000\U000f0000\x00\x1c\x1e"
)
WORDS = ["今天天氣很好", "第一條", "哈", "哈哈哈哈", "abcABC", "😀😀", "e\u0301", "臺北市政府公告事項一覽表如下所示"]
PIECES = [*WORDS, "\n", "\n\n", " \n", "。\n", "• 項目\n"]

random_text = st.one_of(
    st.text(st.sampled_from(ALPHABET), max_size=60),
    st.text(max_size=40),
    st.lists(st.sampled_from(PIECES), max_size=25).map("".join),  # repeats at every n
    st.builds(lambda unit, count: unit * count, st.text(st.sampled_from("的台灣a。\n "), min_size=1, max_size=7), st.integers(1, 40)),
)
batches = st.lists(random_text, min_size=1, max_size=4)  # several texts, so that one leaking into the next would show
every_batch = settings(max_examples=150, deadline=None)


def classes_of(character: str) -> int:
    return int(table()[ord(character)])


def is_space(character: str) -> bool:
    return bool(classes_of(character) & CharClass.SPACE)


def reference_class_counts(text: str) -> list[int]:
    return [sum(bool(classes_of(character) & kind) for character in text) for kind in CharClass]


def strip(line: str) -> str:
    while line and is_space(line[0]):
        line = line[1:]
    while line and is_space(line[-1]):
        line = line[:-1]
    return line


def reference_line_statistics(text: str) -> dict[str, int]:
    stripped = [strip(line) for line in text.split("\n")]
    lines = [line for line in stripped if line]
    return {
        "lines": len(lines),
        "paragraphs": sum(bool(line) and not before for before, line in zip(["", *stripped], stripped, strict=False)),
        "max_line_chars": max(map(len, lines), default=0),
        "short_lines": sum(len(line) < 12 for line in lines),
        "list_lines": sum(line[0] in LIST_MARKS for line in lines),
        "ended_lines": sum(bool(classes_of(line[-1]) & CharClass.TERMINAL) for line in lines),
        "line_chars": sum(map(len, lines)),
    }


def reference_repetition(text: str, n: int) -> tuple[float, float]:
    characters = "".join(character for character in text if not is_space(character))
    seen: Counter[str] = Counter()
    inside: set[int] = set()
    for start in range(len(characters) - n + 1):
        ngram = characters[start : start + n]
        if seen[ngram]:
            inside.update(range(start, start + n))
        seen[ngram] += 1
    if not seen:
        return 0.0, 0.0
    top = max(seen.values())
    return len(inside) / len(characters), min(1.0, top * n / len(characters)) if top > 1 else 0.0


def reference_minhash(text: str, n: int) -> MinHash:
    minhash = MinHash(num_perm=ngrams.NUM_PERM, seed=1, scheme="affine32", hashfunc=ngrams.shingle_hash)
    for shingle in ngrams.shingles(text, n):
        minhash.update(shingle)
    return minhash


def signatures(texts: list[str], n: int = ngrams.SHINGLE) -> np.ndarray:
    return ngrams.minhash_signatures(ngrams.batch_of(texts), table(), n)


def as_minhash(signature: np.ndarray) -> MinHash:
    return MinHash(hashvalues=signature, seed=1, scheme="affine32")


def real_texts(folder: Path, corpus: str, count: int) -> list[str]:
    with open_binary(str(folder / "corpus" / f"{corpus}.jsonl.zst")) as stream:
        lines = io.TextIOWrapper(stream, encoding="utf-8")
        return [json.loads(line)["text"][:4_000] for line, _ in zip(lines, range(count), strict=False)]


@given(batches)
@every_batch
def test_batch_holds_the_code_points(texts: list[str]) -> None:
    batch = ngrams.batch_of(texts)
    for index, text in enumerate(texts):
        assert batch.codes[batch.offsets[index] : batch.offsets[index + 1]].tolist() == [ord(character) for character in text]
    assert batch.offsets[-1] == batch.codes.size


def test_an_empty_batch_has_no_rows() -> None:
    batch = ngrams.batch_of([])
    assert ngrams.class_counts(batch.codes, batch.offsets, table()).shape == (0, len(CharClass))
    assert ngrams.line_statistics(batch.codes, batch.offsets, table()).shape == (0, len(ngrams.LINE_FIELDS))
    assert ngrams.repetition(batch.codes, batch.offsets, table(), 4).shape == (0, 2)
    assert signatures([]).shape == (0, ngrams.NUM_PERM)


def test_a_lone_surrogate_is_an_error() -> None:
    with pytest.raises(UnicodeEncodeError):
        ngrams.batch_of(["台\ud800灣"])


@given(batches)
@example([""])
@example(["", "台灣", "", "\U0010ffff"])
@every_batch
def test_class_counts(texts: list[str]) -> None:
    batch = ngrams.batch_of(texts)
    assert ngrams.class_counts(batch.codes, batch.offsets, table()).tolist() == [reference_class_counts(text) for text in texts]


@given(batches)
@example(["\n\n", "", " \u3000\n台灣", "台灣\n\n\n\n • 第一。\u3000\n"])
@example(["一二三四五六七八九十一\n一二三四五六七八九十一二", "a\n \nb\nc"])
@every_batch
def test_line_statistics(texts: list[str]) -> None:
    batch = ngrams.batch_of(texts)
    rows = ngrams.line_statistics(batch.codes, batch.offsets, table()).tolist()
    assert [dict(zip(ngrams.LINE_FIELDS, row, strict=True)) for row in rows] == [reference_line_statistics(text) for text in texts]


@pytest.mark.parametrize("n", SIZES)
def test_repetition(n: int) -> None:
    @given(batches)
    @example(["", "台", "台灣" * n, "哈" * n, "哈" * (n + 1), "哈" * (3 * n)])
    @example(["台 灣\n" * 30, "A" * (n - 1)])
    @every_batch
    def check(texts: list[str]) -> None:
        batch = ngrams.batch_of(texts)
        found = ngrams.repetition(batch.codes, batch.offsets, table(), n)
        assert found.tolist() == [list(reference_repetition(text, n)) for text in texts]

    check()


def test_repetition_by_hand() -> None:
    batch = ngrams.batch_of(["一二三四五一二三四", "一二三四五六七八", "一 二\n三四一二三四"])
    found = ngrams.repetition(batch.codes, batch.offsets, table(), 4)
    assert found.tolist() == [[4 / 9, 8 / 9], [0.0, 0.0], [4 / 8, 1.0]]


def test_repetition_of_thue_morse_text() -> None:
    """The sequence on which rolling hashes modulo 2^64 are known to collide, whatever their base, if n is large enough."""
    text = "".join("的了"[bin(number).count("1") % 2] for number in range(1 << 13))
    batch = ngrams.batch_of([text])
    for n in (*ngrams.NGRAM_SIZES, 64):
        assert ngrams.repetition(batch.codes, batch.offsets, table(), n).tolist() == [list(reference_repetition(text, n))]


@given(random_text, st.sampled_from(SIZES))
@every_batch
def test_shingles(text: str, n: int) -> None:
    letters = "".join(c for c in text if classes_of(c) & LETTER)
    folded = letters.translate({code: code + 32 for code in range(ord("A"), ord("Z") + 1)})
    expected = {folded[start : start + n] for start in range(len(folded)) if start + n <= len(folded)} or {folded} - {""}
    assert ngrams.shingles(text, n) == expected


@pytest.mark.parametrize("n", SIZES)
def test_signatures_are_datasketch_signatures(n: int) -> None:
    @given(batches)
    @example(["", "。\n", "台", "台灣" * n, "ABCabc" * n, "😀台\u0301灣"])
    @settings(max_examples=60, deadline=None)
    def check(texts: list[str]) -> None:
        found = signatures(texts, n)
        assert found.dtype == np.uint32
        for text, signature in zip(texts, found, strict=True):
            assert signature.tobytes() == reference_minhash(text, n).hashvalues.tobytes()

    check()


def test_signatures_see_letters_only() -> None:
    one, other = signatures(["臺北市政府，公告：第 12 條 ABC。", "臺北市政府公告\n第12條abc"])
    assert (one == other).all()
    assert (signatures(["。\n ！", ""]) == 0xFFFFFFFF).all()
    assert as_minhash(signatures([""])[0]).is_empty()


def test_signatures_work_as_datasketch_objects() -> None:
    rng = np.random.default_rng(5)
    base = "".join(chr(code) for code in rng.integers(0x4E00, 0x9FA5, 600))
    texts = [base, base[:300] + "改" + base[300:], base[::-1], base[:80]]
    stored = [signature.tobytes() for signature in signatures(texts)]  # as a feature row holds them
    minhashes = [as_minhash(np.frombuffer(blob, np.uint32)) for blob in stored]
    assert minhashes[0].jaccard(reference_minhash(texts[0], ngrams.SHINGLE)) == 1.0
    assert minhashes[0].jaccard(minhashes[1]) == reference_minhash(texts[0], ngrams.SHINGLE).jaccard(minhashes[1]) > 0.9
    assert minhashes[0].jaccard(minhashes[2]) < 0.1
    index = MinHashLSH(threshold=0.7, num_perm=ngrams.NUM_PERM)
    for name, minhash in enumerate(minhashes):
        index.insert(name, minhash)
    assert sorted(index.query(minhashes[0])) == [0, 1]
    merged = minhashes[0].copy()
    merged.merge(minhashes[1])
    shingles = ngrams.shingles(texts[0]) | ngrams.shingles(texts[1])
    union = MinHash(num_perm=ngrams.NUM_PERM, seed=1, scheme="affine32", hashfunc=ngrams.shingle_hash)
    union.update_batch(sorted(shingles))
    assert (merged.hashvalues == union.hashvalues).all()


def test_estimates_are_as_good_as_theory_says() -> None:
    """The error of 128 independent minima is sqrt(J(1 - J) / 128); a weak hash would show as bias or as a wider spread."""
    rng = np.random.default_rng(11)
    errors, variances = [], []
    for _ in range(200):
        characters = [chr(code) for code in rng.integers(0x4E00, 0x9FA5, 400)]
        changed = list(characters)
        for position in rng.choice(400, rng.integers(1, 40), replace=False):
            changed[position] = chr(int(rng.integers(0x4E00, 0x9FA5)))
        one, other = "".join(characters), "".join(changed)
        first, second = ngrams.shingles(one), ngrams.shingles(other)
        exact = len(first & second) / len(first | second)
        a, b = signatures([one, other])
        errors.append(float((a == b).mean()) - exact)
        variances.append(exact * (1 - exact) / ngrams.NUM_PERM)
    expected = float(np.sqrt(np.mean(variances)))
    assert abs(np.mean(errors)) < 3 * expected / np.sqrt(len(errors))
    assert float(np.sqrt(np.mean(np.square(errors)))) < 1.2 * expected


@pytest.mark.parametrize("corpus", ["social_ptt", "law_moj", "transcript_audreyt_nonzh"])
def test_all_kernels_on_real_text(twllm_data: Path, corpus: str) -> None:
    texts = [unicodedata.normalize("NFC", text) for text in real_texts(twllm_data, corpus, 25)]
    batch = ngrams.batch_of(texts)
    codes, offsets, classes = batch.codes, batch.offsets, table()
    assert ngrams.class_counts(codes, offsets, classes).tolist() == [reference_class_counts(text) for text in texts]
    lines = ngrams.line_statistics(codes, offsets, classes).tolist()
    assert lines == [list(reference_line_statistics(text).values()) for text in texts]
    for n in ngrams.NGRAM_SIZES:
        assert ngrams.repetition(codes, offsets, classes, n).tolist() == [list(reference_repetition(text, n)) for text in texts]
    for text, signature in zip(texts, signatures(texts), strict=True):
        assert (signature == reference_minhash(text, ngrams.SHINGLE).hashvalues).all()
