"""Splits a long document at its own headings, so that the parts joined with a line break are the document again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from factory.records import Document

MAX_PART_CHARS = 20_000
MAX_LABEL_CHARS = 40
_LONE_HEADING_SHARE = 100  # a part under a hundredth of the bound is a heading: it takes the next paragraph, however long

Heading = Callable[[str], bool]


def split_lines(lines: Sequence[str], levels: Sequence[Heading], max_chars: int = MAX_PART_CHARS) -> list[list[str]]:
    """Groups lines into parts of at most `max_chars` characters, line breaks included; a longer line stays whole.

    Cuts stand before headings of the first level; a stretch that is still too long is cut at the next level's headings,
    and at last before any line. Neighbouring stretches fill a part as far as they fit. A heading that stands directly
    below another heading stays with it.
    """
    if _size(lines) <= max_chars or len(lines) < 2:
        return [list(lines)]
    pieces: list[list[str]] = []
    for block in _blocks(lines, levels[0] if levels else None):
        pieces += [block] if _size(block) <= max_chars or len(block) == 1 else split_lines(block, levels[1:], max_chars)
    return _packed(pieces, max_chars)


def _size(lines: Sequence[str]) -> int:
    return sum(map(len, lines)) + len(lines) - 1


def _blocks(lines: Sequence[str], is_heading: Heading | None) -> list[list[str]]:
    if is_heading is None:
        return [[line] for line in lines]
    blocks: list[list[str]] = [[]]
    after_heading = True
    for line in lines:
        heading = is_heading(line)
        if heading and not after_heading:
            blocks.append([])
        blocks[-1].append(line)
        after_heading = heading
    return blocks


def _packed(pieces: list[list[str]], max_chars: int) -> list[list[str]]:
    parts: list[list[str]] = []
    size = 0
    for piece in pieces:
        length = _size(piece)
        if parts and (size + 1 + length <= max_chars or 0 < size <= max_chars // _LONE_HEADING_SHARE):
            parts[-1] += piece
            size += 1 + length
        else:
            parts.append(list(piece))
            size = length
    return parts


def split_document(
    document: Document, levels: Sequence[Heading], max_chars: int = MAX_PART_CHARS, label: Callable[[str], str] = str.strip
) -> list[Document]:
    """The document itself, or its parts: ids `<id>#1` …, `parent_id`, and the heading that a part begins with in its title.

    `label` shortens a heading for the title.
    """
    if len(document.text) <= max_chars:
        return [document]
    groups = split_lines(document.text.split("\n"), levels, max_chars)
    if len(groups) == 1:
        return [document]
    return [
        replace(
            document,
            id=f"{document.id}#{number}",
            parent_id=document.id,
            text="\n".join(lines),
            title=_title(document.title, label(lines[0])) if any(is_heading(lines[0]) for is_heading in levels) else document.title,
            metadata={**document.metadata, "part": number, "parts": len(groups)},
        )
        for number, lines in enumerate(groups, 1)
    ]


def _title(title: str | None, label: str) -> str | None:
    return title if title is None or label == title else f"{title} {label[:MAX_LABEL_CHARS]}"
