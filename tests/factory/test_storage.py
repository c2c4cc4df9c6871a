"""Reading never ends early in silence, and a file has its name only when all of it is stored."""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import fsspec
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from factory import storage
from factory.errors import UserError

LINES = b"".join(b"%d \xe5\x8f\xb0\xe7\x81\xa3\n" % number for number in range(3_000))


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


COMPRESS: dict[str, Callable[[bytes], bytes]] = {".zst": zstd, ".gz": gzip.compress, ".xz": lzma.compress}


def read(path: Path) -> bytes:
    with storage.open_binary(str(path)) as stream:
        return stream.read()


@pytest.mark.parametrize(
    ("path", "suffix", "stem"),
    [
        ("a.jsonl", ".jsonl", "a"),
        ("a.jsonl.zst", ".jsonl", "a"),
        ("folder.d/News.v1.JSONL.GZ", ".jsonl", "News.v1"),
        ("s3://bucket/x/2026-01.json.xz", ".json", "2026-01"),
        ("a.zip", ".zip", "a"),
        ("a.zip.gz", ".zip", "a"),
        ("a.zst", "", "a"),
        ("folder.d/README", "", "README"),
        ("C:\\texts\\ptt.json", ".json", "ptt"),
        ("台灣.txt", ".txt", "台灣"),
    ],
)
def test_layout_and_stem_of_a_name(path: str, suffix: str, stem: str) -> None:
    assert (storage.bare_suffix(path), storage.stem(path)) == (suffix, stem)


@pytest.mark.parametrize("suffix", COMPRESS)
@pytest.mark.parametrize("upper", [False, True])
def test_every_compression_is_read(tmp_path: Path, suffix: str, upper: bool) -> None:
    path = tmp_path / f"a.jsonl{suffix.upper() if upper else suffix}"
    path.write_bytes(COMPRESS[suffix](LINES))
    assert read(path) == LINES


def test_a_file_without_compression_is_read_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(LINES)
    assert read(tmp_path / "a.jsonl") == LINES


@pytest.mark.parametrize("suffix", COMPRESS)
def test_all_frames_of_a_file_are_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(COMPRESS[suffix](LINES) + COMPRESS[suffix](b"") + COMPRESS[suffix](b"last\n"))
    assert read(path) == LINES + b"last\n"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=40_000), max_size=6), st.lists(st.integers(1, 70_000), min_size=1, max_size=5))
def test_zstd_frames_read_in_any_steps_are_the_plain_bytes(frames: list[bytes], steps: list[int]) -> None:
    with fsspec.open("memory://frames.zst", "wb") as stream:
        stream.write(b"".join(map(zstd, frames)))
    plain = io.BytesIO(b"".join(frames))
    with storage.open_binary("memory://frames.zst") as stream:
        for step in steps:
            assert stream.read(step) == plain.read(step)
        assert stream.read() == plain.read()


def test_lines_across_zstd_frames_stay_whole(tmp_path: Path) -> None:
    half = len(LINES) // 2 + 3
    (tmp_path / "a.zst").write_bytes(zstd(LINES[:half]) + zstd(LINES[half:]))
    with storage.open_binary(str(tmp_path / "a.zst")) as stream:
        assert list(stream) == LINES.splitlines(keepends=True)


def test_skippable_zstd_frames_are_skipped(tmp_path: Path) -> None:
    index = struct.pack("<II", 0x184D2A5E, 6) + b"ignore"
    (tmp_path / "a.zst").write_bytes(index + zstd(LINES) + index)
    assert read(tmp_path / "a.zst") == LINES


@pytest.mark.parametrize("suffix", COMPRESS)
def test_a_cut_file_never_ends_quietly(tmp_path: Path, suffix: str) -> None:
    whole = COMPRESS[suffix](LINES[:2_000])
    path = tmp_path / f"a{suffix}"
    quiet = []
    for length in range(1, len(whole)):
        path.write_bytes(whole[:length])
        try:
            read(path)
        except storage.READ_ERRORS as error:
            assert length < 2 or isinstance(error, EOFError)
        else:
            quiet.append(length)
    assert quiet == []


@pytest.mark.parametrize("suffix", COMPRESS)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_file_cut_in_its_second_frame_raises_after_the_first(tmp_path: Path, suffix: str, share: float) -> None:
    first, second = COMPRESS[suffix](b"first\n"), COMPRESS[suffix](LINES)
    path = tmp_path / f"a{suffix}"
    path.write_bytes(first + second[: int(len(second) * share)])
    with storage.open_binary(str(path)) as stream:
        assert stream.read(6) == b"first\n"
        with pytest.raises(EOFError):
            stream.read()


