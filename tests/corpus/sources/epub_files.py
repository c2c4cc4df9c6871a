"""EPUB archives for tests, written from strings."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

CONTAINER = (
    '<?xml version="1.0"?><container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="{}" media-type="application/oebps-package+xml"/></rootfiles></container>'
)
METADATA = (
    "<dc:title>渡船頭的燈</dc:title><dc:creator>測試作者甲</dc:creator><dc:creator>測試作者乙</dc:creator><dc:publisher>測試出版社</dc:publisher>"
    '<dc:language>zh-TW</dc:language><dc:date>2021-05-06</dc:date><dc:identifier id="bid">urn:isbn:9780000000002</dc:identifier>'
)
RIGHTS = "holder: 測試作者甲\nlicense: proprietary\ncontract_id: K-2026-001\nshare: 0.6\npermitted_use: [training, evaluation]\n"


def page(body: str, head: str = "<title>頁</title>") -> str:
    """An XHTML page."""
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE html>\n<html xmlns="http://www.w3.org/1999/xhtml" '
        f'xmlns:epub="http://www.idpf.org/2007/ops"><head>{head}</head><body>{body}</body></html>'
    )


def package(hrefs: Iterable[str], extra_items: str = "", extra_spine: str = "", guide: str = "", metadata: str = METADATA) -> str:
    """A package document whose spine names `hrefs` in order."""
    names = list(hrefs)
    items = "".join(f'<item id="i{n}" href="{href}" media-type="application/xhtml+xml"/>' for n, href in enumerate(names))
    spine = "".join(f'<itemref idref="i{n}"/>' for n in range(len(names)))
    return (
        '<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" xmlns:opf="http://www.idpf.org/2007/opf" version="3.0" '
        f'unique-identifier="bid"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/">{metadata}</metadata>'
        f"<manifest>{items}{extra_items}</manifest><spine>{spine}{extra_spine}</spine><guide>{guide}</guide></package>"
    )


def write_epub(
    path: Path, pages: Mapping[str, str | bytes], members: Iterable[tuple[str | zipfile.ZipInfo, str | bytes]] = (), **changes: str
) -> str:
    """Writes an archive: `pages` by their href from OEBPS/, further `members`; `changes`: mimetype, container, opf (empty: left out)."""
    parts = {
        "mimetype": changes.get("mimetype", "application/epub+zip"),
        "META-INF/container.xml": changes.get("container", CONTAINER.format("OEBPS/book.opf")),
        "OEBPS/book.opf": changes.get("opf", package(pages)),
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            if content:
                archive.writestr(name, content)
        for name, page_content in pages.items():
            archive.writestr(f"OEBPS/{name}", page_content)
        for member, content in members:
            archive.writestr(member, content)
    return str(path)
