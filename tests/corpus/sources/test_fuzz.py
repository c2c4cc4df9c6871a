"""Fuzz: damaged files of every reader give documents and rejects, never an exception, and soon. `make soak` does it for ten minutes."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import random
import resource
import subprocess
import time
import traceback
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from corpus import features
from corpus.annotate import document_table
from corpus.sources.spec import Source, SourceSpec, open_source
from factory.records import Document, Rejected
from tests.corpus.conftest import REPOSITORY
from tests.corpus.sources.epub_files import RIGHTS, page, write_epub

SEED = 20_261_123
MAX_SECONDS = 2.0  # of processor time for one input of a few kilobytes
MAX_BYTES = 200_000  # of an input: mutations may repeat, but this is a test of form and not of size
TEA = "清晨的茶園霧氣未散，採茶的人沿著田埂一路往上，竹簍裡的嫩葉還沾著露水。"
SEA = "颱風過後漁港停了三艘船，修船師傅蹲在碼頭邊抽菸，說引擎泡過水，至少得拆兩天。"

Seeds = dict[str, bytes]  # file name -> content; mutated is the content, the name says the layout


def _lines(*rows: dict[str, Any]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def _parquet(*rows: dict[str, Any]) -> bytes:
    stream = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows)), stream)
    return stream.getvalue()


def _zip(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "."), content)
    return stream.getvalue()


def _law() -> Seeds:
    one = {
        "法規性質": "法律",
        "法規名稱": "渡船管理條例",
        "法規網址": "https://law.example/LawAll.aspx?pcode=K0000001",
        "法規類別": "行政＞交通",
        "最新異動日期": "20240305",
        "廢止註記": "",
        "前言": "為管理渡船，訂定本條例。",
        "法規內容": [{"編章節": "第 一 章 總則"}, {"條號": "第 1 條", "條文內容": "渡船應備救生衣。\n一、成人用。\n二、兒童用。"}],
    }
    bulk = {
        "UpdateDate": "2024/3/5 上午 12:00:00",
        "Laws": [
            {
                "LawLevel": "法律",
                "LawName": "茶葉產銷條例",
                "LawURL": "https://law.example/LawClass.aspx?pcode=M0000002",
                "LawAbandonNote": "",
                "LawModifiedDate": "20230102",
                "LawForeword": "",
                "LawArticles": [
                    {"ArticleType": "C", "ArticleNo": "", "ArticleContent": "第 一 章 通則"},
                    {"ArticleType": "A", "ArticleNo": "第 1 條", "ArticleContent": "茶葉應標示產地。"},
                ],
            }
        ],
    }
    per_law, whole = json.dumps([one, one], ensure_ascii=False).encode(), json.dumps(bulk, ensure_ascii=False).encode()
    return {"a.json": per_law, "b.json": whole, "c.zip": _zip(a__json=per_law, b__json=whole)}


def _gazette() -> Seeds:
    text = (
        f"立法院第九屆第一會期第三次會議紀錄\n報　告　事　項\n一、宣讀議事錄。<br/>{TEA}\n<!-- 註 -->討論事項\n壹、{SEA}&nbsp;&#65;\n"
    ).encode()
    return {"a.txt": text, "b.jsonl": _lines({"text": text.decode()}), "c.txt.gz": gzip.compress(text), "d.zip": _zip(a__txt=text)}


def _ptt() -> Seeds:
    pushes = [
        {"push_tag": "推", "push_userid": "teaman77", "push_content": "我也這麼想", "push_ipdatetime": "03/05 12:30"},
        {"push_tag": "噓", "push_userid": "seafan", "push_content": "teaman77 亂講"},
    ]
    article = {
        "article_id": "M.1700000000.A.123",
        "article_title": "[閒聊] 早市",
        "author": "seller9 (阿姨)",
        "board": "Market",
        "content": f"{TEA}\n※ 引述《buyer8 (客)》之銘言：\n: {SEA}\n--\n簽名",
        "date": "Tue Mar  5 12:00:00 2024",
        "ip": "10.0.0.1",
        "messages": pushes,
        "message_count": {"all": 2},
        "url": "https://ptt.example/1.html",
    }
    flat = {"text": f"作者: seller9 (阿姨) 看板: Market\n標題: 早市\n時間: Tue Mar  5 12:00:00 2024\n{TEA}\n推 teaman77: 好 03/05 12:30\n"}
    return {"a.json": json.dumps({"articles": [article, article]}, ensure_ascii=False).encode(), "b.jsonl": _lines(flat, article)}


def _forum() -> Seeds:
    thread = {
        "id": 7,
        "title": "修船",
        "content": f"{SEA}\nhttps://i.imgur.com/x.jpg\nB3 說得對",
        "createdAt": "2024-03-05T01:02:03.000Z",
        "forum": "海",
        "url": "https://forum.example/7",
        "comments": [{"content": f"@B1 {TEA}"}, {"content": None}],
    }
    return {"a.jsonl": _lines(thread, thread), "b.json": json.dumps([thread], ensure_ascii=False).encode(), "c.parquet": _parquet(thread)}


def _news() -> Seeds:
    row = {
        "id": "n1",
        "title": "茶價",
        "text": f"（中央社記者某某台北5日電）{TEA}\n{SEA}（編輯：某某）1130305\n延伸閱讀\n更多新聞",
        "outlet": "中央社",
        "url": "https://www.cna.com.tw/news/1",
        "published": "民國113年3月5日",
    }
    return {"a.jsonl": _lines(row, row), "b.parquet": _parquet(row), "c.jsonl.zst": zstandard.compress(_lines(row))}


def _rows() -> Seeds:
    row = {"id": "r1", "text": TEA, "published": 1_700_000_000, "nested": {"a": [{"b": None}, {"b": "x"}]}, "rate": 0.5}
    return {
        "a.jsonl": _lines(row, {**row, "id": "r2", "text": SEA}),
        "b.json": json.dumps([row, row], ensure_ascii=False).encode(),
        "c.parquet": _parquet(row, {**row, "text": SEA}),
        "d.zip": _zip(a__jsonl=_lines(row), b__json=json.dumps([row]).encode(), c__parquet=_parquet(row)),
    }


def _wikipedia() -> Seeds:
    wikitext = (
        "{{NoteTA|1=zh-cn:信息;zh-tw:資訊}}'''信息'''是[[學科|一門]]。"
        "{| class=x\n|-\n| 甲 || 乙\n|}\n== 史 ==\n-{zh-hans:软件;zh-hant:軟體}-"
        f"<ref name=a>註</ref>[[File:x.jpg|thumb|圖]] {TEA}\n* [https://a.example 鏈]\n"
        "<math>x^2</math><nowiki>[[</nowiki>\n== 參見 ==\n* [[丙]]\n"
    )
    article = wikitext.replace("&", "&amp;").replace("<", "&lt;")
    page_ = (
        "<page><title>信息</title><ns>0</ns><id>NUMBER</id><revision><id>NUMBER1</id><timestamp>2024-05-01T12:34:56Z</timestamp><model>wikitext</model>"
        f'<format>text/x-wiki</format><text bytes="9" xml:space="preserve">{article}</text></revision></page>'
    )
    namespaces = "<namespaces><namespace key='6'>文件</namespace></namespaces>"
    site = f"<siteinfo><dbname>zhwiki</dbname><base>https://zh.example/wiki/M</base>{namespaces}</siteinfo>"
    dump = f"<mediawiki version='0.11'>{site}{page_.replace('NUMBER', '1')}{page_.replace('NUMBER', '2')}</mediawiki>".encode()
    row = {"id": "1", "url": "https://zh.example/wiki/1", "title": "信息", "text": f"{TEA}-{{zh-hans:软件;zh-hant:軟體}}-"}
    return {"a.xml": dump, "b.xml.bz2": bz2.compress(dump), "c.parquet": _parquet(row, row), "d.jsonl": _lines(row)}


def _web() -> Seeds:
    html = (
        f"<!DOCTYPE html><html lang=zh-TW><head><meta charset=utf-8><title>早市</title><meta name=date content=2024-02-03>"
        f"</head><body><nav>首頁</nav>"
        f"<article><h1>早市</h1><p>{TEA}</p><table><tr><td>{SEA}</td></tr></table><script>var a = '<p>';</script></article></body></html>"
    ).encode()
    big5 = html.decode().replace("charset=utf-8", "charset=big5").encode("cp950", "replace")
    chunked = b"".join(f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for piece in (html[:300], html[300:], b""))
    bodies = [("", html), ("Transfer-Encoding: chunked\r\n", chunked), ("Content-Encoding: gzip\r\n", gzip.compress(html)), ("", big5)]
    records = []
    for number, (headers, body) in enumerate(bodies):
        block = f"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n{headers}\r\n".encode() + body
        head = (
            f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: https://site.example/{number}\r\nWARC-Date: 2024-03-05T06:07:08Z\r\n"
            f"WARC-Record-ID: <urn:uuid:00000000-0000-4000-8000-{number:012d}>\r\nContent-Length: {len(block)}\r\n\r\n"
        )
        records.append(head.encode() + block + b"\r\n\r\n")
    return {
        "a.html": html,
        "b.html": big5,
        "c.warc": b"".join(records),
        "d.warc.gz": b"".join(map(gzip.compress, records)),
        "e.warc.zst": b"".join(map(zstandard.compress, records)),
        "f.zip": _zip(a__html=html, b__htm=big5),
    }


def _books(folder: Path) -> Seeds:
    body = page(
        f"<h1>第一章</h1><p>{TEA}<ruby>茶<rt>ㄔㄚˊ</rt></ruby>"
        f"<a epub:type='noteref' href='#n'>1</a></p><aside epub:type='footnote'>{SEA}</aside>"
    )
    epub = Path(write_epub(folder / "seed.epub", {"a.xhtml": body, "b.xhtml": page(f"<h2>二</h2><p>{SEA}</p>")}))
    content = epub.read_bytes()
    epub.unlink()
    text = f"《潮汐表》\n\n楔子\n\n{SEA}\n\n第一章　潮\n\n{TEA}\n"
    return {"a.epub": content, "b.txt": text.encode(), "c.txt": text.encode("cp950"), "d.md": f"# 潮\n\n## 一\n\n{TEA}\n".encode()}


READERS: dict[str, Callable[[Path], Seeds]] = {
    "law": lambda folder: _law(),
    "gazette": lambda folder: _gazette(),
    "ptt": lambda folder: _ptt(),
    "forum": lambda folder: _forum(),
    "news": lambda folder: _news(),
    "rows": lambda folder: _rows(),
    "wikipedia": lambda folder: _wikipedia(),
    "web": lambda folder: _web(),
    "books": _books,
}
TOKENS: tuple[bytes, ...] = (
    b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\\ud800", b"\\u0000", b"\xa4\x40", b"\x80", b"\r", b"\n",
    b"\xe2\x80\xa8", b'"', b"\\", b"{", b"}", b"[" * 3_000, b'{"a":' * 3_000, b"]", b",", b"null", b"NaN", b"1e999",
    b"-0", b"9" * 5_000, b"-" + b"9" * 40, b"true", b"<", b">", b"&", b"&#x110000;", b"&#0;", b"&lol;",
    b"<!DOCTYPE a [<!ENTITY lol 'lol'>]>", b"<![CDATA[", b"]]>", b"<!--", b"-->",
    b"<?xml version='1.0' encoding='x'?>", b"<p>" * 2_000, b"<div><table>" * 500, b"</text>", b"{{" * 1_000,
    b"[[" * 1_000, b"{|" * 300, b"-{" * 500, b"-{H|zh-tw:a;zh-cn:b}-", b"}-", b"'''''", b"<ref", b"<nowiki>",
    b"\r\n\r\n", b"Content-Length: 99999999999999999999\r\n", b"Content-Encoding: br\r\n",
    b"Transfer-Encoding: chunked\r\n", b"charset=utf-7", b"charset=utf-16", b"HTTP/1.1 200 OK", b"WARC/1.0\r\n",
    b"../../etc/passwd", b"C:\\", b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b\x08", "第一章".encode(),
    "　".encode() * 500, "ㄅ\u0301".encode() * 300, "\U000e0001\u202e".encode(), b" " * 3_000, b"\t\n" * 1_000,
    b"0000-00-00",
)  # fmt: skip


def mutate(draw: random.Random, content: bytes, other: bytes) -> bytes:
    """One to six changes: bits, cuts, pieces of another file, repeats, hostile tokens."""
    data = bytearray(content)
    for _ in range(draw.choice((1, 1, 1, 2, 3, 6))):
        start = draw.randrange(len(data) + 1)
        stop = min(len(data), start + draw.choice((1, 2, 8, 64, 512)))
        kind = draw.randrange(8)
        if kind == 0 and data:
            for _ in range(draw.choice((1, 4, 16))):
                data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        elif kind == 1:
            del data[start:stop]
        elif kind == 2:
            del data[start:]
        elif kind == 3:
            begin = draw.randrange(len(other) + 1)
            data[start:stop] = other[begin : begin + draw.choice((1, 16, 256, 4_096))]
        elif kind == 4:
            data[start:start] = bytes(data[start:stop]) * draw.choice((1, 2, 50))
        elif kind == 5 and data:
            data[draw.randrange(len(data))] = draw.choice((0, 0x7F, 0x80, 0xFF, 0x22, 0x7B))
        else:
            data[start:start] = draw.choice(TOKENS)
    return bytes(data[:MAX_BYTES])


def mutate_file(draw: random.Random, name: str, content: bytes, other: bytes) -> bytes:
    """Half of the compressed files and archives are changed inside, so that damage gets past the compression."""
    if draw.random() < 0.5:
        if name.endswith((".zip", ".epub")):
            return _mutated_members(draw, content, other)
        for suffix, (compress, decompress) in _COMPRESSIONS.items():
            if name.endswith(suffix):
                return compress(mutate(draw, decompress(content), other))
    return mutate(draw, content, other)


def _unzstd(content: bytes) -> bytes:
    return zstandard.ZstdDecompressor().stream_reader(content, read_across_frames=True).read()


_COMPRESSIONS: dict[str, tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]] = {
    ".gz": (gzip.compress, gzip.decompress),
    ".bz2": (bz2.compress, bz2.decompress),
    ".zst": (zstandard.compress, _unzstd),
}


def _mutated_members(draw: random.Random, content: bytes, other: bytes) -> bytes:
    """The archive with one member changed, or two swapped, renamed, doubled or left out."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    index, second = draw.randrange(len(members)), draw.randrange(len(members))
    name, data = members[index]
    kind = draw.randrange(8)
    if kind == 0:
        members[index], members[second] = (name, members[second][1]), (members[second][0], data)
    elif kind == 1:
        members[index] = (draw.choice(("../" + name, "/" + name, name + ".zip", name.upper(), "\u202e" + name, "x" * 300 + name)), data)
    elif kind == 2:
        del members[index]
    elif kind == 3:
        members.insert(second, (f"{index}-{name}", data))
    else:
        members[index] = (name, mutate(draw, data, other))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, member_content in members:
            archive.writestr(member, member_content)
    return stream.getvalue()


