"""One feature row a document: everything a policy may ask about, computed in one pass over a batch of texts."""

from __future__ import annotations

import hashlib
import math
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from factory.records import Document
from factory.zh import ngrams
from factory.zh.charclass import CharClass, table
from factory.zh.classifiers.features import COLUMNS, classify
from factory.zh.lane import ScriptCounts, lane_of
from factory.zh.matcher import THREATS, Hit, batch_hits
from factory.zh.normalize import normalize_batch
from factory.zh.pii import KINDS, Span, find
from factory.zh.variety import GROUPS, roundtrip_changes, variety_of

MIN_HASHED_LINE_CHARS = 10  # shorter lines repeat by nature and are never removed as duplicates
MAX_LEXICON_WORDS = 12
_NOTHING_PERSONAL = dict.fromkeys(KINDS, 0)
ROUNDTRIP_BELOW = 0.5  # of variety_score: where words already speak for Taiwan, OpenCC is not asked


class Feature(NamedTuple):
    """A column that rules may name."""

    type: pa.DataType
    unit: str
    meaning: str


Numbers = npt.NDArray[Any]
_SHARE = "share of characters, 0 to 1"
_F, _I, _S = pa.float64(), pa.int64(), pa.string()

FEATURES: dict[str, Feature] = {
    "chars": Feature(_I, "characters", "length of the normalised text"),
    "bytes": Feature(_I, "bytes", "length in UTF-8"),
    "han_chars": Feature(_I, "characters", "Han characters"),
    "han_ratio": Feature(_F, _SHARE, "Han characters, white space left out of the whole"),
    "latin_ratio": Feature(_F, _SHARE, "Latin letters"),
    "digit_ratio": Feature(_F, _SHARE, "digits"),
    "punctuation_ratio": Feature(_F, _SHARE, "punctuation"),
    "symbol_ratio": Feature(_F, _SHARE, "symbols, arrows, box drawing and emoji"),
    "zhuyin_chars": Feature(_I, "characters", "zhuyin letters"),
    "private_chars": Feature(_I, "characters", "private use area, replacement characters"),
    "stopword_ratio": Feature(_F, "share of Han characters", "function characters of Traditional Chinese"),
    "lines": Feature(_I, "lines", "lines that are not blank"),
    "paragraphs": Feature(_I, "paragraphs", "runs of lines between blank lines"),
    "mean_line_chars": Feature(_F, "characters", "mean length of a line"),
    "max_line_chars": Feature(_I, "characters", "longest line"),
    "short_line_ratio": Feature(_F, "share of lines", "lines under 12 characters"),
    "list_line_ratio": Feature(_F, "share of lines", "lines that begin with a bullet"),
    "ended_line_ratio": Feature(_F, "share of lines", "lines that end with sentence punctuation"),
    **{f"dup_ngram_{n}": Feature(_F, _SHARE, f"inside a repeated {n}-gram of characters") for n in ngrams.NGRAM_SIZES},
    **{f"top_ngram_{n}": Feature(_F, _SHARE, f"taken by the most frequent {n}-gram") for n in ngrams.NGRAM_SIZES},
    "lane": Feature(_S, "lane", "zh-Hant, zh-Hans, zh-mixed, yue, nan, hak, ja, ko or other"),
    "simplified_share": Feature(_F, "share of one-script characters", "Simplified among characters of one script only"),
    "yue_density": Feature(_F, "points per 100 Han", "Cantonese markers"),
    "nan_density": Feature(_F, "points per 100 Han", "Taigi markers"),
    "hak_density": Feature(_F, "points per 100 Han", "Hakka markers"),
    "fasttext_label": Feature(_S, "language code", "fastText lid.176, only where characters left the lane open"),
    "fasttext_score": Feature(_F, "probability", "of fasttext_label"),
    **{f"variety_{g}": Feature(_I, "points", f"weighted evidence for {g}") for g in GROUPS},
    **{f"variety_{g}_distinct": Feature(_I, "entries", f"different entries of {g}") for g in GROUPS},
    **{f"variety_{g}_density": Feature(_F, "points per 1,000 Han", f"weighted evidence for {g}") for g in GROUPS},
    "variety_lean": Feature(_S, "region", "tw, hk or cn: the region with the most points"),
    "variety_score": Feature(_F, "-1 to 1", "evidence for Taiwan less evidence against, over both"),
    "roundtrip_changes": Feature(_F, "per 1,000 characters", "what OpenCC changes there and back; only where words leave the variety open"),
    **{f"{t}_points": Feature(_I, "points", f"weights of different {t} phrases") for t in THREATS},
    **{f"{t}_density": Feature(_F, "points per 1,000 Han", f"{t} phrases, each use counted") for t in THREATS},
    **{name: Feature(_S if unit == "label" else _F, unit, meaning) for name, (unit, meaning) in COLUMNS.items()},
    **{f"pii_{kind}": Feature(_I, "values", f"different {kind.replace('_', ' ')} values found as personal data") for kind in KINDS},
    "removed_chars": Feature(_I, "characters", "control and zero-width characters taken out"),
    "private_mapped": Feature(_I, "characters", "Big5 leftovers mapped to Unicode"),
    "mojibake_repaired": Feature(pa.bool_(), "yes or no", "the text was decoded wrongly and has been repaired"),
    "flags": Feature(pa.list_(_S), "flags", "what the source states, for example abolished"),
}

