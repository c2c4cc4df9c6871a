"""Numbers of money: bank accounts by the words around them, payment cards by issuer and checksum."""

from __future__ import annotations

import re
from collections.abc import Iterator

from factory.zh.pii.context import after, before, has_other_label, is_document, is_part_of_code
from factory.zh.pii.span import Span

# ISO/IEC 7812: issuer prefix and length
_ISSUER = re.compile(
    r"4(?:[0-9]{12}|[0-9]{15}|[0-9]{18})|5[1-5][0-9]{14}|(?:222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720)[0-9]{12}"
    r"|35(?:2[89]|[3-8][0-9])[0-9]{12,15}|3[47][0-9]{13}|62[0-9]{14,17}|3[68][0-9]{12,17}|(?:6011|65[0-9]{2})[0-9]{12,15}"
)
_CARD = re.compile(
    r"(?<![0-9])(?<![0-9][-. ,])(?:[0-9]{13,19}|[0-9]{4}(?:(?:[ ]?-[ ]?|[ ]{1,2})[0-9]{4}){3}(?:[- ]?[0-9]{3})?"
    r"|[0-9]{4}[- ][0-9]{6}[- ][0-9]{4,5})(?![0-9])(?![-.,][0-9])"
)
_ACCOUNT = re.compile(r"(?<![0-9+])(?<![0-9][-.,])(?:\([0-9]{3}\)[- ]?|[0-9]{3}[- ])?[0-9](?:[ ]?-?[ ]?[0-9]){9,15}(?![0-9])(?![-.,][0-9])")
_CODED = re.compile(r"\((?:00[4-9]|01[1-8]|021|048|05[0-4]|081|10[1238]|118|147|700|80[3-9]|81[0-6]|82[2-6])\)[- ]?[0-9]{10,16}")
_BANK = (
    r"帳號|帳戶|賬號|戶頭|匯款|轉帳|匯[到入至給去]|存入|轉入|存摺|銀行|郵局|局號|戶名|"
    r"台新|臺新|國泰世華|中信|玉山|富邦|華南|彰銀|一銀|兆豐|合庫|土銀|[台臺]銀|永豐|聯邦|農會|漁會|信合社|(?<![a-z])(?:atm|account|a/c)(?![a-z])"
)
_NOT_BANK = (
    r"電話|手機|專線|客服|傳真|洽|撥打|來電|統編|統一編號|身分證|訂單|單號|學號|文號|字號|字第|追蹤|發票|條碼|書號|電號|水號|[錶表]號|保單|會員|序號|信用卡|卡號|型號|運單|包裹|護照"
    r"|日期|時間|金額|驗證碼|病歷|(?<![帳賬戶])編號|代收碼|繳費代碼|查詢|(?<![a-z])(?:line|isbn|imei|iccid|tel|fax|phone|order|tracking|invoice)(?![a-z])"
)
_LABEL = re.compile(rf"(?i)(?P<bank>{_BANK})|{_NOT_BANK}")
_WEBSITE = re.compile(
    r"(?i)(?:遊戲|登入|網站|會員|臉書|使用者|用戶|學生|信箱|推特|官方|社群|版主|角色|玩家|(?<![a-z])(?:fb|ig|line|ptt|google|steam|twitter|facebook|apple|email"
    r"|discord|wifi))[ ]?的?$"
)
_DATE = re.compile(r"(?:19|20)[0-9]{2}[-/. ]?(?:0[1-9]|1[0-2])[-/. ]?(?:0[1-9]|[12][0-9]|3[01])(?:[ ]|$)|[0-9]{4} [0-9]{4}$")
_PHONE = re.compile(r"\(?0(?:9[0-9]{8}|80[09][0-9]{6}|2[2-9][0-9]{7})")
_POST_OFFICE = re.compile(r"局號[ ]?[:：]?[ ]?([0-9]{6}-?[0-9])(?![0-9])[^0-9\n]{0,8}帳號[ ]?[:：]?[ ]?([0-9]{6}-?[0-9])(?![0-9])")


def has_luhn_checksum(digits: str) -> bool:
    """Luhn (1960, US patent 2,950,048): every second digit from the right doubled, the digit sums add up to a multiple of 10."""
    total = sum(int(digit) for digit in digits[::-2]) + sum(sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return total % 10 == 0


def is_card_number(digits: str) -> bool:
    """Issuer prefix, length and checksum of a payment card."""
    return _ISSUER.fullmatch(digits) is not None and has_luhn_checksum(digits)


def find(text: str, start: int, end: int) -> Iterator[Span]:
    """Card numbers and bank accounts between `start` and `end` of the folded `text`."""
    for match in _CARD.finditer(text, start, end):
        if is_card_number(re.sub("[^0-9]", "", match[0])) and not _is_other(text, match) and _label(text, match.start()) != "bank":
            yield Span("card_number", *match.span())
    for match in _ACCOUNT.finditer(text, start, end):
        if not _is_other(text, match) and _is_account(text, match):
            glued = re.match("[0-9]{3} (?=[0-9]{10})", match[0])  # a bank's code that stands apart is not part of the number
            yield Span("bank_account", match.start() + (4 if glued else 0), match.end())
    for match in _POST_OFFICE.finditer(text, start, end):
        yield Span("bank_account", *match.span(1))
        yield Span("bank_account", *match.span(2))


def _is_other(text: str, match: re.Match[str]) -> bool:
    return is_part_of_code(text, *match.span()) or has_other_label(text, match.start()) or is_document(text, match.end())


def _label(text: str, start: int) -> str | None:
    """What the last label before `start` names: "bank", "other", or None where there is no label."""
    left = before(text, start, 48)
    if left.count("\n") > 1:
        left = left.rsplit("\n", 2)[1] + "\n" + left.rsplit("\n", 1)[1]
    label = None
    for match in _LABEL.finditer(left):
        if match["bank"] and match[0] in ("帳號", "帳戶", "賬號", "account") and _WEBSITE.search(left[: match.start()]):
            label = "other"
        else:
            label = "bank" if match["bank"] else "other"
    return label


def _is_account(text: str, match: re.Match[str]) -> bool:
    value = match[0]
    digits = re.sub("[^0-9]", "", value)
    if _DATE.match(value) or value.count(" ") + value.count("-") > 5:
        return False
    label = _label(text, match.start())
    if _PHONE.match(digits) and len(digits) == 10:
        return re.search(r"帳號[ ]?[:：是為]?[ ]?$", text[max(0, match.start() - 6) : match.start()]) is not None and label == "bank"
    if label is not None:
        return label == "bank"
    if _CODED.fullmatch(value):
        return True
    following = _LABEL.search(after(text, match.end(), 14))
    return following is not None and following["bank"] is not None
