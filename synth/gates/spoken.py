"""Personal data that is said or written around the forms: numerals in characters, gaps inside a number, (at) for @."""

from __future__ import annotations

import re
from collections.abc import Iterator

from factory.zh.pii import is_national_id
from factory.zh.pii.account import has_luhn_checksum
from factory.zh.pii.span import Span

_CHARACTERS = "零〇○一二三四五六七八九兩壹貳參肆伍陸柒捌玖"
_NUMERALS = str.maketrans(_CHARACTERS, "0001234567892123456789")
_READ = re.compile(f"[{_CHARACTERS}0-9](?:[ ，、,。-]{{0,2}}[{_CHARACTERS}0-9]){{8,10}}")
_CALLED = re.compile("電話|手機|號碼|打|撥|聯絡|是")
_ID = re.compile(r"(?<![A-Za-z0-9])([A-Za-z])[ -]{0,2}((?:[1289])(?:[ -]{0,2}[0-9]){8})(?![0-9A-Za-z])")
_ID_LABEL = re.compile("身分證|身份證|證號|字號|ID(?![A-Za-z])|居留證|統一證號")
_DOT = r"[ ]?(?:\.|\(dot\)|\[dot\]|[ ]dot[ ]|點)[ ]?"
_AT = r"[ ]?(?:[(\[{<【](?:at|@|小老鼠)[)\]}>】]|小老鼠|[ ]at[ ]|#at#|_at_)[ ]?"
_MAIL = re.compile(rf"(?i)(?<![a-z0-9._-])[a-z0-9][a-z0-9._+-]{{2,30}}{_AT}[a-z0-9-]+{_DOT}[a-z]{{2,4}}(?:{_DOT}[a-z]{{2,3}})?(?![a-z])")
_TEST_HOST = re.compile(r"(?i)example|test|domain")
_ACCOUNT = re.compile(r"(?<![0-9-])[0-9](?:[ -]?[0-9]){9,15}(?![0-9-])")
_ACCOUNT_LABEL = re.compile(
    r"(?i)(?:帳號|帳戶|戶頭|存摺|匯[到入給至]|轉[到入給]|銀行|郵局|台新|國泰|玉山|中信|富邦|合庫|第一銀|華南|彰銀|永豐|兆豐"
    r"|acct|account|bank)[^。\n]{0,30}$"
)
_NOT_ACCOUNT = re.compile(
    r"(?i)(?:訂單|單號|編號|條碼|序號|劃撥|統編|發票|電話|專線|手機|型號|物流|追蹤|ISBN|公益|捐款|協會|基金會|公庫|專戶|國庫)[^。\n]{0,20}$"
)
_READ_DIGIT = "[零〇一二三四五六七八九]"
_PLATE = re.compile(
    rf"(?<![A-Za-z0-9])(?:[A-Z](?:[ 、,，.-]{{0,2}}[A-Z]){{1,2}}[ 、,，.-]{{1,3}}"
    rf"(?:[0-9]{{3,4}}|{_READ_DIGIT}(?:[、， ]?{_READ_DIGIT}){{3}})"
    r"|[A-Z]{3}-[0-9]{4}|[0-9]{4}-[A-Z][A-Z0-9])(?![A-Za-z0-9-])"
)
_PLATE_LABEL = re.compile("車主|車牌|的車|車號|座車|機車|轎車|休旅車|計程車|貨車|愛車")
_OWNER = re.compile("[一-鿿](?:先生|小姐|太太|醫師|老師|女士|媽媽|爸爸|伯|叔|阿姨|經理|主任|董)|車主|我[的爸媽家]|家父|家母|名字|姓名")
_PASSPORT = re.compile(r"(?<![0-9A-Za-z.,-])[0-9]{9}(?![0-9A-Za-z.,-])")
_ENGLISH_NAME = re.compile(r"[A-Z][A-Za-z]+, ?[A-Z][A-Za-z]+(?:-[A-Za-z]+)?")
_LINE = re.compile(r"(?<![A-Za-z0-9._@/-])(?=[a-z0-9._-]*[a-z])(?=[a-z0-9._-]*[._0-9])[a-z][a-z0-9._-]{5,19}(?![A-Za-z0-9@/(_-])")
_LINE_LABEL = re.compile(
    r"(?i)(?:加(?:我|個)?(?:的)?(?:賴|line)|(?:賴|line)[ ]?(?:id|帳號)?[ ]?[:：是]"
    r"|(?:我|他|她|弟|哥|姊|妹|爸|媽|友|先生|太太|老師|同事)的?(?:賴|line|id)?(?:是|叫|的)?)[^。\n]{0,4}$"
)
_ENGLISH_ADDRESS = re.compile(
    r"(?i)(?:(?:[0-9]{1,2}[ ]?F\.?(?:-[0-9]{1,2})?|Rm\.? ?[0-9]+),? )?No\.? ?[0-9]{1,4}(?:-[0-9]+)?,? "
    r"(?:(?:Aly|Alley|Ln|Lane)\.? ?[0-9]+,? )*(?:Sec\.? ?[0-9]+,? )?[A-Z][a-z0-9'’ ]{2,24}(?:St|Rd|Road|Street|Blvd|Ave)\.?(?![a-z])"
)
_ENGLISH_PERSON = re.compile(r"(?:Mr|Ms|Mrs|Miss)\.? [A-Z]|(?i:\bhome\b|\blives? (?:at|in)\b|\bmy (?:address|place|apartment)\b)")


