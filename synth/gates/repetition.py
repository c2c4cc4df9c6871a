"""Answers that go round in circles."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from typing import Any

import numba
import numpy as np

from synth.gates.circling import circling
from synth.gates.objection import Objection, Rejection, Texts
from synth.gates.prose import sentences, without_code

# Measured on benchmarks/gate_cases and 12,000 paragraphs of real text, 2026-11-30; counts are letters unless another unit is named.
LEAST_RUN, LEAST_MARKS, LEAST_DIGITS = 10, 12, 30  # the same letter, mark, digit in a row
LOOPS = ((4.0, 2, 12), (2.9, 3, 18), (2.0, 20, 40))  # copies in a row, of a unit of at least so many, together
LOOPS_WITHOUT_NUMBERS = ((3.9, 8, 36),)  # a list in which only numbers differ
LOOPS_OF_CODE = ((2.9, 6, 36),)  # characters
LOOPS_WANTED = ((5.0, 2, 36),)  # where the question asks for what repeats: a song, a tongue twister
SENTENCES, CLAUSES, LINES_OF_CODE = ((8, 3), (4, 3)), ((6, 4), (4, 5)), ((5, 4),)  # of at least so many letters, so often
LEAST_HALF = 10  # of a text that is the same text twice
COUNTED_SHARE = 0.2  # of all letters that these take
LEAST_ALIKE, ALIKE, ALIKE_SENTENCES = 5, 0.72, 3  # sentences that share so much of their letters with another
SHORT_ALIKE, ALIKE_SHORT_SENTENCES = 9, 4  # below so many letters, so many
LATIN_LETTERS_A_HAN = 2  # of what makes a clause
LONG_ALIKE, PAIR_ALIKE = 24, 0.92  # of two long sentences that share so much, one is enough
SUMMARIES = 3  # sentences that sum up
LEAST_DISTINCT = (
    (24, 0.45),
    (50, 0.62),
    (120, 0.62),
    (250, 0.45),
    (1_000, 0.3),
    (8_000, 0.2),
)  # different pairs of Han and numbers, by length
LEAST_WORD, WORD_SHARE = 6, 0.34  # one pair of letters, so often, and so much of all

_WANTED = re.compile(
    r"繞口令|童謠|兒歌|歌|詩|口號|口令|疊|重複|反覆|迴文|饒舌|rap|數羊|數到|廣播|唸.{0,2}次|順口溜|咒語|排比|回文|呼應|應援|對聯",
    re.IGNORECASE,
)
_MARKS = re.compile(rf"([^\w\s\-=_*#.…·—~～|+/\\<>])\1{{{LEAST_MARKS - 1},}}")
_DIGITS = re.compile(rf"(\d{{1,6}}?)\1{{{LEAST_DIGITS - 1},}}")
_NUMBERS = re.compile(r"[\d一二三四五六七八九十百]+")
_CODE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_TOKEN = re.compile(r"[\u3400-\u9fff\U00020000-\U000323af]|\d+")
_SUMMARY = re.compile(
    r"總而言之|總結(?:來說|而言|一下|，|：)|總的來說|綜上所述|綜合(?:來說|以上)|總之|歸納來說|最後，|整體(?:來說|而言)|簡(?:而言之|單來說)"
)
_CLAUSE = re.compile(r"[^，,、。！？!?；;：:\n|]+")


def repetition(texts: Texts) -> Objection | None:
    """Objects to loops of letters, clauses and sentences, and to texts that say one thing over and over; cost about 0.3 ms."""
    wanted = bool(_WANTED.search("\n".join(texts.questions)))
    for number, text in enumerate(texts.answers):
        question = texts.questions[number] if number < len(texts.questions) else ""
        seen = (
            _marks(text)
            or (_code(text) if texts.category == "code" or "```" in text else None)
            or _prose(without_code(text), texts, wanted)
            or (None if wanted else circling(text, question, texts.category))
        )
        if seen:
            return Objection(Rejection.REPETITION, seen[:60])
    return None


def _marks(text: str) -> str | None:
    found = _MARKS.search(text) or (_DIGITS.search(text) if "0" * LEAST_DIGITS not in text else None)
    return found[0] if found else None


def _code(text: str) -> str | None:
    blocks = "\n".join(_CODE.findall(text)) or text
    return _loop("".join(blocks.split()), LOOPS_OF_CODE, distinct=3) or _counted(blocks.split("\n"), LINES_OF_CODE, lines=True)


def _prose(text: str, texts: Texts, wanted: bool) -> str | None:
    letters = "".join(filter(str.isalnum, text))
    if wanted:
        return _loop(letters, LOOPS_WANTED)
    if texts.category == "code":
        return None
    said = sentences(text)
    without_numbers = _NUMBERS.sub("", letters)
    half = len(letters) // 2
    if half >= LEAST_HALF and letters[:half] == letters[half:]:
        return f"2 times {letters[:half]}"
    return (
        _run(letters)
        or _loop(letters, LOOPS)
        or _loop(without_numbers, LOOPS_WITHOUT_NUMBERS)
        or _counted(said, SENTENCES)
        or _counted(_CLAUSE.findall(text), CLAUSES)
        or _alike([part for part in said if not part.isascii()])
        or _few(text)
    )


def _run(letters: str) -> str | None:
    found = re.search(rf"([^\W\d_])\1{{{LEAST_RUN - 1},}}", letters)
    return found[0] if found else None


def _loop(text: str, limits: tuple[tuple[float, int, int], ...], distinct: int = 1) -> str | None:
    """The unit of the first loop: copies in a row, unit and whole at least as long as one of the limits says."""
    if len(text) < min(whole for _, _, whole in limits):
        return None
    runs, ends = _runs(np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32), min(len(text) // 2, 400))
    for lag in range(1, len(runs)):
        whole = int(runs[lag]) + lag
        for copies, least, together in limits:
            if runs[lag] and whole >= copies * lag and lag >= least and whole >= together:
                unit = text[int(ends[lag]) - lag : int(ends[lag])]
                if len(set(unit)) >= distinct and not unit.isdigit():
                    return f"{whole / lag:.0f} times {unit}"
    return None


@numba.njit(cache=True, nogil=True)
def _runs(codes: Any, most: int) -> Any:
    """For each lag the longest run of characters that equal the one a lag before, and where that run ends."""
    runs, ends = np.zeros(most + 1, np.int64), np.zeros(most + 1, np.int64)
    for lag in range(1, most + 1):
        run = 0
        for position in range(lag, codes.size):
            run = run + 1 if codes[position] == codes[position - lag] else 0
            if run > runs[lag]:
                runs[lag], ends[lag] = run, position + 1
    return runs, ends


def _counted(parts: list[str], limits: tuple[tuple[int, int], ...], lines: bool = False) -> str | None:
    """A part that comes back so often that it takes a good share of all; numbers do not make a difference, but in lines of code."""
    bare = ["".join(filter(str.isalnum, part)) for part in parts]
    count = Counter(bare if lines else [_NUMBERS.sub("", part) for part in bare])
    total = sum(len(part) * times for part, times in count.items())
    back = {
        part: times
        for part, times in count.items()
        if any(
            len(part) >= least * (LATIN_LETTERS_A_HAN if part.isascii() and not lines else 1) and times >= often for least, often in limits
        )
    }
    if back and sum(len(part) * times for part, times in back.items()) >= (2 if lines else 1) * COUNTED_SHARE * total:
        part = max(back, key=lambda part: len(part) * back[part])
        return f"{back[part]} times {part}"
    return None


def _alike(parts: list[str]) -> str | None:
    """A sentence that has most of its letters in common with others: the same said again in other words."""
    summaries = [part for part in parts if _SUMMARY.match(part)]
    if len(summaries) >= SUMMARIES:
        return f"{len(summaries)} sentences sum up"
    bags = [Counter(filter(str.isalnum, part)) for part in parts]
    bags = [bag for bag in bags if bag.total() >= LEAST_ALIKE][:60]
    for number, bag in enumerate(bags):
        shares = [2 * (bag & other).total() / (bag.total() + other.total()) for other in bags[number + 1 :]]
        alike = 1 + sum(share >= ALIKE for share in shares)
        if alike >= (ALIKE_SENTENCES if bag.total() >= SHORT_ALIKE else ALIKE_SHORT_SENTENCES) and 2 * alike >= len(bags):
            return f"{alike} sentences alike: {''.join(bag)[:20]}"
        if bag.total() >= LONG_ALIKE and max(shares, default=0.0) >= PAIR_ALIKE:
            return f"two sentences alike: {''.join(bag)[:20]}"
    return None


def _few(text: str) -> str | None:
    """Too few different pairs of letters for the length."""
    letters = _TOKEN.findall(text)
    pairs = [first + second for first, second in pairwise(letters)]
    lengths, shares = zip(*LEAST_DISTINCT, strict=True)
    if len(letters) < lengths[0]:
        return None
    share = len(set(pairs)) / len(pairs)
    if share < float(np.interp(len(letters), lengths, shares)):
        return f"{share:.0%} of the pairs of letters are different"
    pair, times = Counter(pairs).most_common(1)[0]
    return f"{times} times {pair}" if times >= LEAST_WORD and 2 * times >= WORD_SHARE * len(letters) else None