PII_SPAN = pa.struct([("kind", _S), ("start", pa.int32()), ("end", pa.int32())])
_EVIDENCE = pa.struct([("paragraph", pa.int32()), *((group, pa.int32()) for group in GROUPS)])
SCHEMA = pa.schema(
    [
        pa.field("id", _S, nullable=False),
        *(pa.field(name, feature.type) for name, feature in FEATURES.items()),
        pa.field("variety_words", pa.list_(_S)),
        pa.field("variety_paragraphs", pa.list_(_EVIDENCE)),
        pa.field("lexicon_words", pa.list_(_S)),
        pa.field("pii_spans", pa.list_(PII_SPAN)),  # offsets in the normalised text
        pa.field("raw_sha256", pa.binary(32)),
        pa.field("exact_hash", pa.binary(16)),
        pa.field("minhash", pa.binary(4 * ngrams.NUM_PERM)),
        pa.field("line_hashes", pa.list_(pa.uint64())),
        pa.field("line_chars", pa.list_(pa.int32())),  # white space at the ends left out
    ]
)


def annotate(documents: Sequence[Document]) -> tuple[list[str], pa.Table]:
    """Normalised texts and their feature rows (SCHEMA), in the order given. Pure: the same text gives the same row."""
    normalized = normalize_batch([document.text for document in documents])
    texts = [result.text for result in normalized]
    batch = ngrams.batch_of(texts)
    classes = table()
    counts = dict(zip(CharClass, ngrams.class_counts(batch.codes, batch.offsets, classes).T, strict=True))
    columns: dict[str, Any] = {
        "id": [document.id for document in documents],
        "flags": [list(document.flags) for document in documents],
        **_counted(np.diff(batch.offsets), counts),
        **_lined(dict(zip(ngrams.LINE_FIELDS, ngrams.line_statistics(batch.codes, batch.offsets, classes).T, strict=True))),
        **classify(texts),
        "removed_chars": [result.removed_chars for result in normalized],
        "private_mapped": [result.private_mapped for result in normalized],
        "mojibake_repaired": [result.mojibake_repaired for result in normalized],
        "minhash": [row.tobytes() for row in ngrams.minhash_signatures(batch, classes)],
    }
    hashes, lengths, ends = ngrams.line_hashes(batch.codes, batch.offsets, classes, MIN_HASHED_LINE_CHARS)
    columns["line_hashes"] = pa.LargeListArray.from_arrays(ends, hashes).cast(pa.list_(pa.uint64()))
    columns["line_chars"] = pa.LargeListArray.from_arrays(ends, lengths).cast(pa.list_(pa.int32()))
    for n in ngrams.NGRAM_SIZES:
        repeated = np.round(ngrams.repetition(batch.codes, batch.offsets, classes, n), 6)
        columns[f"dup_ngram_{n}"], columns[f"top_ngram_{n}"] = repeated[:, 0], repeated[:, 1]
    script = np.stack([counts[kind] for kind in _SCRIPTS], 1).tolist()
    rows = [
        _row(document, text, ScriptCounts(*numbers), found)
        for document, text, numbers, found in zip(documents, texts, script, batch_hits(batch), strict=True)
    ]
    columns |= {name: [row[name] for row in rows] for name in SCHEMA.names if name not in columns}
    return texts, pa.Table.from_pydict({name: columns[name] for name in SCHEMA.names}, schema=SCHEMA)


_SCRIPTS = (
    CharClass.HAN, CharClass.LATIN, CharClass.KANA, CharClass.HANGUL, CharClass.OTHER_LETTER, CharClass.SIMPLIFIED, CharClass.TRADITIONAL,
    CharClass.ROMANIZED,
)  # fmt: skip