@pytest.mark.parametrize("suffix", [".zst", ".gz"])
def test_what_follows_the_last_frame_raises(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(COMPRESS[suffix](LINES) + b"no frame")
    with pytest.raises(storage.READ_ERRORS):
        read(path)


@pytest.mark.parametrize("suffix", COMPRESS)
def test_text_under_a_compressed_name_raises(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"a{suffix}").write_bytes(LINES)
    with pytest.raises(storage.READ_ERRORS):
        read(tmp_path / f"a{suffix}")


@pytest.mark.parametrize("suffix", COMPRESS)
def test_a_flipped_byte_in_the_checksum_raises(tmp_path: Path, suffix: str) -> None:
    whole = zstandard.ZstdCompressor(write_checksum=True).compress(LINES) if suffix == ".zst" else COMPRESS[suffix](LINES)
    position = -1 if suffix == ".zst" else -8 if suffix == ".gz" else len(whole) // 2
    damaged = bytearray(whole)
    damaged[position] ^= 0xFF
    (tmp_path / f"a{suffix}").write_bytes(damaged)
    with pytest.raises(storage.READ_ERRORS):
        read(tmp_path / f"a{suffix}")


def test_an_absent_file_raises_an_error_that_readers_catch(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "absent.zst")
    assert issubclass(FileNotFoundError, storage.READ_ERRORS)


def test_a_small_zstd_file_that_expands_to_much_is_read_whole_in_pieces(tmp_path: Path) -> None:
    size = 256 << 20
    compressor = zstandard.ZstdCompressor().compressobj()
    blank = bytes(1 << 20)
    with open(tmp_path / "a.zst", "wb") as stream:
        for _ in range(size >> 20):
            stream.write(compressor.compress(blank))
        stream.write(compressor.flush())
    total = 0
    with storage.open_binary(str(tmp_path / "a.zst")) as opened:
        while piece := opened.read(1 << 20):
            total += len(piece)
    assert total == size


@pytest.mark.parametrize("suffix", COMPRESS)
def test_expansion_is_plain_bytes_a_stored_byte(suffix: str) -> None:
    whole = COMPRESS[suffix](LINES)
    assert storage.expansion(f"a{suffix}", whole) == pytest.approx(len(LINES) / len(whole), rel=0.02)


@pytest.mark.parametrize("suffix", COMPRESS)
def test_expansion_of_many_small_frames_is_that_of_one(suffix: str) -> None:
    frame = COMPRESS[suffix](LINES)
    assert storage.expansion(f"a{suffix}", frame * 20) == pytest.approx(len(LINES) / len(frame))


@pytest.mark.parametrize("suffix", COMPRESS)
@pytest.mark.parametrize("head", [b"", b"no compression at all", LINES])
def test_expansion_of_damaged_or_absent_bytes_is_one(suffix: str, head: bytes) -> None:
    assert storage.expansion(f"a{suffix}", head) == 1.0


def test_expansion_is_never_below_one() -> None:
    noise = hashlib.shake_256(b"seed").digest(5_000)
    assert storage.expansion("a.gz", gzip.compress(noise)) == 1.0


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("b.jsonl", "a.jsonl", "deep/c.jsonl", "deep/deeper/d.txt", "報導[全].jsonl"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name, encoding="utf-8")
    (tmp_path / "empty.jsonl").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("a.jsonl", ["a.jsonl"]),
        ("*.jsonl", ["a.jsonl", "b.jsonl", "報導[全].jsonl"]),
        ("?.jsonl", ["a.jsonl", "b.jsonl"]),
        ("[b-z].jsonl", ["b.jsonl"]),
        ("**/*.jsonl", ["a.jsonl", "b.jsonl", "deep/c.jsonl", "報導[全].jsonl"]),
        ("deep", ["deep/c.jsonl", "deep/deeper/d.txt"]),
        ("deep/", ["deep/c.jsonl", "deep/deeper/d.txt"]),
        ("報導[全].jsonl", ["報導[全].jsonl"]),
        ("empty.jsonl", []),
        ("absent.jsonl", []),
        ("absent/*.jsonl", []),
    ],
)
def test_files_of_a_path_a_folder_or_a_glob_are_listed_in_order(tree: Path, pattern: str, names: list[str]) -> None:
    assert storage.list_files(f"{tree}/{pattern}") == [f"{tree}/{name}" for name in names]


def test_a_relative_path_is_listed(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree)
    assert [Path(name) for name in storage.list_files("deep/*.jsonl")] == [tree / "deep" / "c.jsonl"]


@pytest.mark.parametrize("pattern", ["", "/**", "/**/*.jsonl"])
def test_links_to_folders_are_not_followed_and_links_to_files_are_files(tree: Path, pattern: str) -> None:
    (tree / "deep" / "loop").symlink_to(tree)
    (tree / "deep" / "link.jsonl").symlink_to(tree / "a.jsonl")
    (tree / "deep" / "broken.jsonl").symlink_to("nowhere")
    found = [name.removeprefix(f"{tree}/") for name in storage.list_files(f"{tree}{pattern}")]
    expected = ["a.jsonl", "b.jsonl", "deep/broken.jsonl", "deep/c.jsonl", "deep/deeper/d.txt", "deep/link.jsonl", "報導[全].jsonl"]
    assert found == [name for name in expected if pattern != "/**/*.jsonl" or name.endswith(".jsonl")]


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[str]:
    yield f"memory://{tmp_path.name}"
    fs = fsspec.filesystem("memory")
    if fs.exists(f"/{tmp_path.name}"):
        fs.rm(f"/{tmp_path.name}", recursive=True)


