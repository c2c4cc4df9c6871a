"""What surrounds and what may stay of a PTT article's text: quotes, signatures, system lines, pushes, user ids, IP addresses."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Set
from typing import NamedTuple

MAX_SYSTEM_LINE_CHARS = 300  # no system, header or push line is longer; also a bound on what hostile lines can cost
MAX_SIGNATURE_LINES = 8  # PTT allows six, then "--" and the system's own lines
_FULL_PUSH_COLUMNS = 36  # a push as long as this was cut by the input field, and the next one goes on in the sentence


class Push(NamedTuple):
    """One push: who (empty where the source leaves ids out) and what."""

    user: str
    text: str


_ID = r"[A-Za-z][A-Za-z0-9]{1,11}"
_OCTET = r"(?:25[0-5]|2[0-4]\d|[01]?\d?\d)"
# Some crawlers write the time before an address and the date after it without a space.
_IP = re.compile(rf"(?:(?<!\d)(?<!\d\.)|(?<=:\d\d))(?:{_OCTET}\.){{3}}{_OCTET}(?:(?![\d.]*\d)|(?=\d\d/\d))")
_CTIME = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} +\d{1,2} \d\d:\d\d:\d\d \d{4}"
_STAMP = r"(?:\s*\d{1,3}(?:\.\d{1,3}){3})?(?:\s*\d{1,2}/\d{1,2})?(?:\s*\d{1,2}:\d{2})?\s*$"
_CJK = r"\u4e00-\u9fff\u3105-\u3129，。！？\n"
_SENT = rf"(?:[-–]+\s*)?(?:Sent|Posted)\s?from\s?(?:my|on|JPTT|BePTT|MiPTT|PiTT|nPTT|Mo ?PTT|PTT)[^{_CJK}]{{0,60}}"
_QUOTE_OF = rf"(?:※\s*引述\s*《[^》]{{0,60}}》\s*(?:之銘言)?|引述\s*{_ID}\s*\([^()\n]{{0,60}}\)\s*之銘言)\s*[:：]?"
_ANSI = re.compile(r"(?:\x1b|\*)\[[\d;]*m")  # colours; some crawlers write the escape character as "*"

_SYSTEM_LINE = re.compile(
    rf"\s*(?:※\s*(?:發信站|文章網址|編輯|轉錄者|\[?本文轉[錄寄]自|看板:)|◆\s*From|--\s*$|{_QUOTE_OF}\s*$|※\s*引述\s*《[^》\n]*$)"
    rf"|\s*(?:[-–]+\s*)?(?:Sent|Posted)\s?from\b[^{_CJK}]{{0,60}}$"
    rf"|\s*(?:※\s*)?{_ID}(?:\s*\([^()]*\))?\s*[:：]轉錄至"
)
_QUOTED = re.compile(r"\s*:(?:\s|$)")
_AUTHOR_LINE = re.compile(rf"\s*作者[:：]?\s*{_ID}\s*\([^()\n]*\)\s*(?:看板[:：]?\s*\S+)?\s*$")
_HEADER_LINE = re.compile(rf"\s*(?:看板[:：]\s*\S+\s*$|標題[:：]? |站內[:：]?\s*\S+\s*$|時間[:：]?\s*{_CTIME}\s*$)")
_TIME_LINE = re.compile(rf"\s*時間[:：]?\s*{_CTIME}\s*$")
_PUSH_LINE = re.compile(rf"(?:推|噓|→)\s+(?P<user>{_ID})\s*[:：]\s?(?P<text>.*?){_STAMP}")
_BARE_PUSH = re.compile(r"(?:推|噓|→)\s+(?P<text>\S.*)")

_INLINE = re.compile(
    rf"作者[:：]?\s*{_ID}\s*\([^()\n]*\)(?:\s*看板[:：]?\s*[A-Za-z][\w-]*)?|時間[:：]?\s*{_CTIME}"
    rf"|{_QUOTE_OF}|※\s*\[本文轉錄自[^\]\n]*\]|※\s*發信站[:：]\s*\S+(?:\s*來自[:：]\s*\S+(?:\s*\([^()\n]*\))?)?|※\s*文章網址[:：]\s*\S*"
    rf"|※\s*編輯[:：]\s*{_ID}\s*\([^()\n]*\),?\s*(?:\d\d/\d\d/\d{{4}} \d\d:\d\d:\d\d)?"
    rf"|(?:※\s*)?{_ID}(?:\s*\([^()\n]*\))?\s*[:：]轉錄至\S*\s*\S*(?:\s+\d\d/\d\d \d\d:\d\d)?"
    rf"|{_SENT}",
    re.MULTILINE,
)
_INLINE_QUOTE = re.compile(r"(?:^|(?<=\s)):(?:\s+:)*\s+(?:(?!\s:\s).)*?(?=\s:\s)")
_LAST_INLINE_QUOTE = re.compile(r"(?:^|(?<=\s)):\s+\S+\s*")
_TOKEN = re.compile(r"(?<![A-Za-z0-9_])[A-Za-z][A-Za-z0-9]{1,11}(?![A-Za-z0-9_])")


_HEADER = re.compile(
    rf"(?:作者[:：]?[ ]{{0,4}})?(?P<author>{_ID})[ ]{{0,4}}\([^()\n]{{0,80}}\)"
    rf"(?:[ \n]{{1,4}}(?:(?:看板|站內)[:：]?[ ]{{0,4}})?(?P<board>[A-Za-z][\w-]{{1,20}}))?[ ]{{0,4}}\n"
    rf"(?:標題[:：]?[ ]{{0,4}})?(?P<title>[^\n]+)\n(?:時間[:：]?[ ]{{0,4}})?(?P<date>{_CTIME})[ ]{{0,4}}(?:\n|$)"
)


class Header(NamedTuple):
    """The block 作者/看板/標題/時間 at the top of an article, with or without these words."""

    author: str
    board: str | None
    title: str
    date: str


def split_header(text: str) -> tuple[Header | None, str]:
    """The header block that a text begins with, and the text below it."""
    text = text.lstrip()
    match = _HEADER.match(text)
    if match is None:
        return None, text
    return Header(match["author"], match["board"], match["title"].strip(), match["date"]), text[match.end() :]


def clean(text: str, is_reply: bool, with_pushes: bool = True) -> str:
    """An article's text without quotes, signature, header and system lines; push lines at its end keep what they say."""
    text = re.sub(_QUOTE_OF, "", _ANSI.sub("", text))
    lines = [line.rstrip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    if is_reply and len(lines) <= 2:
        lines = [_without_inline_quotes(_INLINE.sub("", line).strip()) for line in lines]
    lines, pushes = _split_pushes(lines)
    kept: list[str] = []
    header = 0  # lines left of the block 作者/標題/時間 that a cross-post carries along
    for line in _without_signature(lines):
        if _matches(_AUTHOR_LINE, line):
            header = 3
        elif header and (_matches(_HEADER_LINE, line) or not line.strip()):
            header -= 1
        elif not (_matches(_SYSTEM_LINE, line) or _QUOTED.match(line) or _matches(_TIME_LINE, line)):
            header = 0
            kept.append(line)
    body = re.sub(r"\n{3,}", "\n\n", _INLINE.sub("", "\n".join(kept))).strip()
    body = re.sub(r"\n?[ \t]{0,9}-{2,}\Z", "", body).strip()
    return "\n".join([part for part in (body, *(merge_pushes(pushes) if with_pushes else [])) if part])


def _matches(pattern: re.Pattern[str], line: str) -> re.Match[str] | None:
    return pattern.match(line) if len(line) <= MAX_SYSTEM_LINE_CHARS else None


def _split_pushes(lines: list[str]) -> tuple[list[str], list[Push]]:
    """The article's lines, and the pushes: lines that name a user, and the block of bare ones (推 …) at the end."""
    end = len(lines)
    while end and (not lines[end - 1].strip() or _matches(_BARE_PUSH, lines[end - 1]) or _matches(_SYSTEM_LINE, lines[end - 1])):
        end -= 1
    bare = [match for line in lines[end:] if (match := _matches(_BARE_PUSH, line))]
    if len(bare) < 2:  # one line may be the author's own 推
        end = len(lines)
    body: list[str] = []
    pushes: list[Push] = []
    for line in lines[:end]:
        match = _matches(_PUSH_LINE, line)
        if match:
            pushes.append(Push(match["user"], match["text"].strip()))
        else:
            body.append(line)
    for line in lines[end:]:
        match = _matches(_PUSH_LINE, line)
        other = _matches(_BARE_PUSH, line)
        if match:
            pushes.append(Push(match["user"], match["text"].strip()))
        elif other:
            pushes.append(Push("", re.sub(_STAMP, "", other["text"]).strip()))
        else:
            body.append(line)
    return body, pushes


def _without_signature(lines: list[str]) -> list[str]:
    """Cuts at the "--" that opens a signature: the last one, or the one before it where both enclose a few lines."""
    marks = [number for number, line in enumerate(lines) if line.strip() == "--"]
    if not marks:
        return lines
    cut = marks[-1]
    if len(marks) > 1 and cut - marks[-2] <= MAX_SIGNATURE_LINES:
        cut = marks[-2]
    tail = [line for line in lines[marks[-1] + 1 :] if line.strip() and not _matches(_SYSTEM_LINE, line)]
    return lines[:cut] if len(tail) <= MAX_SIGNATURE_LINES else lines


def _without_inline_quotes(line: str) -> str:
    """A reply whose lines the crawler joined with spaces: quoted stretches go, and of the last one its first words.

    Where the last quoted line ends is not recorded; at its first space the reply is taken to begin, so that no reply is lost.
    """
    if not re.match(r"\s*: ", line) and line.count(" : ") < 2:
        return line
    return _LAST_INLINE_QUOTE.sub("", _INLINE_QUOTE.sub("", line))


def merge_pushes(pushes: Iterable[Push]) -> list[str]:
    """One line a push; neighbouring pushes of one user are one line, since a long remark takes several."""
    lines: list[str] = []
    last_user = last_text = ""
    for user, text in pushes:
        if not text:
            continue
        if lines and user and user == last_user:
            lines[-1] += ("" if _columns(last_text) >= _FULL_PUSH_COLUMNS else " ") + text
        else:
            lines.append(text)
        last_user, last_text = user, text
    return lines


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WFA" else 1 for character in text)


def is_rare_id(user: str) -> bool:
    """Whether a user id is no ordinary word: ten characters or more, or six or more with a digit."""
    return len(user) >= 10 or (len(user) >= 6 and any(character.isdigit() for character in user))


def scrub(text: str, thread_ids: Set[str], rare_ids: Set[str]) -> str:
    """Removes IPv4 addresses and user ids: those of the thread in any case, and those of the whole file that are rare.

    Ids are given in lower case and matched as whole words. An id of another thread that is an ordinary short word stays.
    """

    def known(match: re.Match[str]) -> str:
        word = match[0].lower()
        return "" if word in thread_ids or word in rare_ids else match[0]

    lines = []
    for line in text.split("\n"):
        scrubbed = _TOKEN.sub(known, _IP.sub("", line))
        lines.append(line if scrubbed == line else re.sub(r"[ \t]{2,}", " ", scrubbed).strip())
    return "\n".join(lines).strip()
