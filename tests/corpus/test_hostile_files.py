"""Broken and hostile files through the real command: the run goes on, and each file's documents and rejects are exact."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import json
import os
import resource
import struct
import subprocess
import sys
import time
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
import zstandard

from tests.corpus.conftest import REPOSITORY, twllm
from tests.corpus.sources.epub_files import RIGHTS, package, page, write_epub

Recipe = Callable[..., Path]
TEA = "清晨的茶園霧氣未散，採茶的人沿著田埂一路往上，竹簍裡的嫩葉還沾著露水。"
LOL = (
    '<!DOCTYPE l [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {y} "{f"&{x};" * 10}">' for x, y in zip("abcdefgh", "bcdefghi", strict=True))
    + "]>"
)
ROWS = {"type": "rows", "fields": {"id": "id", "text": "text"}}


def line(identifier: str, text: str = TEA) -> bytes:
    return (json.dumps({"id": identifier, "text": text}, ensure_ascii=False) + "\n").encode()


def archive(*members: tuple[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in members:
            opened.writestr(name, content)
    return stream.getvalue()


def bomb(gigabytes: int) -> bytes:
    """A ZIP archive whose one member is so many gigabytes of zeros: one deflated megabyte, repeated."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    piece = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    data = piece * (1024 * gigabytes) + zlib.compressobj(9, zlib.DEFLATED, -15).flush()
    name, size, crc = b"bomb.jsonl", gigabytes << 30, 0
    local = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 8, 0, 33, crc, len(data), size, len(name), 0) + name
    central = struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 8, 0, 33, crc, len(data), size, len(name), 0, 0, 0, 0, 0, 0) + name
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, len(central), len(local) + len(data), 0)
    return local + data + central + end


def nested(depth: int) -> bytes:
    content, name = line("nested"), "a.jsonl"
    for _ in range(depth):
        content, name = archive((name, content)), "a.zip"
    return content


def wiki(text: str, before: str = "") -> bytes:
    body = f"<page><title>茶</title><ns>0</ns><id>1</id><revision><id>2</id><model>wikitext</model><text>{text}</text></revision></page>"
    return f"{before}<mediawiki>{body}</mediawiki>".encode()


def html(text: bytes, head: bytes = b"<meta charset=utf-8>") -> bytes:
    return b"<html><head>" + head + b"<title>t</title></head><body><p>" + text + b"</p></body></html>"


