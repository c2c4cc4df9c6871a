"""Rights files: what they must state, which file they speak of, and faults as one line that says what to do."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from datetime import date
from pathlib import Path

import fsspec
import pytest

from corpus.sources import rights
from corpus.sources.rights import Rights, RightsError, UnstatedRights, check_use, is_rights_file, rights_file, rights_of
from factory.records import License
from tests.corpus.sources.epub_files import RIGHTS

Write = Callable[[str, bytes | str], str]
TODAY = date(2026, 11, 23)


@pytest.fixture
def book(write: Write) -> str:
    return write("shelf/book.txt", "甲")


def test_a_file_of_its_own(write: Write, book: str) -> None:
    write("shelf/book.txt.rights.yaml", RIGHTS + "valid_until: 2030-12-31\nterritory: 臺灣\nnote: 只限內文\n")
    found = rights_of(book)
    assert (found.holder, found.license, found.valid_until) == ("測試作者甲", License.PROPRIETARY, date(2030, 12, 31))
    assert found.metadata() == {
        "contract_id": "K-2026-001",
        "share": 0.6,
        "permitted_use": ["training", "evaluation"],
        "valid_until": "2030-12-31",
        "territory": "臺灣",
        "rights_note": "只限內文",
    }
    check_use(found, TODAY)


def test_public_domain_needs_no_contract(write: Write, book: str) -> None:
    write("shelf/rights.yaml", "holder: 無\nlicense: public-domain\npermitted_use: [training]\n")
    assert rights_of(book).metadata() == {"permitted_use": ["training"]}


def test_a_table_speaks_of_the_files_that_it_names(write: Write, book: str) -> None:
    entry = RIGHTS.replace("\n", "\n  ").rstrip()
    name = unicodedata.normalize("NFD", "café 詩.epub")
    write("shelf/rights.yaml", f"- file: book.txt\n  {entry}\n- file: café 詩.epub\n  {entry.replace('甲', '乙')}\n- file: bad.txt\n")
    assert rights_of(book).holder == "測試作者甲"
    assert rights_of(write(f"shelf/{name}", "乙")).holder == "測試作者乙"
    with pytest.raises(UnstatedRights, match=r"no entry of rights\.yaml names third\.txt\. Write third\.txt\.rights\.yaml with holder"):
        rights_of(write("shelf/third.txt", "丙"))
    with pytest.raises(RightsError, match=r"rights\.yaml: entry 3: key 'holder' is missing"):
        rights_of(write("shelf/bad.txt", "丁"))


def test_the_file_of_its_own_is_asked_first(write: Write, book: str) -> None:
    folder = write("shelf/rights.yaml", RIGHTS)
    assert rights_file(book) == folder
    own = write("shelf/book.txt.rights.yaml", RIGHTS.replace("甲", "乙"))
    assert rights_file(book) == own and rights_of(book).holder == "測試作者乙"


def test_a_file_that_changes_is_read_again(write: Write, book: str) -> None:
    write("shelf/rights.yaml", RIGHTS)
    assert rights_of(book).share == 0.6
    write("shelf/rights.yaml", RIGHTS.replace("0.6", "0.7"))
    assert rights_of(book).share == 0.7


def test_nothing_stated(book: str) -> None:
    with pytest.raises(UnstatedRights) as raised:
        rights_of(book)
    for named in ("book.txt.rights.yaml", "rights.yaml", "holder", "license", "permitted_use", "contract_id", "share"):
        assert named in str(raised.value)


def without(key: str) -> str:
    return "".join(line + "\n" for line in RIGHTS.splitlines() if not line.startswith(key))


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("", "holds nothing"),
        ("just words", "holds str"),
        (f"- file: book.txt\n  {RIGHTS}", "YAML"),
        ("- file: book.txt\n", "holds a list"),
        (without("holder"), "'holder' is missing"),
        (without("license"), "'license' is missing"),
        (without("permitted_use"), "'permitted_use' is missing"),
        (without("contract_id"), "license proprietary needs contract_id"),
        (without("share"), "license proprietary needs share"),
        (RIGHTS.replace("0.6", "60"), "less than or equal to 1"),
        (RIGHTS.replace("0.6", "-0.1"), "greater than or equal to 0"),
        (RIGHTS.replace("0.6", "true"), "share"),
        (RIGHTS.replace("0.6", ".nan"), "share"),
        (RIGHTS.replace("proprietary", "unknown"), "license unknown states no rights"),
        (RIGHTS.replace("proprietary", "gift"), "license"),
        (RIGHTS.replace("[training, evaluation]", "[]"), "permitted_use"),
        (RIGHTS.replace("evaluation", "anything"), "permitted_use"),
        (RIGHTS + "valid_until: 2026-02-30\n", "2026-02-30"),
        (RIGHTS + "valid_until: someday\n", "valid_until"),
        (RIGHTS + "holders: 乙\n", "Did you mean 'holder'?"),
        (RIGHTS + "holder: 乙\n", "stands twice"),
        (b"holder: \xff\n", "UTF-8"),
        ("a: &x [1]\nb: *x\n", "holds an alias"),
        ("a: " + "[" * 50_000, "levels of nesting"),
        ("note: " + "x" * (5 << 20), "is over"),
    ],
)
def test_a_faulty_file_is_one_short_line(write: Write, book: str, content: str | bytes, named: str) -> None:
    write("shelf/book.txt.rights.yaml", content)
    with pytest.raises(RightsError) as raised:
        rights_of(book)
    message = str(raised.value)
    assert named in message and "book.txt.rights.yaml" in message and "\n" not in message and len(message) <= 500
    assert str(Path(book).parent) not in message and not isinstance(raised.value, UnstatedRights)


def test_aliases_that_stand_for_gigabytes_are_refused_at_once(write: Write, book: str) -> None:
    lines = ["a: &a [哈, 哈, 哈, 哈]"] + [f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 10)}]" for n in range(9)]
    write("shelf/rights.yaml", "\n".join(lines))
    with pytest.raises(RightsError, match="alias"):
        rights_of(book)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("- holder: 甲\n", "entry 1 names no file"),
        ("- 3\n", "entry 1 names no file"),
        ("- file: book.txt\n- file: book.txt\n", "both name"),
    ],
)
def test_a_faulty_table(write: Write, book: str, content: str, named: str) -> None:
    write("shelf/rights.yaml", content)
    with pytest.raises(RightsError, match=named):
        rights_of(book)


def test_rights_that_do_not_allow_training() -> None:
    stated = {"holder": "甲", "license": "cc-by-4.0", "permitted_use": ["quotation"]}
    with pytest.raises(RightsError, match="not licensed for training: permitted_use is quotation"):
        check_use(Rights.model_validate(stated), TODAY)


def test_the_last_day_still_counts() -> None:
    stated = Rights.model_validate(
        {"holder": "甲", "license": "cc-by-4.0", "permitted_use": ["training"], "valid_until": TODAY.isoformat()}
    )
    check_use(stated, TODAY)
    with pytest.raises(RightsError, match="expired: valid_until is 2026-11-23"):
        check_use(stated, date(2026, 11, 24))


def test_names_of_rights_files() -> None:
    assert [is_rights_file(name) for name in ("a/rights.yaml", "s3://b/x.epub.rights.yaml", "rights.yaml")] == [True] * 3
    assert [is_rights_file(name) for name in ("a/rights.yaml/b.txt", "copyrights.yaml", "rights.yml", "a.yaml")] == [False] * 4


def test_any_file_system() -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe({"/rights-test/a.txt": "甲".encode(), "/rights-test/rights.yaml": RIGHTS.encode()})
    try:
        assert rights_of("memory://rights-test/a.txt").holder == "測試作者甲"
    finally:
        memory.rm("/rights-test", recursive=True)


def test_a_table_is_parsed_once(write: Write, book: str, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = RIGHTS.replace("\n", "\n  ").rstrip()
    write("shelf/rights.yaml", f"- file: book.txt\n  {entry}\n- file: other.txt\n  {entry}\n")
    rights_of(book)
    monkeypatch.setattr(rights, "read_yaml", lambda path: pytest.fail("parsed again"))
    assert rights_of(write("shelf/other.txt", "乙")).holder == "測試作者甲"
