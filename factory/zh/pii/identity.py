"""Numbers of people and companies: ID card, resident certificate, unified business number, passport."""

from __future__ import annotations

import re
from collections.abc import Iterator

from factory.zh.pii.context import after, before, cell_above, has_other_label, is_part_of_code, name_before
from factory.zh.pii.span import Span

# Ministry of the Interior: the letter stands for a two-digit number, I, O, W and Z out of alphabetical order
_LETTERS = dict(zip("ABCDEFGHJKLMNPQRSTUVXYWZIO", range(10, 36), strict=True))
_COMPANY_WEIGHTS = (1, 2, 1, 2, 1, 2, 4, 1)

_CARD = re.compile(r"(?<![A-Za-z0-9])(?:[A-Za-z][1289]|[A-Za-z][A-Da-d])[0-9]{8}(?![0-9])")
_EIGHT = re.compile(r"(?<![0-9])(?<![0-9][-.,/])[0-9]{8}(?![0-9])")
_COMPANY_LABEL = re.compile(
    r"(?i)統編|統一編號|營利事業|稅籍(?:編號|登記)|發票抬頭|抬頭|買受人|三聯式|[買賣]方(?=[ :：]{0,2}$)"
    r"|(?<![a-z])(?:vat|gui|ubn|tax[ _-]?(?:id|no)|business[ _](?:id|no))(?![a-z])"
)
_COMPANY_LABEL_AFTER = re.compile(
    r"(?:[、,，與和及跟][^0-9。！？\n]{0,6}[0-9]{8})*"
    r"[ ,，、)]?[(（]?[ ]?(?:←|<-|⬅)?[ ]?(?:(?:這|那|此|以上|上面|就)?(?:是|為))?(?:我們|我|本|該|貴|敝|他們)?"
    r"(?:公司|家|店)?的?[ ]?(?:統編|統一編號)"
    r"(?![:：是為 ]{0,3}[0-9])"
)
_NOT_COMPANY = re.compile(
    r"(?i)。|[！？?!].*[！？?!]|日期|電話|手機|傳真|專線|分機|金額|文號|案號|證號|字號|字第|身分證|帳號|帳戶|護照|訂單|單號|序號|郵遞|生日|學號|民國|西元|(?:tel|fax|phone|date|order)(?![a-z])"
)
_DATE = re.compile(r"(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])")
_PASSPORT = re.compile(r"(?<![A-Za-z0-9])(?:[0-9]{9}|[A-Za-z]{1,2}[0-9]{6,8})(?![0-9])")
_PASSPORT_LABEL = re.compile(r"(?i)護照(?![料顧])|(?<![a-z])passport(?![a-z])")
_NOT_PASSPORT = re.compile(
    r"(?i)[。！？\n]|電話|手機|傳真|專線|簽證|費|日期|排名|帳號|訂單|單號|身分證|居留|統編|編號(?!碼)|郵遞|航班|班機|機票|書號|元|年|(?:tel|fax|phone|visa|flight|fee)(?![a-z])"
)
_PASSPORT_LABEL_AFTER = re.compile(
    r"(?i)[ ]?(?:[，,][^，。,\n]{0,3}[，,])?[ ]?[(（，,]?(?:[這那此]?就?是|[(（為之的])[ ]?[一-鿿]{0,4}(?:護照|passport)"
)
_PASSPORT_NAME = re.compile("(?:^|護照本?的?|證件|證照|持照|[舊新的其持])(?:號碼?|編號|證號)$")
_NEXT_ROW = re.compile("[^0-9\n]{0,24}\n[^0-9\n]{0,24}")


def is_national_id(text: str) -> bool:
    """Ministry of the Interior: the letter's two digits weigh 1 and 9, the rest 8 … 1 and 1; the sum is a multiple of 10."""
    return re.fullmatch("[A-Z][12][0-9]{8}", text) is not None and _weighted(text[0], text[1:]) % 10 == 0


def is_resident_certificate(text: str) -> bool:
    """Checksum of the ID card. National Immigration Agency: since 2021 a letter, 8 or 9 and eight digits; before, two letters, the
    second (A to D) counting by the units digit of its number."""
    if re.fullmatch("[A-Z][A-D][0-9]{8}", text):
        return _weighted(text[0], str(_LETTERS[text[1]] % 10) + text[2:]) % 10 == 0
    return re.fullmatch("[A-Z][89][0-9]{8}", text) is not None and _weighted(text[0], text[1:]) % 10 == 0