def _counted(chars: Numbers, count: dict[CharClass, Numbers]) -> dict[str, Numbers]:
    han, visible = count[CharClass.HAN], chars - count[CharClass.SPACE]
    shares = {
        "latin": CharClass.LATIN, "digit": CharClass.DIGIT, "punctuation": CharClass.PUNCTUATION, "symbol": CharClass.SYMBOL,
    }  # fmt: skip
    return {
        "chars": chars,
        "han_chars": han,
        "han_ratio": _shares(han, visible),
        **{f"{name}_ratio": _shares(count[kind], visible) for name, kind in shares.items()},
        "zhuyin_chars": count[CharClass.ZHUYIN],
        "private_chars": count[CharClass.PRIVATE],
        "stopword_ratio": _shares(count[CharClass.STOPWORD], han),
    }


def _lined(line: dict[str, Numbers]) -> dict[str, Numbers]:
    return {
        "lines": line["lines"],
        "paragraphs": line["paragraphs"],
        "mean_line_chars": _shares(line["line_chars"], line["lines"]),
        "max_line_chars": line["max_line_chars"],
        "short_line_ratio": _shares(line["short_lines"], line["lines"]),
        "list_line_ratio": _shares(line["list_lines"], line["lines"]),
        "ended_line_ratio": _shares(line["ended_lines"], line["lines"]),
    }


def _shares(part: Numbers, whole: Numbers) -> Numbers:
    """Ratios, 0 where there is no whole."""
    return np.round(np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0), 6)


def _row(document: Document, text: str, count: ScriptCounts, matches: list[Hit]) -> dict[str, Any]:
    """What is asked text by text."""
    encoded = text.encode()
    han = count.han
    lane = lane_of(text, count, matches)
    variety = variety_of(text, matches)
    personal = find(text)
    return {
        "bytes": len(encoded),
        "lane": lane.lane,
        "simplified_share": _known(lane.simplified_share),
        **{f"{language}_density": round(value, 4) for language, value in lane.density.items()},
        "fasttext_label": lane.fasttext_label,
        "fasttext_score": _known(lane.fasttext_score),
        **{f"variety_{group}": points for group, points in variety.points.items()},
        **{f"variety_{group}_distinct": number for group, number in variety.distinct.items()},
        **{f"variety_{group}_density": _ratio(1_000 * points, han) for group, points in variety.points.items()},
        "variety_lean": variety.lean,
        "variety_score": round(variety.score, 6),
        "variety_words": variety.words,
        "variety_paragraphs": variety.paragraphs,
        "roundtrip_changes": _known(roundtrip_changes(text)) if lane.lane == "zh-Hant" and variety.score < ROUNDTRIP_BELOW else None,
        **_lexicon(matches, han),
        **{f"pii_{kind}": number for kind, number in _distinct(text, personal).items()},
        "pii_spans": [span._asdict() for span in personal],
        "raw_sha256": hashlib.sha256(document.text.encode("utf-8", "surrogatepass")).digest(),
        "exact_hash": hashlib.blake2b("".join(text.split()).encode(), digest_size=16).digest(),
    }


def _distinct(text: str, spans: Sequence[Span]) -> dict[str, int]:
    """Values of each kind, counted once however often and in whatever width or case they are written."""
    if not spans:
        return _NOTHING_PERSONAL
    values = {(s.kind, "".join(c for c in unicodedata.normalize("NFKC", text[s.start : s.end]).lower() if c.isalnum())) for s in spans}
    counts = Counter(kind for kind, _ in values)
    return {kind: counts[kind] for kind in KINDS}


def _ratio(part: int, whole: int) -> float:
    return round(part / whole, 6) if whole else 0.0


def _known(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 6)


def _lexicon(matches: list[Hit], han: int) -> dict[str, Any]:
    distinct: dict[str, dict[str, int]] = {threat: {} for threat in THREATS}
    uses = dict.fromkeys(THREATS, 0)
    reached = dict.fromkeys(THREATS, -1)
    for hit in sorted(matches, key=lambda hit: (hit.start, -hit.end)):
        group = hit.entry.group
        if group in distinct and hit.end > reached[group]:  # a phrase inside a longer one of its list counts once
            reached[group] = hit.end
            distinct[group][hit.entry.text] = hit.entry.weight
            uses[group] += hit.entry.weight
    words = sorted((-weight, threat, word) for threat in THREATS for word, weight in distinct[threat].items())
    return {
        **{f"{threat}_points": sum(distinct[threat].values()) for threat in THREATS},
        **{f"{threat}_density": _ratio(1_000 * uses[threat], han) for threat in THREATS},
        "lexicon_words": [f"{threat}:{word}" for _, threat, word in words[:MAX_LEXICON_WORDS]],
    }