@dataclass
class Outcome:
    """What a reader made of its inputs."""

    inputs: int = 0
    documents: int = 0
    rejected: int = 0
    seconds: float = 0.0
    slowest_seconds: float = 0.0
    crashes: list[str] = field(default_factory=list)


@cache
def _source(reader: str) -> Source:
    return open_source("src", SourceSpec.model_validate({"type": reader, "paths": ["x"]}))


def checked(items: Iterator[Document | Rejected]) -> list[Document | Rejected]:
    """All that a reader gives for one file. Raises AssertionError where it is not what the stages after it can store."""
    found = []
    for item in items:
        found.append(item)
        if isinstance(item, Rejected):
            assert item.error and item.locator and len(item.excerpt) <= 200, item
            json.dumps(asdict(item))
            continue
        assert isinstance(item, Document), type(item)
        assert item.text.strip(), "empty text"
        item.text.encode("utf-8")
        assert item.id.startswith("src:") and len(item.id) > 4, "no id"
        json.dumps(item.metadata, sort_keys=True)
    assert found, "neither a document nor a reject"
    return found


def fuzz(reader: str, folder: Path, seed: int, inputs: int | None = None, seconds: float | None = None) -> Outcome:
    """Reads mutated files of one type until so many or so long; everything found is also measured and put in a table, as annotate does.

    An input follows from the seed and its number alone, and a crash names its number; `mutant` makes it again.
    """
    outcome = Outcome()
    (folder / "rights.yaml").write_text(RIGHTS, encoding="utf-8")
    seeds = READERS[reader](folder)
    for name, content in seeds.items():  # what is built on the first call is not the first input's time
        (folder / name).write_bytes(content)
        assert any(isinstance(item, Document) for item in checked(_source(reader).read(str(folder / name)))), (name, "is no valid seed")
        (folder / name).unlink()
    pending: list[Document] = []
    began = time.monotonic()
    while (inputs is None or outcome.inputs < inputs) and (seconds is None or time.monotonic() - began < seconds):
        number = outcome.inputs
        outcome.inputs += 1
        name, content = mutant(reader, seeds, seed, number)
        path = folder / name
        path.write_bytes(content)
        start = time.process_time()
        try:
            items = checked(_source(reader).read(str(path)))
            spent = time.process_time() - start
            outcome.slowest_seconds = max(outcome.slowest_seconds, spent)
            assert spent <= MAX_SECONDS, f"{spent:.1f} s for {len(content)} bytes"
            pending += [item for item in items if isinstance(item, Document)]
            outcome.rejected += sum(isinstance(item, Rejected) for item in items)
            if len(pending) >= 200:
                _measure(pending, outcome)
        except Exception as error:
            trace = traceback.extract_tb(error.__traceback__)[-1]
            outcome.crashes.append(
                f"{reader} {number} {name}: {type(error).__name__}: {str(error)[:200]} ({Path(trace.filename).name}:{trace.lineno})"
            )
        path.unlink()
    _measure(pending, outcome)
    outcome.seconds = round(time.monotonic() - began, 1)
    outcome.slowest_seconds = round(outcome.slowest_seconds, 3)
    return outcome


