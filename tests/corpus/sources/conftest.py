"""Writing small input files, and reading them whole."""

from __future__ import annotations

import gzip
import json
import lzma
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from corpus.sources.spec import SourceSpec, open_source
from factory.records import Document, Rejected

WriteRows = Callable[..., str]
Read = Callable[..., tuple[list[Document], list[Rejected]]]


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, bytes | str], str]:
    """Writes a file, compressed as its suffix says, and gives its path."""

    def write_file(name: str, content: bytes | str) -> str:
        data = content.encode("utf-8") if isinstance(content, str) else content
        compress: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.compress, ".xz": lzma.compress, ".zst": zstandard.compress}
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(compress.get(path.suffix, bytes)(data))
        return str(path)

    return write_file


@pytest.fixture
def write_jsonl(write: Callable[[str, bytes | str], str]) -> WriteRows:
    """Writes rows as JSONL."""

    def write_rows(rows: Iterable[dict[str, Any]], name: str = "rows.jsonl") -> str:
        return write(name, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))

    return write_rows


@pytest.fixture
def write_zip(tmp_path: Path) -> Callable[..., str]:
    """Writes an archive of (name, content) members."""

    def write_archive(members: Iterable[tuple[str, bytes | str]], name: str = "members.zip") -> str:
        path = tmp_path / name
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, content in members:
                archive.writestr(member, content)
        return str(path)

    return write_archive


@pytest.fixture
def read() -> Read:
    """Reads a path as a source called `src` and parts documents from rejects."""

    def read_path(path: str, type: str, **spec: Any) -> tuple[list[Document], list[Rejected]]:
        source = open_source("src", SourceSpec.model_validate({"type": type, "paths": [path], **spec}))
        items = list(source.read(path))
        return [item for item in items if isinstance(item, Document)], [item for item in items if isinstance(item, Rejected)]

    return read_path
