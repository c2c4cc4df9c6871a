"""What is found in rows, and that values are never told."""

from __future__ import annotations

from typing import Any

import pytest

from factory.hub.screen import SHOWN, Screen, kept_by_policy, texts
from factory.records import License

PERSONAL = {
    "mobile": "請打 0912-345-678 找我",
    "national_id": "身分證字號 A123456789",
    "email": "寄到 someone@mail.example.com.tw",
}
SECRETS = {
    "Hugging Face token": "hf" + "_" + "aB3" * 12,
    "API key": "sk" + "-proj-" + "a1B2" * 8,
    "GitHub token": "ghp" + "_" + "a1" * 18,
    "AWS key": "AKIA" + "A1B2C3D4E5F6G7H8",
    "Google key": "AIza" + "a1B2c" * 7,
    "Slack token": "xoxb" + "-123456789012-abc",
    "private key": "-----BEGIN RSA " + "PRIVATE KEY-----",
}


def screened(row: dict[str, Any], **kept: frozenset[str]) -> Screen:
    screen = Screen(None, kept)
    screen.row({"license": "apache-2.0", **row}, "a.jsonl:1", "s")
    return screen


@pytest.mark.parametrize("kind", PERSONAL)
@pytest.mark.parametrize("place", ["text", "title", "deep"])
def test_personal_data_anywhere_in_a_row(kind: str, place: str) -> None:
    value = PERSONAL[kind]
    row = {place: value} if place != "deep" else {"messages": [{"role": "user", "content": ["x", {"y": value}]}]}
    (line,) = screened(row).report()
    assert line == f"a.jsonl:1: {kind.replace('_', ' ')}"


def test_a_firms_number_stays_and_a_placeholder_is_no_find() -> None:
    assert screened({"text": "統一編號 04595257"}).report() == []
    assert screened({"text": "請打 [手機號碼] 找我"}).report() == []


@pytest.mark.parametrize("kind", SECRETS)
def test_secrets(kind: str) -> None:
    report = screened({"text": f"key={SECRETS[kind]}。"}).report()
    assert report == [f"a.jsonl:1: {kind}"]
    assert SECRETS[kind] not in report[0]


@pytest.mark.parametrize(
    "text",
    [
        "hf_hub_download 與 hf_model",
        "task-specific-fine-tuning-of-models",
        "sk-learn-contrib-and-friends-of-it",
        "risk-1234567890-abcdefghijkl",
    ],
)
def test_words_that_are_no_secrets(text: str) -> None:
    assert screened({"text": text}).report() == []


def test_the_token_in_use() -> None:
    screen = Screen("eight-or-more", {})
    screen.secrets("some eight-or-more here", "README.md")
    assert screen.report() == ["README.md: token in use"]
    screen = Screen("x", {})
    screen.secrets("x", "README.md")
    assert screen.report() == []


def test_licences_are_counted_by_source() -> None:
    screen = Screen(None, {})
    for license in ("unknown", "unknown", None, "apache-2.0", "proprietary"):
        screen.row({"license": license}, "a:1", "web")
    assert screen.report() == [
        "2 rows of 'web' under licence 'unknown' may not be passed on",
        "1 rows of 'web' under licence 'not stated' may not be passed on",
        "1 rows of 'web' under licence 'proprietary' may not be passed on",
    ]
    assert Screen(None, {}).row({"license": "mit"}, "a:1", "s") is License.MIT


def test_many_findings_are_counted_and_few_shown() -> None:
    screen = Screen(None, {})
    for number in range(SHOWN + 5):
        screen.row({"license": "mit", "text": PERSONAL["mobile"]}, f"a:{number}", "s")
    report = screen.report()
    assert len(report) == SHOWN + 1
    assert report[-1] == f"... and 5 more: mobile {SHOWN + 5}"


def test_what_a_policy_keeps_passes_for_its_source_alone_and_is_counted() -> None:
    row = {"license": "mit", "text": PERSONAL["email"]}
    screen = Screen(None, {"law": frozenset({"email"})})
    screen.row(row, "a:1", "law")
    assert screen.report() == []
    assert screen.passed == {("law", "email"): 1}
    screen.row(row, "a:2", "web")
    assert screen.report() == ["a:2: email"]


def test_what_a_policy_keeps_is_read_by_name_then_type() -> None:
    facts = {
        "policy": {
            "personal_data": {
                "default": {"company_id": "keep"},
                "law": {"landline": "keep"},
                "acts": {"email": "keep", "company_id": "redact"},
            }
        },
        "recipe": {"sources": {"acts": {"type": "law"}, "statutes": {"type": "law"}, "web": {"type": "web"}}},
    }
    assert kept_by_policy(facts) == {
        "acts": frozenset({"email"}),
        "statutes": frozenset({"company_id", "landline"}),
        "web": frozenset({"company_id"}),
    }
    assert kept_by_policy({}) == {}


def test_texts_of_a_row() -> None:
    assert list(texts({"a": "x", "b": ["y", {"c": "z", "d": 3}], "e": None})) == ["x", "y", "z"]