def _measure(pending: list[Document], outcome: Outcome) -> None:
    """Feature rows and the stored table of the documents: no reader may give what these cannot take."""
    batch = list(pending)
    pending.clear()
    outcome.documents += len(batch)
    if batch:
        texts, table = features.annotate(batch)
        assert table.num_rows == document_table(batch, texts).num_rows == len(batch)


def mutant(reader: str, seeds: Seeds, seed: int, number: int) -> tuple[str, bytes]:
    """Name and content of input `number`."""
    draw = random.Random(f"{reader} {seed} {number}")
    name = draw.choice(sorted(seeds))
    return name, mutate_file(draw, name, seeds[name], seeds[draw.choice(sorted(seeds))])


@pytest.mark.parametrize("reader", READERS)
def test_damaged_files_give_documents_and_rejects(reader: str, tmp_path: Path) -> None:
    outcome = fuzz(reader, tmp_path, SEED, inputs=300)
    assert outcome.crashes == []
    assert outcome.inputs == 300 and outcome.documents > 0 and outcome.rejected > 30


def test_the_check_finds_what_it_looks_for() -> None:
    good = Document("src:1", "文", "src")
    assert checked(iter([good])) == [good]
    for bad in (Document("src:1", " ", "src"), Document("src:", "文", "src"), Rejected("a", "file", ""), "文"):
        with pytest.raises(AssertionError):
            checked(iter([bad]))  # type: ignore[list-item]
    with pytest.raises(UnicodeEncodeError):
        checked(iter([Document("src:1", "\ud800", "src")]))


@pytest.mark.soak
def test_ten_minutes(tmp_path: Path) -> None:
    """The time is shared evenly; counts go to benchmarks/results/fuzz.json with the seed, so that a crash can be made again."""
    commit = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=REPOSITORY, text=True).strip()
    run_for(600.0, tmp_path, int(commit[:8], 16), commit)


def run_for(seconds: float, folder: Path, seed: int, commit: str) -> None:
    """The whole run; writes its result before it fails."""
    outcomes = {reader: fuzz(reader, folder, seed, seconds=seconds / len(READERS)) for reader in READERS}
    crashes = [crash for outcome in outcomes.values() for crash in outcome.crashes]
    result = {
        "what": "mutated files of each reader: exceptions, inputs over 2 s of processor time, documents that cannot be stored",
        "inputs": sum(outcome.inputs for outcome in outcomes.values()),
        "crashes": len(crashes),
        "seconds": round(sum(outcome.seconds for outcome in outcomes.values()), 1),
        "seed": seed,
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "readers": {reader: {**asdict(outcome), "crashes": outcome.crashes[:20]} for reader, outcome in outcomes.items()},
        "commit": commit,
    }
    target = REPOSITORY / "benchmarks" / "results" / "fuzz.json"
    target.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    assert crashes == []
