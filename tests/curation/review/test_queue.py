"""The queue: what comes first, who sees it, and on which side it stands."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from curation.review import queue
from curation.review.queue import Signals

names = st.lists(st.text("0123456789abcdef", min_size=1, max_size=8), min_size=1, max_size=60, unique=True)


def test_priority_by_hand() -> None:
    signals = {
        "split": Signals("a", (1.0, 0.0), (4, 4, 4, 4)),  # disagreement 1, uncertainty (1 + 0) / 2
        "sure": Signals("a", (1.0, 1.0), (5, 5, 5, 5)),  # 0, (0 + 0) / 2
        "rare": Signals("b", (1.0,), ()),  # 0, nothing judged: 0.5, the only one of its category
        "wide": Signals("a", (1.0, 0.5), (1, 5, 1, 5)),  # variance 1/16 of 1/4 at most, mean 3 on the line, spread 1
    }
    common = 100 * queue.WEIGHT_RARITY * queue.rarity(3, 4)
    assert queue.rarity(1, 4) == 1.0
    assert queue.priorities(signals) == {
        "split": round(45 + 17.5 + common, 2),
        "sure": round(common, 2),
        "rare": 17.5 + 20.0,
        "wide": round(45 * 0.25 + 35 + common, 2),
    }
    assert queue.ordered(queue.priorities(signals), 1)[:2] == ["split", "wide"]


def test_rarity_falls_with_the_count_and_is_nothing_alone() -> None:
    assert queue.rarity(1, 100) == 1.0 and queue.rarity(100, 100) == 0.0
    assert queue.rarity(1, 1) == 0.0
    values = [queue.rarity(count, 100) for count in range(1, 101)]
    assert values == sorted(values, reverse=True)


@given(names, st.floats(0, 1))
def test_overlap_is_the_share_whatever_the_order(listed: list[str], share: float) -> None:
    found = queue.shared(listed, share, 7)
    assert len(found) == round(share * len(listed)) and found <= set(listed)
    assert found == queue.shared(listed[::-1], share, 7)


@given(names)
def test_equal_priorities_come_in_an_order_that_the_input_does_not_show(listed: list[str]) -> None:
    equal = dict.fromkeys(listed, 1.0)
    assert queue.ordered(equal, 3) == queue.ordered(dict.fromkeys(listed[::-1], 1.0), 3)


def test_draws_are_even_and_independent() -> None:
    listed = [f"{number:024x}" for number in range(3_000)]
    swapped = [name for name in listed if queue.is_swapped(name, 1)]
    assert 1_400 < len(swapped) < 1_600
    lanes = [queue.lane(name, 3, 1) for name in swapped]  # the side says nothing of the lane
    assert all(420 < lanes.count(lane) < 580 for lane in ("1", "2", "3"))
    assert {queue.lane(name, 1, 1) for name in listed} == {"1"}
    assert [queue.draw(name, "swap", 1) for name in listed[:3]] != [queue.draw(name, "swap", 2) for name in listed[:3]]


def test_gold_takes_the_priority_of_some_record() -> None:
    found = {queue.hidden_priority(f"{number}", [1.0, 2.0, 3.0], 1) for number in range(50)}
    assert found == {1.0, 2.0, 3.0}
    assert queue.hidden_priority("x", [], 1) == 50.0
