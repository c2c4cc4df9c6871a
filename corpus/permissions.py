"""What a document's rights allow, who has opted out, and what each rights holder's share of a corpus is."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import pyarrow.parquet as pq

from corpus.forget import Selectors
from factory import storage
from factory.errors import UserError
from factory.records import License

if TYPE_CHECKING:
    from corpus.rights_account import Account

Use = Literal["train", "redistribute", "commercial"]
USES: tuple[Use, ...] = ("train", "redistribute", "commercial")
NAMES = ("id", "url", "domain", "holder")  # of what an opt-out list may name
COLUMNS = ["id", "parent_id", "url", "rights_holder", "license", "metadata"]

_ALL = frozenset(USES)
_ALLOWED: dict[License, frozenset[str]] = {
    **dict.fromkeys(License, _ALL),  # attribution and share-alike are conditions of use, not limits to it
    License.CC_BY_NC_4: frozenset({"train", "redistribute"}),
    License.PROPRIETARY: frozenset(),  # what the contract states
    License.UNKNOWN: frozenset(),  # nothing stated is nothing allowed
}
_OF_CONTRACT = {"training": "train", "redistribution": "redistribute", "commercial": "commercial"}


def allowed(license: str, metadata: str | None) -> frozenset[str]:
    """Uses that a document's licence, or the contract in its metadata, allows."""
    known = License(license)
    if known is not License.PROPRIETARY:
        return _ALLOWED[known]
    stated = json.loads(metadata).get("permitted_use") if metadata else None
    return frozenset(_OF_CONTRACT[use] for use in stated if use in _OF_CONTRACT) if isinstance(stated, list) else frozenset()


def read_opt_outs(path: str) -> Selectors:
    """An opt-out list: JSONL with one of NAMES in each row. Raises UserError for a row that names nothing."""
    found: dict[str, list[str]] = {name: [] for name in NAMES}
    with storage.open_binary(path) as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise UserError(f"{path}:{number}: is not JSON: {error}. Correct that line.") from None
            named = [name for name in NAMES if isinstance(row, dict) and isinstance(row.get(name), str) and row[name].strip()]
            if not named:
                raise UserError(f"{path}:{number}: names nothing. Give one of {', '.join(NAMES)} as text.")
            for name in named:
                found[name].append(row[name].strip().lower() if name == "domain" else row[name].strip())
    return Selectors(*(tuple(found[name]) for name in NAMES))


class Verdict(NamedTuple):
    """Why a document may not be used."""

    opted_out: bool
    observed: str
    threshold: str


def refused(path: str, use: Use | None, opt_outs: Selectors | None) -> list[Verdict | None]:
    """For each row of a part's `documents.parquet` why it may not be used; None where it may."""
    found: list[Verdict | None] = []
    with pq.ParquetFile(path) as stored:
        for batch in stored.iter_batches(batch_size=10_000, columns=COLUMNS):
            found += [_verdict(row, use, opt_outs) for row in batch.to_pylist()]
    return found


def _verdict(row: dict[str, Any], use: Use | None, opt_outs: Selectors | None) -> Verdict | None:
    if opt_outs is not None and opt_outs.names(row):
        return Verdict(True, f"url={row['url']}, rights_holder={row['rights_holder']}", "named in the opt-out list")
    if use is not None and use not in allowed(row["license"], row["metadata"]):
        return Verdict(False, f"license={row['license']}", f"allows {use}")
    return None


class Royalty(NamedTuple):
    """What one holder's texts are of a mixture. `weighted_share` is of all shares times tokens, None without a contract's share."""

    account: Account
    epochs: float
    tokens: int  # tokens of one epoch times epochs
    share_of_tokens: float
    weighted_share: float | None


def royalties(accounts: Sequence[Account], epochs: float) -> list[Royalty]:
    """The accounts of a run as shares of what is trained on. Shares sum to 1; weighted ones over contracts that state a share."""
    total = sum(account.tokens for account in accounts)
    weights = [account.tokens * account.share if account.share else 0.0 for account in accounts]
    return [
        Royalty(
            account,
            epochs,
            round(account.tokens * epochs),
            account.tokens / total if total else 0.0,
            None if account.share is None else weight / sum(weights) if sum(weights) else 0.0,
        )
        for account, weight in zip(accounts, weights, strict=True)
    ]


def as_csv(found: Iterable[Royalty]) -> str:
    """One row an account, with a header."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(
        ["rights_holder", "contract_id", "license", "contract_share", "works", "documents", "tokens_per_epoch", "epochs", "tokens",
         "share_of_tokens", "weighted_share"]
    )  # fmt: skip
    for row in found:
        a = row.account
        weighted = None if row.weighted_share is None else f"{row.weighted_share:.8f}"
        writer.writerow(
            [_cell(a.rights_holder), _cell(a.contract_id), a.license, a.share, a.books, a.documents, a.tokens, row.epochs, row.tokens,
             f"{row.share_of_tokens:.8f}", weighted]
        )  # fmt: skip
    return stream.getvalue()


def _cell(text: str | None) -> str | None:
    """A name as a cell: a spreadsheet would run what begins like a formula."""
    return f"'{text}" if text and text[0] in "=+-@\t\r" else text


def statement(found: Sequence[Royalty], name: str, estimated: bool) -> str:
    """A Markdown statement in zh-TW, one section for each contract with a share."""
    lines = [f"# 權利金結算表：{name}", "", f"訓練 {found[0].epochs:g} 輪" + ("；token 數為依字數估計" if estimated else "") + "。", ""]
    held = [row for row in found if row.account.share is not None]
    if not held:
        lines += ["本語料沒有約定分潤比例的著作。", ""]
    for row in held:
        a = row.account
        lines += [
            f"## {_plain(a.rights_holder or '未載明權利人')}",
            "",
            f"- 契約編號：{_plain(a.contract_id or '未載明')}",
            f"- 著作：{a.books:,} 件，{a.documents:,} 篇",
            f"- 每輪 {a.tokens:,} 個 token，共 {row.tokens:,} 個，占全部語料 {row.share_of_tokens:.4%}",
            f"- 契約約定分潤比例：{a.share:.2%}",
            f"- 依「分潤比例 × token 數」計算，占全部應付權利金 {row.weighted_share:.4%}",
            "",
        ]
    others = sum(row.tokens for row in found if row.account.share is None)
    lines += [f"其他無須給付權利金的文字：{others:,} 個 token。", ""]
    return "\n".join(lines)


def _plain(text: str) -> str:
    """A name without what Markdown or HTML would read as markup."""
    cleaned = " ".join(text.split())
    return "".join(f"\\{c}" if c in "\\`*_[]<>#|&" else c for c in cleaned)
