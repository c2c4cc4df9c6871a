"""A disk that is full: one clear line, nothing lost that was there, and on again once there is room."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from curation.server import health, lifecycle, status
from curation.server.accounts import Asked
from curation.server.instance import Home
from factory.errors import UserError
from tests.curation.conftest import require_redis
from tests.curation.server import dataset


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 MB. Where none can be mounted: a skip on a laptop, a failure under CI as root."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m,mode=0700", "tmpfs", str(folder)], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def _fill(folder: Path, left: int) -> Path:
    stuffing = folder / "stuffing"
    with stuffing.open("wb") as stream:
        while (free := health.free_bytes(folder)) > left:
            stream.write(bytes(min(free - left, 1 << 20)))
            stream.flush()
    return stuffing


def test_no_start_without_room(small_disk: Path) -> None:
    program = "from factory.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "review", "up", "--home", str(small_disk / "review")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"twllm: the disk of {small_disk}") and "MB free, the server needs 256; free space" in done.stderr
    assert list(small_disk.iterdir()) == []


def test_a_disk_that_fills_up_while_people_work(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require_redis()
    monkeypatch.setattr(health, "FREE_BYTES", 1 << 20)
    place = Home(small_disk / "review")
    try:
        server = lifecycle.up(place, Asked(port=0)).instance
        made = dataset.make(server, "before the disk is full")
        stuffing = _fill(small_disk, 0)
        long = tuple("牛" * 20_000 + str(number) for number in range(20))
        with pytest.raises(AssertionError, match="507 .*The disk of the review server is full; nothing was saved"):
            dataset.add(server, made, long)
        assert "0 MB of disk are left" in status.of(place).note
        with pytest.raises(OSError, match="No space left on device|database or disk is full"):
            try:
                lifecycle.save_backup(place, small_disk / "saved.tar.zst")
            except Exception as error:
                raise OSError(str(error)) from error
        assert not (small_disk / "saved.tar.zst").exists()
        lifecycle.down(place)
        with pytest.raises(UserError, match=r"the disk of .* has 0 MB free"):
            lifecycle.up(place)
        monkeypatch.setattr(health, "FREE_BYTES", 0)
        with pytest.raises((UserError, OSError), match="No space left on device|the disk of .* is full"):
            lifecycle.up(place)
        stuffing.unlink()
        assert lifecycle.up(place).instance == server
        assert dataset.texts(server, made) == sorted(dataset.TEXTS)
        dataset.add(server, made, long)
        assert len(dataset.texts(server, made)) == len(dataset.TEXTS) + len(long)
        assert os.listdir(small_disk) == ["review"]
    finally:
        lifecycle.down(place)
