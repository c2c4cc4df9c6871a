"""Numbers of money: bank accounts by the words around them, payment cards by issuer and checksum."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from factory.zh import wordlists
from factory.zh.pii.context import after, before, has_other_label, is_document, is_part_of_code, name_before
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
_CODE = r"(?:00[4-9]|01[1-8]|021|048|05[0-4]|081|10[1238]|118|147|700|80[3-9]|81[0-6]|82[2-6])"
_CODED = re.compile(rf"(?:\({_CODE}\)[- ]?|{_CODE}-)[0-9]{{10,16}}")
# words for an account or a transfer to one; a bank's name alone speaks of many things and counts only right before the number
_STRONG = (
    r"帳號(?!密碼|登入|被盜|名稱|停權)|帳戶|賬號|戶頭|匯款|轉帳|匯[到入至給去]|改匯|電匯|存入|轉入|轉[到去給]|撥入|存摺(?!機)|存簿|局號|戶名|專戶"
    r"|(?<![a-z])(?:account|a/c)(?![a-z])"
)
_NOT_BANK = (
    r"電話|手機|專線|客服|傳真|洽|撥打|來電|統編|統一編號|身分證|訂單|單號|學號|文號|字號|字第|追蹤|發票|條碼|書號|電號|水號|[錶表]號|保單|會員|序號|信用卡|卡號|型號|運單|包裹|護照"
    r"|日期|時間|金額|驗證碼|病歷|(?<![帳賬戶])編號|代收碼|繳費代碼|查詢|掛號|(?<![a-z])(?:line|isbn|imei|iccid|tel|fax|phone|order|tracking|invoice|uid)(?![a-z])"
)
_LABEL = re.compile(rf"(?i)(?P<bank>{_STRONG})|{_NOT_BANK}")
_LABEL_AFTER = re.compile(rf"(?i)(?P<bank>帳號(?!密碼|登入|被盜|名稱|停權)|帳戶|賬號|戶頭|匯款)|{_NOT_BANK}")
_TRANSFER = re.compile("[匯轉存][ ]?[「『(]?$")
_ACCOUNT_NAME = re.compile("[帳賬][號戶]|戶頭|戶號|局號|(?:^|的)號碼|銀行代[號碼]|[0-9]代[號碼]|存[摺簿款]")
_BRIDGE = re.compile(
    r"(?:[ :,，、/「『(）)是為的在\n]|銀行|商銀|代[碼號]|存款|[0-9]{3,4}(?![0-9])|[一-鿿]{0,6}(?:分行|支局|分部|分社|營業部))*+"
)
_AMOUNT = re.compile("[ ]?(?:元|圓|塊|萬|億|股|美[元金]|日[圓元幣]|歐元|人民幣|印尼盾|步|公尺)")
_TIMESTAMP = re.compile("(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])(?:[01][0-9]|2[0-3])[0-5][0-9](?:[0-5][0-9])?")
_WEBSITE = re.compile(
    r"(?i)(?:遊戲|登入|網站|會員|臉書|使用者|用戶|學生|信箱|推特|官方|社群|群組|粉專|粉絲頁|版主|角色|玩家|蝦皮|露天|拍賣|賣場|購物|網購|平台|系統|抖音|微博|微信"
    r"|微軟|論壇|直播|(?<![a-z])(?:fb|ig|line|ptt|google|steam|twitter|facebook|apple|email|discord|wifi|app|netflix|youtube|uid))[ ]?的?$"
)
_DATE = re.compile(r"(?:19|20)[0-9]{2}[-/. ]?(?:0[1-9]|1[0-2])[-/. ]?(?:0[1-9]|[12][0-9]|3[01])(?:[ ]|$)|[0-9]{4} [0-9]{4}$")
_PHONE = re.compile(r"\(?0(?:9[0-9]{8}|80[09][0-9]{6}|2[2-9][0-9]{7})")
_GROUPED_PHONE = re.compile(r"0(?:2-[2-9][0-9]{3}-?[0-9]{4}|[3-8]-[2-9][0-9]{2}-?[0-9]{4}|[3-8][0-9]{1,2}-[2-9][0-9]{2}-?[0-9]{3,4})")
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
    if re.match(r":[0-9]{2}(?![0-9])", text[match.end() : match.end() + 4]):  # a date and the hour of a clock: 08202021 02:51
        return True
    return is_part_of_code(text, *match.span()) or has_other_label(text, match.start()) or is_document(text, match.end())


@cache
def _bank() -> re.Pattern[str]:
    names = sorted((row[0] for row in wordlists.read_rows(wordlists.DATA / "banks.txt")), key=len, reverse=True)
    return re.compile("|".join(name.replace("臺", "[台臺]") for name in names) + "|銀行|存款|(?i:(?<![a-z])atm(?![a-z]))")


def _left(text: str, start: int) -> str:
    left = before(text, start, 48)
    return "\n".join(left.rsplit("\n", 2)[-2:])


def _label(text: str, start: int) -> str | None:
    """What the last label before `start` names: "bank" (an account), "other", or None where there is no label."""
    left = _left(text, start)
    label = None
    for match in _LABEL.finditer(left):
        website = match["bank"] and match[0].lower() in ("帳號", "帳戶", "賬號", "account") and _WEBSITE.search(left[: match.start()])
        label = "bank" if match["bank"] and not website else "other"
    return label


def _follows_bank(text: str, start: int) -> bool:
    """Only branch, code and punctuation stand between a bank's name, or the verb of a transfer, and the number."""
    left = _left(text, start)
    if _TRANSFER.search(left):
        return True
    end = max((match.end() for match in _bank().finditer(left)), default=-1)
    return end >= 0 and _BRIDGE.fullmatch(left, end) is not None


def _pays(text: str, start: int, end: int) -> bool:
    """Money is sent, or a bank is named right behind."""
    return re.search("[匯轉付存收]", before(text, start, 12)) is not None or _bank().search(after(text, end, 8)) is not None


def _is_account(text: str, match: re.Match[str]) -> bool:
    value, start = match[0], match.start()
    digits = re.sub("[^0-9]", "", value)
    if _DATE.match(value) or value.count(" ") + value.count("-") > 5 or _AMOUNT.match(text, match.end()):
        return False
    label = _label(text, start)
    if (_PHONE.match(digits) and len(digits) == 10) or _GROUPED_PHONE.fullmatch(value) or _TIMESTAMP.fullmatch(digits):
        return label == "bank" and re.search(r"(?:帳號|帳戶|戶頭)[ ]?[:：是為]?[ ]?$", text[max(0, start - 6) : start]) is not None
    name = name_before(text, start)
    if name and not _ACCOUNT_NAME.search(name):
        return False
    if label == "bank":
        return True
    if _follows_bank(text, start):
        return not is_card_number(digits)
    if label is None and _CODED.fullmatch(value) and (value[0] == "(" or _pays(text, start, match.end())):
        return True
    following = None if label else _LABEL_AFTER.search(after(text, match.end(), 14))
    return following is not None and following["bank"] is not None and not is_card_number(digits)
