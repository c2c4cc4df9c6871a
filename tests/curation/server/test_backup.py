"""Records, answers and accounts survive; an archive that is not ours changes nothing."""

from __future__ import annotations

import hashlib
import io
import json
import sqlite3
import stat
import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests
import zstandard

from curation.review.store import Pseudonyms, Record, Store
from curation.server import backup, instance, lifecycle
from curation.server.accounts import Asked
from curation.server.instance import Home, Instance
from factory.errors import UserError
from tests.curation.server import dataset

Content = dict[str, bytes]


@pytest.fixture
def place(tmp_path: Path) -> Home:
    """A folder with a database that passes as Argilla's; no server is started in it."""
    made = Home(tmp_path / "review")
    instance.prepare(made)
    instance.secret_of(made)
    instance.write_accounts(made, "review", instance.new_account("owner"), (instance.new_account("amei"),))
    instance.write_settings(made, instance.Settings(6900, "abc"))
    with closing(sqlite3.connect(made.database)) as database:
        database.execute("CREATE TABLE users (username TEXT)")
        database.execute("CREATE TABLE alembic_version (version_num TEXT)")
        database.executemany("INSERT INTO users VALUES (?)", [(f"u{number}",) for number in range(2_000)])
        database.commit()
    return made


def _content(place: Home) -> Content:
    files = {name: (place.path / name).read_bytes() for name in (backup.DATABASE, *backup.PRIVATE)}
    stated = {name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in files.items()}
    manifest = {"format": 1, "argilla": "2.8.0", "created": "2026-01-01T00:00:00+00:00", "files": stated}
    return {backup.MANIFEST: json.dumps(manifest).encode(), **files}


def _pack(path: Path, content: Content, change: Callable[[tarfile.TarInfo], None] | None = None) -> Path:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in content.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            if change:
                change(member)
            archive.addfile(member, io.BytesIO(data) if member.isreg() else None)
    path.write_bytes(zstandard.compress(packed.getvalue()))
    return path


def _restated(content: Content, **files: Any) -> Content:
    """With a manifest that agrees with changed files."""
    content = content | files
    manifest = json.loads(content[backup.MANIFEST])
    for name in manifest["files"]:
        manifest["files"][name] = {"bytes": len(content[name]), "sha256": hashlib.sha256(content[name]).hexdigest()}
    return content | {backup.MANIFEST: json.dumps(manifest).encode()}


def test_there_and_back(place: Home, tmp_path: Path) -> None:
    saved = backup.save(place, tmp_path / "saved.tar.zst")
    assert stat.S_IMODE((tmp_path / "saved.tar.zst").stat().st_mode) == 0o600
    assert saved.bytes == (tmp_path / "saved.tar.zst").stat().st_size
    other = Home(tmp_path / "other")
    assert backup.restore(other, tmp_path / "saved.tar.zst") is None
    assert instance.read_accounts(other) == instance.read_accounts(place)
    assert instance.secret_of(other)["auth_secret_key"] == instance.secret_of(place)["auth_secret_key"]
    assert instance.secret_of(other)["mark"] != instance.secret_of(place)["mark"], "or the processes of one would pass as the other's"
    assert stat.S_IMODE(other.path.stat().st_mode) == 0o700
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in other.path.iterdir())
    with closing(sqlite3.connect(other.database)) as database:
        assert database.execute("SELECT count(*) FROM users").fetchone() == (2_000,)
    assert not [path for path in (*place.path.iterdir(), *tmp_path.iterdir()) if path.name.startswith(".")]


def test_a_tar_program_reads_it(place: Home, tmp_path: Path) -> None:
    backup.save(place, tmp_path / "saved.tar.zst")
    opened = zstandard.ZstdDecompressor().stream_reader((tmp_path / "saved.tar.zst").read_bytes()).read()
    with tarfile.open(fileobj=io.BytesIO(opened)) as archive:
        assert archive.getnames() == [backup.MANIFEST, backup.DATABASE, *backup.PRIVATE]


def _record(name: str) -> Record:
    return Record(name, "single", 0, 1.0, "1", "health", False, None, {"id": name}, {"fields": {}})


