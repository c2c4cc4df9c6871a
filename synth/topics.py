"""What rows are about: topics of words that stand together, as a map. Same rows, same map.

Words (jieba's) weighted by TF-IDF, reduced by a truncated SVD (Deerwester et al. 1990, latent semantic analysis), grouped by k-means; the
places are the first two principal axes of the topics, pushed apart until no two discs overlap.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

TOPICS, AXES = 18, 50
LEAST_ROWS = 12  # fewer have no topics to speak of
LEAST_LETTERS = 2  # of a word
TERMS = 3
WIDTH, HEIGHT = 960, 540  # of the map
STEPS = 400  # of pushing apart


class Topic(NamedTuple):
    """One disc: its place and radius in units of the map, its words, and how many rows and seeds it holds."""

    x: float
    y: float
    radius: float
    terms: list[str]
    rows: int
    seeds: int
    category: str  # that most of its rows are of


def topics(texts: Sequence[str], categories: Sequence[str], seeds: Sequence[str], seed: int) -> list[Topic]:
    """The topics of rows and seeds together, largest first; none below LEAST_ROWS rows. About 1 s for 2,000 texts."""
    if len(texts) < LEAST_ROWS:
        return []
    import numpy as np
    from sklearn.cluster import KMeans
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.preprocessing import normalize
    from threadpoolctl import threadpool_limits

    from factory.zh import wordlists
    from factory.zh.segment import words

    stop = {row[0] for row in wordlists.read_rows(wordlists.DATA / "stopwords.txt")}

    def cut(text: str) -> list[str]:
        return [word for word in words(text) if len(word) >= LEAST_LETTERS and word not in stop and not word.isascii() and word.isalnum()]

    every = [*texts, *seeds]
    vectoriser = TfidfVectorizer(analyzer=cut, min_df=2, max_df=0.3, sublinear_tf=True)
    with threadpool_limits(1):  # sums in one order
        try:
            weights = vectoriser.fit_transform(every)
        except ValueError:  # no word stands in two rows
            return []
        axes = min(AXES, weights.shape[1] - 1, len(every) - 1)
        if axes < 2:
            return []
        reduced = normalize(TruncatedSVD(axes, random_state=seed).fit_transform(weights))
        groups = KMeans(min(TOPICS, max(2, len(every) // 8)), n_init=4, random_state=seed).fit(reduced)
        centres = groups.cluster_centers_ - groups.cluster_centers_.mean(axis=0)
        _, _, directions = np.linalg.svd(centres, full_matrices=False)
    names = vectoriser.get_feature_names_out()
    flat = centres @ directions[:2].T
    flat /= np.abs(flat).max(axis=0).clip(1e-9)
    found = []
    for group in range(len(centres)):
        members = np.flatnonzero(groups.labels_ == group)
        mine = [int(number) for number in members if number < len(texts)]
        heavy = np.asarray(weights[members].mean(axis=0)).ravel()
        terms = [str(names[place]) for place in np.lexsort((np.arange(len(heavy)), -heavy))[:TERMS]]
        counted = sorted(
            ((sum(categories[number] == name for number in mine), name) for name in {categories[n] for n in mine}), reverse=True
        )
        place = (WIDTH * (0.5 + 0.42 * float(flat[group][0])), HEIGHT * (0.5 + 0.4 * float(flat[group][1])))
        found.append(Topic(*place, 0.0, terms, len(mine), len(members) - len(mine), counted[0][1] if counted else ""))
    return _apart(sorted(found, key=lambda topic: (-topic.rows, topic.terms)))


def _apart(found: list[Topic]) -> list[Topic]:
    """Discs of an area in proportion to their rows and seeds, a third of the map in all, pushed apart and kept inside."""
    whole = sum(topic.rows + topic.seeds for topic in found)
    radii = [max(16.0, math.sqrt(0.28 * WIDTH * HEIGHT * (topic.rows + topic.seeds) / whole / math.pi)) for topic in found]
    places = [[topic.x, topic.y] for topic in found]
    for _ in range(STEPS):
        for one in range(len(found)):
            for other in range(one):
                across, down = places[one][0] - places[other][0], places[one][1] - places[other][1]
                apart = math.hypot(across, down) or 1e-6
                wanted = radii[one] + radii[other] + 6
                if apart < wanted:
                    push = (wanted - apart) / 2 / apart
                    for place, sign in ((places[one], 1), (places[other], -1)):
                        place[0] += sign * across * push
                        place[1] += sign * down * push
        for place, radius in zip(places, radii, strict=True):
            place[0] = min(max(place[0], radius + 2), WIDTH - radius - 2)
            place[1] = min(max(place[1], radius + 2), HEIGHT - radius - 2)
    return [
        topic._replace(x=round(place[0], 1), y=round(place[1], 1), radius=round(radius, 1))
        for topic, place, radius in zip(found, places, radii, strict=True)
    ]