def test_remote_files_are_written_listed_measured_and_opened(remote: str) -> None:
    storage.atomic_write(f"{remote}/b.jsonl.zst", lambda stream: stream.write(zstd(LINES)))
    storage.atomic_write_text(f"{remote}/deep/a.txt", "台灣")
    for pattern in ("", "/*.zst", "/b.jsonl.zst", "/**/*.zst"):
        found = storage.list_files(remote + pattern)
        assert [name.rsplit("/", 1)[-1] for name in found if name.endswith(".zst")] == ["b.jsonl.zst"]
        assert all(name.startswith("memory://") for name in found)
    assert len(storage.list_files(remote)) == 2
    first = storage.list_files(remote)[0]
    with storage.open_binary(first) as stream:
        assert stream.read() == LINES
    assert storage.file_size(first) == len(zstd(LINES))
    assert storage.sha256_file(f"{remote}/deep/a.txt") == hashlib.sha256("台灣".encode()).hexdigest()
    assert storage.list_files(f"{remote}/absent*") == []


def fail_after_some_bytes(stream: IO[bytes]) -> None:
    stream.write(b"half of it")
    stream.flush()
    raise ZeroDivisionError


def test_a_failing_writer_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        storage.atomic_write(str(tmp_path / "new" / "a.txt"), fail_after_some_bytes)
    assert list((tmp_path / "new").iterdir()) == []


def test_a_failing_writer_leaves_nothing_behind_remotely(remote: str) -> None:
    with pytest.raises(ZeroDivisionError):
        storage.atomic_write(f"{remote}/a.txt", fail_after_some_bytes)
    assert storage.file_size(f"{remote}/a.txt") is None


@pytest.mark.parametrize("place", ["local", "remote"])
def test_a_failing_writer_leaves_the_old_file_as_it_was(tmp_path: Path, remote: str, place: str) -> None:
    path = f"{tmp_path if place == 'local' else remote}/a.txt"
    storage.atomic_write_text(path, "old")
    with pytest.raises(ZeroDivisionError):
        storage.atomic_write(path, fail_after_some_bytes)
    with storage.open_binary(path) as stream:
        assert stream.read() == b"old"


def test_the_name_does_not_exist_until_all_is_written(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    seen = []

    def write(stream: IO[bytes]) -> None:
        stream.write(b"some")
        stream.flush()
        seen.append(path.exists())

    storage.atomic_write(str(path), write)
    assert seen == [False]
    assert path.read_bytes() == b"some"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


def test_an_existing_file_is_replaced(tmp_path: Path) -> None:
    for text in ("a longer first text", "second"):
        storage.atomic_write_text(str(tmp_path / "a.txt"), text)
    assert (tmp_path / "a.txt").read_text() == "second"


@pytest.mark.parametrize("write", [storage.atomic_write_text, lambda path, text: storage.atomic_write(path, lambda stream: None)])
def test_a_place_that_cannot_be_written_is_refused_by_name(tmp_path: Path, write: Callable[[str, str], None]) -> None:
    (tmp_path / "file").touch()
    path = f"{tmp_path}/file/a.txt"
    with pytest.raises(UserError) as caught:
        write(path, "x")
    message = str(caught.value)
    assert message.startswith(f"{path}: cannot write: ")
    assert message.endswith(". Free space or choose another output folder.")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="/dev/full is Linux's")
def test_a_full_disk_is_refused_and_leaves_nothing_behind(tmp_path: Path) -> None:
    def write(stream: IO[bytes]) -> None:
        with open("/dev/full", "wb", buffering=0) as full:
            full.write(b"x")

    with pytest.raises(UserError, match="No space left on device"):
        storage.atomic_write(str(tmp_path / "a.txt"), write)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_has_no_file_size(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"123")
    assert storage.file_size(str(tmp_path / "a")) == 3
    assert storage.file_size(str(tmp_path)) is None
    assert storage.file_size(str(tmp_path / "absent")) is None


@pytest.mark.parametrize("use", [storage.list_files, storage.file_size, lambda path: storage.atomic_write_text(path, "x")])
def test_an_unknown_protocol_is_refused_by_name(use: Callable[[str], object]) -> None:
    with pytest.raises(UserError, match="^nosuchprotocol://bucket/a: cannot be reached: Protocol not known"):
        use("nosuchprotocol://bucket/a")