def spoken(text: str, row: str) -> Iterator[Span]:
    """Values that the corpus's finder leaves, as it has to be sure in any text; `text` is folded and a part of `row`."""
    for match in _READ.finditer(text):
        digits = re.sub("[^0-9]", "", match[0].translate(_NUMERALS))
        telephone = (len(digits) == 10 and digits.startswith("09")) or (len(digits) in (9, 10) and re.match("0[2-8]", digits))
        if telephone and re.search(_READ_DIGIT, match[0]) and _CALLED.search(text, max(0, match.start() - 20), match.start()):
            yield Span("mobile", *match.span())
    for match in _ID.finditer(text):
        value = (match[1] + re.sub("[^0-9]", "", match[2])).upper()
        broken = len(match[0]) > len(value)
        if broken and (is_national_id(value) or _ID_LABEL.search(text, max(0, match.start() - 24), match.start())):
            yield Span("national_id", *match.span())
    for match in _MAIL.finditer(text):
        if not _TEST_HOST.search(match[0]):
            yield Span("email", *match.span())
    for match in _ACCOUNT.finditer(text):
        left = text[max(0, match.start() - 48) : match.start()]
        digits = re.sub("[^0-9]", "", match[0])
        card = len(digits) == 16 and has_luhn_checksum(digits)
        if (
            10 <= len(digits) <= 16
            and not digits.startswith("09")
            and not card
            and _ACCOUNT_LABEL.search(left)
            and not _NOT_ACCOUNT.search(left)
        ):
            yield Span("bank_account", *match.span())
    for match in _PLATE.finditer(text):
        around = text[max(0, match.start() - 40) : match.end() + 40]
        if _PLATE_LABEL.search(around) and _OWNER.search(around):
            yield Span("licence_plate", *match.span())
    for match in _PASSPORT.finditer(text):
        if "護照" in row and _ENGLISH_NAME.search(text, max(0, match.start() - 40), match.start()):
            yield Span("passport", *match.span())
    if "賴" in row or "line" in row.lower():
        for match in _LINE.finditer(text):
            if _LINE_LABEL.search(text, max(0, match.start() - 24), match.start()):
                yield Span("line_id", *match.span())
    for match in _ENGLISH_ADDRESS.finditer(text):
        if _ENGLISH_PERSON.search(text, max(0, match.start() - 60), match.end() + 40):
            yield Span("address", *match.span())
