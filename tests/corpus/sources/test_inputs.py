"""ZIP archives are hostile: what is refused is said, what is safe is read, and nothing is written to disk."""

from __future__ import annotations

import io
import os
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from corpus.sources import inputs
from corpus.sources.inputs import InputError, InputFile, files_in, read_text
from factory.records import Rejected

Zip = Callable[..., str]
ROW = '{"text": "甲"}\n'


def test_a_plain_file_is_itself(write: Callable[[str, str], str]) -> None:
    path = write("a/b.jsonl.gz", ROW)
    (file,) = files_in(path)
    assert isinstance(file, InputFile)
    assert (file.layout, file.stem, file.locator(), file.locator("line 2")) == (".jsonl", "b", "file", "line 2")


@pytest.mark.parametrize(
    "name", ["../evil.jsonl", "a/../../evil.jsonl", "/etc/evil.jsonl", "C:\\evil.jsonl", "..\\evil.jsonl", "\\evil.jsonl"]
)
def test_traversal_members_are_refused_and_the_rest_is_read(write_zip: Zip, tmp_path: Path, name: str) -> None:
    path = write_zip([(name, ROW), ("good.jsonl", ROW)])
    before = sorted(os.listdir(tmp_path))
    bad, good = files_in(path)
    assert isinstance(bad, Rejected) and "unsafe member path" in bad.error and bad.locator.startswith("member ")
    assert isinstance(good, InputFile) and good.name == "good.jsonl"
    assert sorted(os.listdir(tmp_path)) == before


@pytest.mark.parametrize("name", ["inner.zip", "inner.tar", "inner.jsonl.gz", "INNER.7Z"])
def test_nested_archives_are_refused(write_zip: Zip, name: str) -> None:
    (bad,) = files_in(write_zip([(name, b"PK")]))
    assert isinstance(bad, Rejected) and "archive" in bad.error


def test_encrypted_members_are_refused(write_zip: Zip) -> None:
    path = Path(write_zip([("a.jsonl", ROW)]))
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1
    path.write_bytes(content)
    (bad,) = files_in(str(path))
    assert isinstance(bad, Rejected) and "encrypted" in bad.error


def test_links_are_refused(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("link.jsonl")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "l.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    (bad,) = files_in(str(tmp_path / "l.zip"))
    assert isinstance(bad, Rejected) and "symbolic link" in bad.error


def test_bombs_are_refused_by_their_size(write_zip: Zip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "MAX_MEMBER_BYTES", 1000)
    monkeypatch.setattr(inputs, "MAX_ARCHIVE_BYTES", 1500)
    members = list(files_in(write_zip([("big.jsonl", b"0" * 1001), ("a.jsonl", b"0" * 900), ("b.jsonl", b"0" * 900)])))
    assert [isinstance(member, Rejected) for member in members] == [True, False, True]


def test_a_member_that_lies_about_its_size_gives_no_more_than_it_states(tmp_path: Path) -> None:
    path = tmp_path / "liar.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jsonl", b" " * 100_000)
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        start = content.index(signature) + offset
        content[start : start + 4] = (10).to_bytes(4, "little")
    path.write_bytes(content)
    for file in files_in(str(path)):
        assert isinstance(file, InputFile)
        with pytest.raises(zipfile.BadZipFile), file.open() as stream:
            assert len(stream.read()) <= 10


def test_a_cut_archive_and_an_empty_one_are_one_reject(write_zip: Zip, tmp_path: Path) -> None:
    path = Path(write_zip([("a.jsonl", ROW)]))
    path.write_bytes(path.read_bytes()[:-30])
    (cut,) = files_in(str(path))
    assert isinstance(cut, Rejected) and cut.locator == "file" and "BadZipFile" in cut.error
    (tmp_path / "empty.zip").write_bytes(b"")
    (empty,) = files_in(str(tmp_path / "empty.zip"))
    assert isinstance(empty, Rejected) and (empty.locator, empty.error) == ("file", "empty file")
    (none,) = files_in(write_zip([], "none.zip"))
    assert isinstance(none, Rejected) and "no members" in none.error


def test_a_missing_file_is_one_reject(tmp_path: Path) -> None:
    (bad,) = files_in(str(tmp_path / "none.zip"))
    assert isinstance(bad, Rejected) and "FileNotFoundError" in bad.error


def _file(content: bytes) -> InputFile:
    return InputFile("a.txt", "a.txt", False, lambda: io.BytesIO(content))


def test_read_text_normalises_line_ends_and_drops_the_mark() -> None:
    assert read_text(_file(b"\xef\xbb\xbf" + "甲\r\n乙\r丙".encode())) == "甲\n乙\n丙"


@pytest.mark.parametrize(("content", "error"), [(b"", "empty file"), (b"\xa4\xa4\xa4\xe5", "invalid UTF-8")])
def test_read_text_says_what_is_wrong(content: bytes, error: str) -> None:
    with pytest.raises(InputError, match=error):
        read_text(_file(content))


def test_read_text_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "MAX_TEXT_BYTES", 10)
    with pytest.raises(InputError, match="over 10 bytes"):
        read_text(_file(b"0" * 11))


def test_a_member_without_a_name_is_rejected(write_zip: Callable[..., str]) -> None:
    """Found by fuzzing: zipfile's is_dir() raises IndexError for it."""
    path = Path(write_zip([("x.txt", "a"), ("qq", "")]))
    path.write_bytes(path.read_bytes().replace(b"qq", b"\0q"))  # zipfile reads the name up to the NUL
    items = list(files_in(str(path)))
    assert [isinstance(item, Rejected) for item in items] == [False, True]
    assert "unsafe member path" in items[1].error