BIG5 = TEA.encode("cp950")
# source -> file -> content, documents that come of it, and a word of the error of each reject in order
FILES: dict[str, dict[str, tuple[bytes, int, list[str]]]] = {
    "rows": {
        "good.jsonl": (line("good"), 1, []),
        "empty.jsonl": (b"", 0, ["empty file"]),
        "cut.zip": (archive(("a.jsonl", line("x") * 99))[:-30], 0, ["BadZipFile"]),
        "bomb.zip": (bomb(2), 0, ["decompressed"]),
        "bomb.jsonl.gz": (gzip.compress(bytes(100 << 20), 1), 0, ["over 67108864 bytes"]),
        "bomb.jsonl.zst": (zstandard.compress(bytes(100 << 20)), 0, ["over 67108864 bytes"]),
        "nested.zip": (nested(9), 0, ["an archive or compressed file inside"]),
        "outside.zip": (archive(("../../evil.jsonl", line("e")), ("/evil.jsonl", line("f")), ("in.jsonl", line("inside"))), 1,
                        ["unsafe", "unsafe"]),
        "wrong-crc.zip": (archive(("a.jsonl", line("w"))).replace(struct.pack("<I", zlib.crc32(line("w"))), b"\1\2\3\4"), 0, ["CRC"]),
        "cut.jsonl.gz": (gzip.compress(line("g1") * 9)[:-8], 9, ["EOFError"]),
        "encodings.jsonl": (line("u1") + b'{"id": "b5", "text": "' + BIG5 + b'"}\n' + line("u2"), 2, ["invalid UTF-8"]),
        "nul.jsonl": (b'{"id": "n1", "text": "' + b"\0" * 9 + b'"}\n' + line("n2", f"{TEA}\0{TEA}"), 1, ["invalid JSON"]),
        "surrogate.jsonl": (b'{"id": "s1", "text": "\\ud800"}\n{"id": "s2\\udfff", "text": "a"}\n' + line("s3"), 1,
                            ["invalid JSON", "invalid JSON"]),
        "surrogate.json": (b'[{"id": "j1", "text": "\\ud800"}, ' + line("j2").strip() + b"]", 2, []),  # yajl reads it as "?"
        "deep.json": (b"[" + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"," + line("after").strip() + b"]", 1, ["nested over"]),
        "deep.jsonl": (b'{"a":' * 50_000 + b"\n" + b'{"a":' + b"[" * 1_000 + b"]" * 1_000 + b"}\n" + line("after2"), 1,
                       ["invalid JSON", "missing field text"]),
        "digits.json": (b"[" + line("d1").strip() + b', {"id": ' + b"9" * 6_000 + b"}]", 1, ["digits"]),
        "noise.parquet": (b"PAR1" + os.urandom(3_000) + b"PAR1", 0, ["Parquet"]),
        "name.exe": (b"MZ", 0, ["unknown layout"]),
    },
    "web": {
        "big5.html": (html(BIG5 * 20), 1, []),
        "nul.html": (html(b"\0".join([TEA.encode()] * 9)), 1, []),
        "mixed.html": (html((TEA.encode() + b"\xff\xfe\x81\x8d" + TEA.encode("utf-16-le")) * 20), 0, ["encoding"]),
        "cut.warc": (b"WARC/1.0\r\nWARC-Ty", 0, ["no WARC-Type"]),
        "cut.warc.gz": (gzip.compress(b"WARC/1.0\r\nWARC-Type: response\r\nContent-Length: 500\r\n\r\nHTTP/1.1 200 OK\r\n")[:-20], 0,
                        ["early"]),
    },
    "wiki": {
        "good.xml": (wiki(TEA), 1, []),
        "entities.xml": (wiki("&i;", LOL), 0, ["document type declaration"]),
        "cut.xml.bz2": (bz2.compress(wiki(TEA) * 99)[:-20], 0, ["EOFError"]),
        "surrogate.xml": (wiki("&#xD800;"), 0, ["invalid XML"]),
        "nul.xml": (wiki("a\0b"), 0, ["invalid XML"]),
    },
    "books": {
        "big5.txt": (TEA.encode("cp950") * 9, 1, []),
        "utf16.txt": (TEA.encode("utf-16") * 1, 1, []),
        "noise.txt": (bytes(range(128, 256)) * 40, 0, ["encoding"]),
        "noise.epub": (b"PK\3\4" + os.urandom(500), 0, ["BadZipFile"]),
    },
}  # fmt: skip


def counted(run: Path) -> tuple[dict[tuple[str, str], tuple[int, list[str]]], dict[str, Any]]:
    """Documents and errors of each file of a run; and the funnel, checked: in = kept + removed + quarantined."""
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    errors: dict[tuple[str, str], list[str]] = {}
    for row in map(json.loads, (run / "quarantine.jsonl").read_text(encoding="utf-8").splitlines()):
        errors.setdefault((row["source"], row["path"]), []).append(row["error"])
    found: dict[tuple[str, str], tuple[int, list[str]]] = {}
    for part in manifest["parts"]:
        for row in map(json.loads, (run / "work/annotate" / part["folder"] / "files.jsonl").read_text(encoding="utf-8").splitlines()):
            key = part["source"], row["file"]
            found[key] = row["documents"], errors.pop(key, [])
            assert row["quarantined"] == len(found[key][1]), key
    assert errors == {}
    for source, counts in manifest["funnel"].items():
        mine = [value for (name, _), value in found.items() if name == source]
        assert counts["documents"] == counts["kept"] + counts["removed"] + counts["quarantined"]
        assert counts["documents"] == sum(documents + len(rejects) for documents, rejects in mine)
        assert counts["reasons"].get("unreadable", 0) == sum(len(rejects) for _, rejects in mine)
    return found, manifest["funnel"]


def _lacks(word: str, error: str) -> bool:
    return word not in error


def write_recipe(folder: Path, sources: dict[str, Any], **changes: Any) -> Path:
    path = folder / "recipe.yaml"
    recipe = {"name": "hostile", "output": str(folder / "run"), "sources": sources, **changes}
    path.write_text(yaml.safe_dump(recipe, allow_unicode=True), encoding="utf-8")
    return path


