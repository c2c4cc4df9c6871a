"""The page: the same bytes for the same run, sums that hold, and nothing that a hostile text could do."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from corpus.policy import Policy
from corpus.report import MAX_ERRORS, bilingual, policy_rows, quarantine_errors, write_report
from corpus.report_data import Hits
from factory.errors import UserError
from tests.corpus.test_report_data import POLICY, document, documents, write_run

VOID = {"meta", "link", "input", "br", "img", "hr"}


class Page(HTMLParser):
    """Tags, attributes and texts of a page; `open` must end empty."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th") and self.rows:
            self.rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, (tag, self.getpos())

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if self.rows and self.rows[-1] and set(self.open) & {"td", "th"}:
            self.rows[-1][-1] += data


def page_of(folder: Path) -> str:
    write_report(str(folder))
    return (folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture
def text(tmp_path: Path) -> str:
    return page_of(write_run(tmp_path / "run", documents()))


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    first = page_of(write_run(tmp_path / "a", documents()))
    assert first == page_of(tmp_path / "a") == page_of(write_run(tmp_path / "elsewhere" / "b", documents()))


def test_no_place_and_no_request(text: str, tmp_path: Path) -> None:
    assert str(tmp_path) not in text and "/secret/place" not in text
    for tag, attributes in Page(text).tags:
        assert attributes.get("src") is None
        assert (attributes.get("href") or "#").startswith(("#", "data:,")), tag
    assert not re.search(r"https?://|url\((?!#)|@import", text)


def test_hostile_texts_are_only_text(text: str) -> None:
    page = Page(text)
    assert not page.open
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert not {"i", "img", "iframe", "form"} & {tag for tag, _ in page.tags}
    assert "&lt;script&gt;alert(&#39;一&#39;)&lt;/script&gt; &#34;引號&#34; &amp; &lt;img src=x onerror=alert(2)&gt;" in text
    for harmless in (
        "&lt;script&gt;alert(3)",
        "&lt;b&gt;標題",
        "&lt;script&gt;holder",
        "&lt;w4&gt;&amp;",
        "A &lt;b&gt;small&lt;/b&gt;",
        "&lt;i&gt;read",
    ):
        assert harmless in text
    assert "‮" not in text and "0912-345-678" not in text and "someone@" not in text and "{{ 7*7 }}" in text


def test_only_the_named_script_may_run(text: str) -> None:
    script = text.partition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text and "default-src 'none'" in text


def test_the_arithmetic_shown_is_the_funnel(text: str, tmp_path: Path) -> None:
    funnel = json.loads((tmp_path / "run" / "manifest.json").read_text())["funnel"]
    sums = {name: sum(entry[name] for entry in funnel.values()) for name in ("documents", "kept", "removed", "quarantined", "chars_kept")}
    shown = [int(number) for number in re.findall(r"<dd>(\d+)</dd>", text.partition('id="arithmetic"')[2].partition("</dl>")[0])]
    assert shown == [sums["documents"], sums["kept"], sums["removed"], sums["quarantined"]]
    assert shown[0] == sum(shown[1:])
    table = Page(text.partition('id="funnel-table">')[2].partition("</table>")[0].partition("</caption>")[2]).rows[1:]
    for row in table:
        documents_in, *ways = (int(cell.replace(",", "")) for cell in row[1:-1])
        assert documents_in == sum(ways)
    assert [row[0] for row in table[:-1]] == list(funnel)
    assert [row[1] for row in table[:-1]] == [str(entry["documents"]) for entry in funnel.values()]
    assert table[-1][1] == str(sums["documents"]) and table[-1][-1] == f"{sums['chars_kept']:,}"


def test_everything_is_said_in_both_languages(text: str) -> None:
    assert len(re.findall(r'class="t" lang="en"', text)) == len(re.findall(r'class="t" lang="zh-Hant-TW"', text)) > 100
    for english, chinese in (
        ("documents in", "輸入文件"),
        ("Removed by policy", "規則移除"),
        ("estimate", "估計值"),
        ("Near copy", "近似重複"),
    ):
        assert f">{english}</span>" in text and f">{chinese}</span>" in text


def test_headings_and_tables_can_be_followed_without_seeing(text: str) -> None:
    page = Page(text)
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert all("scope" in attributes for tag, attributes in page.tags if tag == "th")
    assert [tag for tag, _ in page.tags].count("table") == [tag for tag, _ in page.tags].count("caption")
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {attributes["href"] for tag, attributes in page.tags if tag == "a"} <= {f"#{name}" for name in ids}


def test_budget_and_estimate(text: str) -> None:
    tokens = 6 * len("河堤邊的市場每天清晨五點開張。")
    assert f"{tokens} ÷ 35,000,000,000 = " in text
    assert "Estimated at 0.8 tokens a character" in text


def test_a_tokenizer_is_named_without_its_folder(tmp_path: Path) -> None:
    folder = write_run(tmp_path, documents())
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["recipe"]["mixture"]["tokenizer"] = "/home/someone/models/taiwan.json"
    manifest["tokens_are_estimated"] = False
    (folder / "manifest.json").write_text(json.dumps(manifest))
    text = page_of(folder)
    assert "Counted with taiwan.json" in text and "/home/someone" not in text and "估計值" not in text


@pytest.mark.parametrize("rows", [[], [document("only")]], ids=["nothing in", "nothing removed"])
def test_small_runs(tmp_path: Path, rows: list[dict[str, object]]) -> None:
    folder = write_run(tmp_path, rows, agreement=None)
    assert not Page(page_of(folder)).open


def test_policy_rows_count_what_each_rule_removed() -> None:
    hits = [
        Hits("too_short", "short", "web", "chars < 50", 4),
        Hits("too_short", "short", "law", "chars < 10", 2),
        Hits("scam", "scam", "web", "", 1),
    ]
    short, scam, script = policy_rows(Policy.model_validate(POLICY), hits)
    assert (short.documents, short.sources, script.documents) == (6, {"web": 4, "law": 2}, 0)
    assert scam.switched_off == ["law"] and short.changes[0][:2] == ("law", "chars < 10")


def test_faults_of_the_input_are_counted_by_kind(tmp_path: Path) -> None:
    rows = [{"source": "web", "path": "a.jsonl", "locator": f"line {n}", "error": "cut off" if n % 2 else f"odd {n}"} for n in range(1, 90)]
    (tmp_path / "quarantine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = quarantine_errors(str(tmp_path))
    assert len(found) == MAX_ERRORS
    assert found[0] == ("web", "cut off", 45, "a.jsonl: line 1")


def test_both_languages_are_escaped() -> None:
    assert bilingual("<a>", '"&') == '<span class="t" lang="en">&lt;a&gt;</span><span class="t" lang="zh-Hant-TW">&#34;&amp;</span>'


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Run 'twllm corpus build'"):
        write_report(str(tmp_path))


def test_the_sample_build_has_a_report(sample_run: Path) -> None:
    text = (sample_run / "report.html").read_text(encoding="utf-8")
    assert not Page(text).open
    manifest = json.loads((sample_run / "manifest.json").read_text())
    for rule in {row["rule"] for row in pq.read_table(sample_run / "decisions.parquet").to_pylist() if row["rule"]}:
        assert rule in text or rule in ("lines", "mixture")
    assert manifest["stages"]["decide"] in text
    assert str(sample_run) not in text