def test_reviews_go_with_it_while_they_are_written(place: Home, tmp_path: Path) -> None:
    """What a review's file has only in its write-ahead log is saved, and what is not committed is not."""
    longest = "a" * 100
    key = Pseudonyms(place.path).of("somebody")
    stores = [Store(place.path, name, make=True) for name in ("noodles", longest)]
    for store in stores:
        with store.change():
            store.add_records([_record("committed")])
    assert (place.path / "reviews" / "noodles" / "review.sqlite-wal").stat().st_size > 0
    with stores[0].change():
        stores[0].add_records([_record("in the middle")])
        saved = backup.save(place, tmp_path / "saved.tar.zst")
    for store in stores:
        store.close()
    assert saved.reviews == 2
    other = Home(tmp_path / "other")
    backup.restore(other, tmp_path / "saved.tar.zst")
    for name in ("noodles", longest):
        store = Store(other.path, name)
        assert list(store.record_ids()) == ["committed"]
        store.close()
        assert stat.S_IMODE((other.path / "reviews" / name).stat().st_mode) == 0o700
        assert stat.S_IMODE((other.path / "reviews" / name / "review.sqlite").stat().st_mode) == 0o600
    assert Pseudonyms(other.path).of("somebody") == key


def test_a_review_that_cannot_be_read_is_told(place: Home, tmp_path: Path) -> None:
    broken = place.path / "reviews" / "broken" / "review.sqlite"
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"no database" * 1_000)
    with pytest.raises(UserError, match=r"broken/review\.sqlite cannot be read"):
        backup.save(place, tmp_path / "saved.tar.zst")
    assert not (tmp_path / "saved.tar.zst").exists()


def test_a_backup_of_the_first_format_is_read(place: Home, tmp_path: Path) -> None:
    content = _content(place)
    assert json.loads(content[backup.MANIFEST])["format"] == 1
    backup.restore(Home(tmp_path / "other"), _pack(tmp_path / "first.tar.zst", content, lambda member: None))
    assert instance.read_accounts(Home(tmp_path / "other")) == instance.read_accounts(place)