def is_company_id(text: str) -> bool:
    """Ministry of Finance, rule of April 2023: the digit sums of the digits times 1 2 1 2 1 2 4 1 add up to a multiple of 5 (before:
    of 10); with a 7 in the seventh place one more is also right. Eight zeros are nobody's number."""
    if not re.fullmatch("[0-9]{8}", text) or text == "00000000":
        return False
    total = sum(sum(divmod(int(digit) * weight, 10)) for digit, weight in zip(text, _COMPANY_WEIGHTS, strict=True))
    return total % 5 == 0 or (text[6] == "7" and (total + 1) % 5 == 0)


def _weighted(letter: str, nine: str) -> int:
    tens, ones = divmod(_LETTERS[letter], 10)
    return tens + 9 * ones + sum(weight * int(digit) for weight, digit in zip((8, 7, 6, 5, 4, 3, 2, 1, 1), nine, strict=True))


def find(text: str, start: int, end: int) -> Iterator[Span]:
    """Spans of the four kinds that begin and end between `start` and `end` of the folded `text`."""
    for match in _CARD.finditer(text, start, end):
        value = match[0].upper()
        kind = "national_id" if is_national_id(value) else "resident_certificate" if is_resident_certificate(value) else None
        if kind and not is_part_of_code(text, *match.span()) and not has_other_label(text, match.start()):
            yield Span(kind, *match.span())
    last = start
    for match in _EIGHT.finditer(text, start, end):
        if is_company_id(match[0]) and (_has_company_label(text, *match.span()) or _is_next_row(text, last, match.start())):
            yield Span("company_id", *match.span())
            last = match.end()
    last = start
    for match in _PASSPORT.finditer(text, start, end):
        if is_part_of_code(text, *match.span()):
            continue
        if _has_passport_label(text, *match.span()) or _is_next_row(text, last, match.start()):
            yield Span("passport", *match.span())
            last = match.end()


def _is_next_row(text: str, last: int, start: int) -> bool:
    """The value stands in the line after the one of its kind that ends at `last`, in the same place of the line."""
    if _NEXT_ROW.fullmatch(text, last, start) is None or not text[last - 1 : last].isdigit():
        return False
    above, row = text[text.rfind("\n", 0, last) + 1 : last], text[text.rfind("\n", 0, start) + 1 : start]
    columns = {tuple(part.count(separator) for separator in "\t,|，") for part in (above, row)}
    return len(columns) == 1 and (re.sub("[^一-鿿]", "", above) == "") == (re.sub("[^一-鿿]", "", row) == "")


def _has_company_label(text: str, start: int, end: int) -> bool:
    if re.match(r"[A-Za-z0-9_]|[-.][0-9A-Za-z]|[ ]?[元圓次筆步股萬瓩]", text[end : end + 2]):
        return False
    if re.search(r"[A-Za-z_]$|[A-Za-z0-9][-./]$", text[max(0, start - 3) : start]) and not re.search(
        r"(?i)(?<![a-z])TW[- ]?$", text[max(0, start - 4) : start]
    ):
        return False
    left = before(text, start, 48)
    label = None
    for match in _COMPANY_LABEL.finditer(left):
        label = match
    if label:
        gap = left[label.end() :]
        is_date = _DATE.fullmatch(text, start, end) is not None and not re.fullmatch("[號碼:：是為= 「『\"'(]*", gap)
        if len(gap) <= 36 and gap.count("\n") <= 1 and not _NOT_COMPANY.search(gap) and not is_date:
            return True
    elif re.search("[帳訂單學]", left) is None and _COMPANY_LABEL.search(cell_above(text, start)):
        return True
    return _COMPANY_LABEL_AFTER.match(after(text, end, 20)) is not None and not _NOT_COMPANY.search(left[-6:])


def _has_passport_label(text: str, start: int, end: int) -> bool:
    left = before(text, start, 40)
    if re.match(r"[ ]?(?:元|圓|塊|萬|次|人|名)|[-][0-9]|[.,][0-9]", text[end : end + 2]):
        return False
    name = name_before(text, start)
    if name and not _PASSPORT_NAME.search(name):
        return False
    if _PASSPORT_LABEL.search(cell_above(text, start)):
        return True
    label = None
    for match in _PASSPORT_LABEL.finditer(left):
        label = match
    if label and not _NOT_PASSPORT.search(left[label.end() :]):
        return True
    return _PASSPORT_LABEL_AFTER.match(after(text, end, 16)) is not None
