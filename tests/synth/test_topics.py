"""The map of topics: the same each time, discs apart and inside, every row counted once."""

from __future__ import annotations

import math
from itertools import combinations

from synth.seeds import bundled_paths, load
from synth.topics import HEIGHT, WIDTH, topics


def test_a_map_of_the_seeds() -> None:
    seeds = load(bundled_paths())
    texts, categories = [seed.question + seed.answer for seed in seeds], [seed.category for seed in seeds]
    found = topics(texts, categories, texts[:30], 7)
    assert found == topics(texts, categories, texts[:30], 7)
    assert sum(topic.rows for topic in found) == 100 and sum(topic.seeds for topic in found) == 30
    assert all(len(topic.terms) == 3 and topic.category in categories for topic in found if topic.rows)
    for one, other in combinations(found, 2):
        assert math.hypot(one.x - other.x, one.y - other.y) > 0.9 * (one.radius + other.radius)
    assert all(0 < topic.x < WIDTH and 0 < topic.y < HEIGHT for topic in found)


def test_few_rows_or_no_words_have_no_map() -> None:
    assert topics(["短"] * 3, ["code"] * 3, [], 1) == []
    assert topics(["a b c"] * 40, ["code"] * 40, [], 1) == []