def test_a_backup_is_never_written_over(place: Home, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("mine")
    with pytest.raises(UserError, match="is there already"):
        backup.save(place, tmp_path / "there")
    assert (tmp_path / "there").read_text() == "mine"
    with pytest.raises(UserError, match="is no folder"):
        backup.save(place, tmp_path / "none" / "there")
    with pytest.raises(UserError, match="no review server"):
        lifecycle.save_backup(Home(tmp_path / "none"), tmp_path / "x")


def test_what_is_there_is_kept(place: Home, tmp_path: Path) -> None:
    saved = tmp_path / "saved.tar.zst"
    backup.save(place, saved)
    with pytest.raises(UserError, match="is not empty; restore into another --home, or set it aside with --force"):
        backup.restore(place, saved)
    (place.path / "mine").write_text("kept")
    for number in (1, 2):
        assert backup.restore(place, saved, force=True) == str(tmp_path / f"review.before-restore-{number}")
    assert (tmp_path / "review.before-restore-1" / "mine").read_text() == "kept"
    assert not (place.path / "mine").exists()


def _as_is(member: tarfile.TarInfo) -> None: ...


def _link(member: tarfile.TarInfo) -> None:
    if member.name == "secrets.json":
        member.type, member.linkname, member.size = tarfile.SYMTYPE, "/etc/passwd", 0


def _device(member: tarfile.TarInfo) -> None:
    if member.name == "secrets.json":
        member.type, member.size = tarfile.CHRTYPE, 0


def _extended(member: tarfile.TarInfo) -> None:
    member.pax_headers = {"comment": "x" * 5_000}


HOSTILE: dict[str, tuple[Callable[[Content], Content], Callable[[tarfile.TarInfo], None], str]] = {
    "a path outside": (lambda c: _renamed(c, "secrets.json", "../secrets.json"), _as_is, "which no backup of ours does"),
    "an absolute path": (lambda c: _renamed(c, "secrets.json", "/tmp/secrets.json"), _as_is, "which no backup of ours does"),
    "a review's path outside": (lambda c: _stating(c, "reviews/../review.sqlite", b""), _as_is, "names other files"),
    "a review deeper": (lambda c: _stating(c, "reviews/a/b/review.sqlite", b""), _as_is, "names other files"),
    "a file that nobody stated": (lambda c: {**c, "reviews/a/review.sqlite": b""}, _as_is, "which no backup of ours does"),
    "a review that is none": (lambda c: _stating(c, "reviews/a/review.sqlite", b""), _as_is, "review.sqlite is not a review's"),
    "a review that is another database": (
        lambda c: _stating(c, "reviews/a/review.sqlite", c["argilla.db"]),
        _as_is,
        "review.sqlite is not a review's",
    ),
    "a review that is not there": (
        lambda c: {n: d for n, d in _stating(c, "reviews/a/review.sqlite", b"").items() if n != "reviews/a/review.sqlite"},
        _as_is,
        "lacks reviews/a/review.sqlite",
    ),
    "a key of another form": (lambda c: _stating(c, "pseudonyms.key", b"../../x"), _as_is, "pseudonyms.key is no key"),
    "a huge key": (lambda c: _stating(c, "pseudonyms.key", b"0" * (2 << 20)), _as_is, "more than fits"),
    "another file": (lambda c: {**c, "oauth.yaml": b"x"}, _as_is, "which no backup of ours does"),
    "no manifest": (lambda c: {n: d for n, d in c.items() if n != backup.MANIFEST}, _as_is, "does not begin with manifest.json"),
    "a file less": (lambda c: {n: d for n, d in c.items() if n != "accounts.json"}, _as_is, "lacks accounts.json"),
    "a link": (lambda c: c, _link, "no plain file"),
    "a device": (lambda c: c, _device, "no plain file"),
    "extended headers": (lambda c: c, _extended, "no plain file"),
    "another sum": (lambda c: {**c, "secrets.json": c["secrets.json"][:-1] + b" "}, _as_is, "is damaged"),
    "another size": (lambda c: {**c, "secrets.json": c["secrets.json"] + b" "}, _as_is, "more than fits or not as stated"),
    "a huge file": (lambda c: _restated(c, **{"accounts.json": b" " * (2 << 20)}), _as_is, "more than fits"),
    "no database": (lambda c: _restated(c, **{"argilla.db": b"not a database" * 100}), _as_is, "not Argilla's"),
    "another database": (lambda c: _restated(c, **{"argilla.db": b""}), _as_is, "not Argilla's"),
    "a torn database": (
        lambda c: _restated(c, **{"argilla.db": _torn(c["argilla.db"])}),
        lambda m: None,
        r"argilla\.db is (damaged|not Argilla's)",
    ),
    "accounts of another form": (lambda c: _restated(c, **{"accounts.json": b"[1]"}), _as_is, "lacks its accounts"),
    "settings of another form": (lambda c: _restated(c, **{"instance.json": b"[]"}), _as_is, "states no port"),
    "secrets of another form": (lambda c: _restated(c, **{"secrets.json": b'{"auth_secret_key": 1}'}), _as_is, "lacks its keys"),
    "another version": (lambda c: {**c, backup.MANIFEST: c[backup.MANIFEST].replace(b"2.8.0", b"9.0.0")}, _as_is, "Argilla 9.0.0"),
    "a manifest of another form": (lambda c: {**c, backup.MANIFEST: b"[" * 100_000}, _as_is, "cannot be read"),
}


def _stating(content: Content, name: str, data: bytes) -> Content:
    """With one file more, which the manifest names."""
    manifest = json.loads(content[backup.MANIFEST])
    manifest["files"][name] = {}
    return _restated(content | {backup.MANIFEST: json.dumps(manifest).encode()}, **{name: data})


def _renamed(content: Content, old: str, new: str) -> Content:
    return {new if name == old else name: data for name, data in content.items()}


def _torn(database: bytes) -> bytes:
    return database[:4096] + b"\xff" * 4096 + database[8192:]


@pytest.mark.parametrize("kind", HOSTILE)
def test_an_archive_of_another_kind_changes_nothing(place: Home, tmp_path: Path, kind: str) -> None:
    change, change_member, said = HOSTILE[kind]
    source = _pack(tmp_path / "hostile.tar.zst", change(_content(place)), change_member)
    target = Home(tmp_path / "target")
    with pytest.raises(UserError, match=said):
        backup.restore(target, source)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hostile.tar.zst", "review"]


@pytest.mark.parametrize("cut", [0, 1, 100, 0.5, 0.999])
def test_half_a_file_changes_nothing(place: Home, tmp_path: Path, cut: float) -> None:
    source = tmp_path / "cut.tar.zst"
    backup.save(place, source)
    whole = source.read_bytes()
    source.write_bytes(whole[: int(cut if cut >= 1 else cut * len(whole))])
    with pytest.raises(UserError, match=r"cut.tar.zst"):
        backup.restore(Home(tmp_path / "target"), source)
    assert not (tmp_path / "target").exists()


def test_a_bomb_is_not_unpacked(place: Home, tmp_path: Path) -> None:
    """A terabyte of zeros in a few megabytes would be; its header already says too much."""
    content = _content(place)
    manifest = json.loads(content[backup.MANIFEST])
    manifest["files"][backup.DATABASE]["bytes"] = 1 << 40
    head = tarfile.TarInfo(backup.MANIFEST)
    data = json.dumps(manifest).encode()
    head.size = len(data)
    bomb = tarfile.TarInfo(backup.DATABASE)
    bomb.size = 1 << 40
    tar = head.tobuf() + data + b"\0" * (-len(data) % 512) + bomb.tobuf(tarfile.GNU_FORMAT) + b"\0" * (1 << 22)
    (tmp_path / "bomb").write_bytes(zstandard.compress(tar))
    with pytest.raises(UserError, match="argilla.db is 1,099,511,627,776 bytes, more than fits"):
        backup.restore(Home(tmp_path / "target"), tmp_path / "bomb")


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    place = Home(tmp_path_factory.mktemp("moved") / "review")
    yield place
    lifecycle.down(place)


def test_records_answers_and_accounts_survive(argilla_server: Instance, moved: Home, tmp_path: Path) -> None:
    """Saved while the server runs and is written to, restored elsewhere, started there beside it."""
    made = dataset.make(argilla_server, "to be saved")
    amei = argilla_server.annotators[0]
    record = dataset.api(argilla_server, "GET", f"datasets/{made}/records")["items"][0]
    answer = {"values": {"verdict": {"value": "keep"}}, "status": "submitted"}
    key = {"X-Argilla-Api-Key": amei.api_key}
    sent = requests.post(f"{argilla_server.url}/api/v1/records/{record['id']}/responses", headers=key, json=answer, timeout=30)
    assert sent.status_code == 201, sent.text
    lifecycle.save_backup(Home(Path(argilla_server.home)), tmp_path / "saved.tar.zst")
    dataset.add(argilla_server, made, ("晚了一步。",))
    with pytest.raises(UserError, match="a review server runs in"):
        lifecycle.restore_backup(Home(Path(argilla_server.home)), tmp_path / "saved.tar.zst", force=True)

    lifecycle.restore_backup(moved, tmp_path / "saved.tar.zst")
    started = lifecycle.up(moved, Asked(port=0))
    there = started.instance
    assert started.new_accounts == ()
    assert (there.workspace, there.owner, there.annotators) == (argilla_server.workspace, argilla_server.owner, argilla_server.annotators)
    assert dataset.texts(there, made) == sorted(dataset.TEXTS)
    found = dataset.api(there, "GET", f"records/{record['id']}")
    assert [(one["status"], one["values"]) for one in found["responses"]] == [("submitted", answer["values"])]
    form = {"username": amei.name, "password": amei.password}
    token = requests.post(f"{there.url}/api/v1/token", data=form, timeout=10).json()["access_token"]
    for server in (argilla_server, there):  # the key that signs is the same: whoever was logged in still is
        me = requests.get(f"{server.url}/api/v1/me", headers={"Authorization": f"Bearer {token}"}, timeout=10)
        assert me.json()["username"] == amei.name
    query = {"query": {"text": {"q": "牛肉麵", "field": "text"}}}
    assert dataset.api(there, "POST", f"datasets/{made}/records/search", json=query)["total"] == 1
