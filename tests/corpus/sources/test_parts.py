"""Parts joined with a line break are the document again, whatever the headings."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from corpus.sources.parts import split_document, split_lines
from factory.records import Document

LEVELS = (lambda line: line.startswith("#") and not line.startswith("##"), lambda line: line.startswith("##"))
LINES = st.lists(st.one_of(st.text(alphabet="甲乙 ", max_size=30), st.sampled_from(["# 章", "## 節"])), min_size=1, max_size=60)


@given(LINES, st.integers(min_value=1, max_value=80))
def test_nothing_is_lost_and_only_a_single_line_is_longer(lines: list[str], max_chars: int) -> None:
    parts = split_lines(lines, LEVELS, max_chars)
    assert [line for part in parts for line in part] == lines
    assert all(len("\n".join(part)) <= max_chars or len(part) == 1 for part in parts)


@given(LINES, st.integers(min_value=1, max_value=80))
def test_the_text_comes_back(lines: list[str], max_chars: int) -> None:
    document = Document("s:1", "\n".join(lines), "s", title="名")
    parts = split_document(document, LEVELS, max_chars)
    assert "\n".join(part.text for part in parts) == document.text
    if len(parts) > 1:
        assert [part.id for part in parts] == [f"s:1#{number}" for number in range(1, len(parts) + 1)]
        assert {part.parent_id for part in parts} == {"s:1"}


def test_a_short_document_stays_itself() -> None:
    document = Document("s:1", "# 章\n甲", "s")
    assert split_document(document, LEVELS) == [document]


def test_cuts_stand_at_headings_of_the_highest_level_that_fits() -> None:
    text = ["# 一", "甲" * 10, "# 二", "乙" * 10, "## 甲節", "丙" * 10, "## 乙節", "丁" * 10]
    parts = split_lines(text, LEVELS, 20)
    assert [part[0] for part in parts] == ["# 一", "# 二", "## 甲節", "## 乙節"]


def test_neighbours_fill_a_part() -> None:
    assert split_lines(["# 一", "甲", "# 二", "乙", "# 三", "丙"], LEVELS, 11) == [["# 一", "甲", "# 二", "乙"], ["# 三", "丙"]]


def test_a_heading_stays_with_the_heading_below_it() -> None:
    parts = split_lines(["甲" * 10, "# 編", "# 章", "乙" * 10], LEVELS, 18)
    assert parts == [["甲" * 10], ["# 編", "# 章", "乙" * 10]]


def test_a_heading_is_no_part_of_its_own() -> None:
    assert split_lines(["# 一", "甲" * 900, "乙" * 900], LEVELS, 800) == [["# 一", "甲" * 900], ["乙" * 900]]


def test_the_heading_of_a_part_is_in_its_title() -> None:
    document = Document("s:1", "# 一\n" + "甲" * 10 + "\n# 二\n" + "乙" * 10 + "\n" + "丙" * 10, "s", title="名")
    assert [part.title for part in split_document(document, LEVELS, 15)] == ["名 # 一", "名 # 二", "名"]
