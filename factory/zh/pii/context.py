"""What stands around a number: labels before and after it, and whether it is only a part of a longer code or address."""

from __future__ import annotations

import re

from factory.zh.pii.span import PLACEHOLDER

MAX_TOKEN_CHARS = 500  # how far a URL is followed back
_TOKEN_END = re.compile(r"[!#-;=?-~]*$")
_URL = re.compile(r"(?i)://|www\.|^[^@]*\.(?:com|tw|net|org|io|cc|me|be|gl|ly)/")
_LABEL_WORD = re.compile(r"(?i)(?<![a-z])(?:tel|telephone|phone|fax|mobile|cell|call|line|id|no|mail|[tmfp])[-.:]?$")
_KEY = re.compile("[A-Za-z_][A-Za-z0-9_.]*=")
_STARS = re.compile(r"([*＊]{1,3})(?![*＊0-9A-Za-z])")
# the noun that ends right before a value and says which sort of number it is; a numeral before 號 counts something
_NAME = re.compile(
    r"([一-鿿]{0,8}(?:號碼|編號|代號|代碼|(?<![一二三四五六七八九十])號|碼|單|聯|標籤|戳記|流水|案件|收據|單據|密碼))"
    r"[ ]?(?:[:：=是為]|就是)?[ 「『“\"'(]{0,3}$"
)
_GLUED_AFTER = re.compile(r"[A-Za-z0-9_*＊]|[-.=][A-Za-z0-9*＊]|[/%&?][A-Za-z]")
_WORD_AFTER = re.compile(r"(?i)(?:line|or|tel|fax|mobile|email)(?![a-z])")
_OTHER_NUMBER = re.compile(
    r"(?i)(?:訂單|單號|型號|料號|貨號|品號|件號|序號|批號|機號|流水號|產品|商品|貨品|零件|包裹|追蹤碼|查詢碼|運單|航班|班機|車次|文號|案號|發票|條碼|保單"
    r"|學號|病歷|電號|水號|[錶表]號|會員|圖號|書號|票號|准考證|郵遞區號|驗證碼|(?<!一)(?<!證)(?<!戶)編號|(?<![a-z])(?:serial|s/?n|model|part|sku|order|tracking"
    r"|imei|isbn|issn|iccid|invoice|ref|ticket|issue|commit|hash|build|asin|doi|pmid|uid|token|session|nonce|signature|sig|sha|md5|uuid|etag|trace|request|req|txn))"
    r"(?:編號|號碼|代號|代碼|碼|號)?[ _]?(?:no|number|id|#)?[.]?[ ]?[:：#是為=]{0,2}[ 「『\"'(（]?$|第[ ]{0,2}$"
)
_DOCUMENT = re.compile(r"[ ]{0,2}號(?:[令函書公解判]|、第|及第)")
_FOLDED_PUNCTUATION = tuple(zip("－–‐‑−．（）＋：＃／＿　\u00a0", "-----.()+:#/_  ", strict=True))
_FOLDED_LETTERS = {code: code - 0xFEE0 for first, last in ("09", "AZ", "az") for code in range(ord(first) + 0xFEE0, ord(last) + 0xFEE1)}
_WIDE_LETTER = re.compile("[０-９Ａ-Ｚａ-ｚ]")


def fold(text: str) -> str:
    """Full-width letters, digits and separators, and the kinds of hyphens, as ASCII; the length stays."""
    if _WIDE_LETTER.search(text):
        text = text.translate(_FOLDED_LETTERS)
    text = text.replace("＠", "@")
    for wide, narrow in _FOLDED_PUNCTUATION:
        text = text.replace(wide, narrow)
    return text


def before(text: str, start: int, chars: int) -> str:
    """Up to `chars` characters before `start`, from after the last placeholder: a placeholder is nobody's label."""
    found = text[max(0, start - chars) : start]
    if "]" in found:
        for match in PLACEHOLDER.finditer(text, max(0, start - chars - 8), start):
            found = text[max(match.end(), start - chars) : start]
    return found


def after(text: str, end: int, chars: int) -> str:
    """Up to `chars` characters from `end` on, to the end of the line or to a placeholder."""
    found = text[end : end + chars].partition("\n")[0]
    if "[" in found:
        match = PLACEHOLDER.search(text, end, end + chars + 8)
        found = found[: match.start() - end] if match else found
    return found


def is_part_of_code(text: str, start: int, end: int) -> bool:
    """The value continues in letters, digits or an asterisk, or is part of a URL, path or file name. `text` is folded."""
    if _is_starred(text, start, end):
        return False
    following = _GLUED_AFTER.match(text, end)
    if following and not _WORD_AFTER.match(text, end):
        return True
    if start == 0 or not "!" <= text[start - 1] <= "~":
        return False
    found = _TOKEN_END.search(text, max(0, start - MAX_TOKEN_CHARS), start)
    token = found[0] if found else ""
    if _URL.search(token):
        return True
    if _LABEL_WORD.search(token) or _KEY.fullmatch(token):  # `key=value` of a log
        return False
    return bool(re.search(r"[A-Za-z0-9_*%#]$|[A-Za-z0-9*][-._=]$", token))


def _is_starred(text: str, start: int, end: int) -> bool:
    """The same asterisks stand on both sides: emphasis, where a mask would stand on one."""
    stars = _STARS.match(text, end)
    if stars is None or not text.startswith(stars[1], max(0, start - len(stars[1])), start):
        return False
    return not re.search("[*＊0-9A-Za-z]$", text[max(0, start - len(stars[1]) - 1) : start - len(stars[1])])


def name_before(text: str, start: int) -> str:
    """The noun that ends right before the value and names a sort of number (…號碼, …編號, …碼 …), or an empty string."""
    match = _NAME.search(before(text, start, 16))
    return match[1] if match else ""


def cell_above(text: str, start: int) -> str:
    """The cell of the line above that stands over the value, where commas, tabs or bars make columns; else an empty string."""
    line = text.rfind("\n", max(0, start - MAX_TOKEN_CHARS), start)
    if line < 0:
        return ""
    above = text[text.rfind("\n", max(0, line - MAX_TOKEN_CHARS), line) + 1 : line]
    row = text[line + 1 : start]
    for separator in "\t,|，":
        cells = above.split(separator)
        if (
            len(cells) > 1
            and row.count(separator) < len(cells)
            and (separator in row or separator in text[start : start + 24].partition("\n")[0])
        ):
            return cells[row.count(separator)]
    return ""


def has_other_label(text: str, start: int) -> bool:
    """The words before the value name a number of another sort: of an order, product, parcel, flight, invoice, book, official letter …"""
    return _OTHER_NUMBER.search(before(text, start, 24)) is not None


def is_document(text: str, end: int) -> bool:
    """The value counts official letters: 號函, 號公告."""
    return _DOCUMENT.match(text, end) is not None