def test_bad_files_of_every_kind_in_one_build(tmp_path: Path) -> None:
    inputs = tmp_path / "in"
    for source, files in FILES.items():
        (inputs / source).mkdir(parents=True)
        for name, (content, _, _) in files.items():
            (inputs / source / name).write_bytes(content)
    (inputs / "books/rights.yaml").write_text(RIGHTS, encoding="utf-8")
    body = page(f"<p>{TEA}</p>")
    write_epub(
        inputs / "books/outside.epub", {"a.xhtml": body}, [("../../evil.xhtml", body)], opf=package(["a.xhtml", "../../../evil.xhtml"])
    )
    write_epub(inputs / "books/entities.epub", {"a.xhtml": body, "b.xhtml": LOL + "<html><body><p>&i;</p></body></html>"})
    loop = inputs / "rows/folder"
    loop.mkdir()
    (loop / "back").symlink_to(loop, target_is_directory=True)
    (loop / "one.jsonl").symlink_to(loop / "two.jsonl")
    (loop / "two.jsonl").symlink_to(loop / "one.jsonl")
    os.mkfifo(loop / "pipe.jsonl")
    before = {path for path in tmp_path.rglob("*") if "run" not in path.parts}

    types = {"rows": ROWS, "web": {"type": "web"}, "wiki": {"type": "wikipedia"}, "books": {"type": "books"}}
    sources = {name: {**types[name], "paths": [f"in/{name}"]} for name in FILES}
    began = time.monotonic()
    done = twllm("corpus", "build", str(write_recipe(tmp_path, sources)), "--workers", "2", timeout=60)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert time.monotonic() - began < 60
    found, _ = counted(tmp_path / "run")

    expected = {(source, name): (documents, errors) for source, files in FILES.items() for name, (_, documents, errors) in files.items()}
    expected |= {
        ("books", "outside.epub"): (1, ["unsafe", "leads out"]),
        ("books", "entities.epub"): (1, ["entities"]),
        ("books", "rights.yaml"): (0, []),
        ("rows", "one.jsonl"): (0, ["symbolic links"]),
        ("rows", "two.jsonl"): (0, ["symbolic links"]),
        ("rows", "pipe.jsonl"): (0, ["pipe"]),
    }
    assert found.keys() - {("rows", "back")} == expected.keys()
    wrong = {
        key: found[key]
        for key, (documents, words) in expected.items()
        if [found[key][0], len(found[key][1])] != [documents, len(words)] or any(map(_lacks, words, found[key][1]))
    }
    assert wrong == {}
    assert {path for path in tmp_path.rglob("*") if "run" not in path.parts} - before == {tmp_path / "recipe.yaml"}
    assert not list(tmp_path.parent.glob("evil*")) and not list(Path("/").glob("evil*"))


# --- one line of 200 MB


LONG, SHORTER = 200_000_000, 60_000_000
SMALL = 0.6e9  # of memory, with the libraries
TEXT_TIMES = 15  # a text that is read whole, as a multiple of its bytes
LINES = [  # source, bytes of the line, documents at least, rejected, most memory
    ("rows", LONG, 2, 1, SMALL + 4.5 * (64 << 20)),
    ("web", LONG, 0, 1, SMALL + 4.5 * (16 << 20)),
    ("wikipedia", LONG, 1, 1, SMALL + 0.2e9),
    ("books", SHORTER, 1, 0, SMALL + TEXT_TIMES * SHORTER),
    pytest.param("books", LONG, 1, 0, SMALL + TEXT_TIMES * LONG, marks=pytest.mark.soak),
    pytest.param("gazette", LONG, 1, 0, SMALL + TEXT_TIMES * LONG, marks=pytest.mark.soak),
]


def long_line(folder: Path, kind: str) -> tuple[dict[str, Any], bytes, bytes]:
    """The source, and what stands before and after the long line in its file."""
    if kind == "rows":
        (folder / "z.jsonl").write_bytes(line("next"))
        return {**ROWS, "paths": ["a.jsonl", "z.jsonl"]}, b'{"id": "long", "text": "', b'"}\n' + line("same file")
    if kind == "web":
        return {"type": "web", "paths": ["a.html"]}, b"<html><body><p>", b"</p></body></html>"
    if kind == "wikipedia":
        start, _, end = wiki("|").partition(b"|")
        after = end.replace(b"</mediawiki>", b"") + wiki(TEA).replace(b"<mediawiki>", b"").replace(b"<id>1<", b"<id>3<")
        return {"type": "wikipedia", "paths": ["a.xml"]}, start, after
    (folder / "rights.yaml").write_text(RIGHTS, encoding="utf-8")
    return {"type": kind, "paths": ["a.txt"]}, b"", b"\n"


def resident_bytes(root: int) -> int:
    """Resident memory of a process and all below it."""
    found: dict[int, tuple[int, int]] = {}  # process -> its parent, its pages
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended
            fields = path.read_bytes().rpartition(b")")[2].split()
            found[int(path.parent.name)] = int(fields[1]), int(fields[21])
    tree, size = {root}, 0
    while len(tree) > size:
        size = len(tree)
        tree |= {process for process, (parent, _) in found.items() if parent in tree}
    return sum(found[process][1] for process in tree if process in found) * resource.getpagesize()


def peak_bytes(process: subprocess.Popen[str]) -> int:
    """The resident memory that a process and all below it held at once, at most, looked at every 20 ms until it ends."""
    most = 0
    while True:
        most = max(most, resident_bytes(process.pid))
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.02)
            return most


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from Linux's /proc")
@pytest.mark.parametrize(("kind", "size", "documents", "rejected", "bound"), LINES)
def test_one_long_line_in_bounded_memory(tmp_path: Path, kind: str, size: int, documents: int, rejected: int, bound: float) -> None:
    """The bounds stand in docs/architecture.md, "Limits today"."""
    source, before, after = long_line(tmp_path, kind)
    piece = TEA.encode() * 1_000
    with open(tmp_path / source["paths"][0], "wb") as stream:
        stream.write(before)
        for _ in range(size // len(piece)):
            stream.write(piece)
        stream.write(after)
    recipe = str(write_recipe(tmp_path, {"x": source}))
    command = [sys.executable, "-c", "from factory.cli import main; main()", "corpus", "build", recipe, "--workers", "1"]
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    peak = peak_bytes(process)
    _, error = process.communicate()
    assert process.returncode == 0, error
    found, _ = counted(tmp_path / "run")
    assert sum(count for count, _ in found.values()) >= documents
    assert sum(len(errors) for _, errors in found.values()) == rejected
    assert peak < bound, f"{peak / 1e6:.0f} MB"


# --- many


def test_ten_thousand_files_with_bad_ones_among_them(tmp_path: Path) -> None:
    """A million of them is a soak test of tests/corpus/test_many_files.py."""
    for number in range(10_000):
        place = tmp_path / "in" / f"{number // 1_000}"
        if number % 1_000 == 0:
            place.mkdir(parents=True)
        bad = {7: b"", 49: b'{"id": "cut", "te', 91: b"\xff\xfe"}.get(number % 100)
        (place / f"{number}.jsonl").write_bytes(line(str(number), f"第{number}號") if bad is None else bad)
    recipe = write_recipe(tmp_path, {"many": {**ROWS, "paths": ["in"]}}, deduplicate={"exact": False, "near": None, "lines": None})
    done = twllm("corpus", "build", str(recipe))
    assert done.returncode == 0, done.stderr
    found, funnel = counted(tmp_path / "run")
    assert len(found) == 10_000
    assert (funnel["many"]["documents"], funnel["many"]["reasons"]["unreadable"]) == (10_000, 300)
    assert Counter(len(errors) for _, errors in found.values()) == {0: 9_700, 1: 300}


def test_a_hundred_thousand_documents_with_one_id(tmp_path: Path) -> None:
    with open(tmp_path / "same.jsonl", "wb") as stream:
        for number in range(100_000):
            stream.write(line("same", f"{TEA}{number}" if number == 0 else f"第{number}號"))
    done = twllm("corpus", "build", str(write_recipe(tmp_path, {"x": {**ROWS, "paths": ["same.jsonl"]}})), "--workers", "1")
    assert done.returncode == 0, done.stderr
    _, funnel = counted(tmp_path / "run")
    assert (funnel["x"]["documents"], funnel["x"]["quarantined"], funnel["x"]["reasons"]["duplicate_id"]) == (100_000, 99_999, 99_999)
    assert funnel["x"]["kept"] + funnel["x"]["removed"] == 1
