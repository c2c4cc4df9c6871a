"""Personal data of private persons: not what an institution publishes, nor what is documented for tests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

from factory.zh.pii import find
from factory.zh.pii.context import fold
from factory.zh.pii.span import Span
from factory.zh.wordlists import read_rows
from synth.gates.objection import Objection, Rejection, Texts
from synth.gates.spoken import spoken

_AROUND = 40  # characters before a span that say whose it is
_PUBLIC_KINDS = frozenset({"address", "landline"})
# who has an address that is public: the end of the name of an institution, shop or sight
# endings of names that are words of other kinds too
_ENDING = (
    r"[臺台陽]大(?![樓廈])|[市縣]府|中心(?=[位地在電：:])|[部署局處會](?=位|地址|電話|設|的地址)"
    r"|[寺宮廟殿祠](?![一-鿿]?[先小女太])|[一-鿿]宅(?=[：:位在的，,])"
)
_PUBLIC_WORDS = re.compile(
    "總機|專線|客服|服務電話|訂位|預約電話|洽詢|代表號|分機|學務處|教務處|總務處|櫃檯|櫃台|售票|開放時間|營業時間|門票|參觀|停車場|導航|出口(?:走|出|即|步)|休館|公休|開幕|展出|地點[：:]|會場|捷運[一-鿿]{1,6}站"
)
# whose it is where a person is meant
_PRIVATE = re.compile(
    r"[一-鿿](?:先生|小姐|太太|女士|媽媽|爸爸|阿姨|伯伯|阿嬤|阿公|奶奶|爺爺|同學|老師家|師傅)|住戶|收件人|寄到|寄給|我家|他家|她家|妳家|你家|府上|家裡|家用|住(?![宿院民房商宅])|戶籍地|設籍|住家|自宅|租屋處|老家|宿舍|房東|房客"
    r"|[我他她](?:的|住)|本人|姓名|獨居|嫌犯|被害人|死者|收\b|君收|登記：|找[一-鿿]{1,3}就是"
)
_FLOOR = re.compile("樓|[0-9]F|室")
_TEST_MAIL = re.compile(
    r"(?i)@(?:[a-z0-9-]+\.)*(?:example(?:\.[a-z]{2,3}){0,2}|test|invalid|localhost|(?:your)?(?:domain|company)\.[a-z.]+|e?mail\.com)$"
)
_ROLE_MAIL = re.compile(
    r"(?i)^(?:info|services?|support|contact|admin|webmaster|no-?reply|help|hello|sales|office|hr|press|news|feedback|postmaster"
    r"|your[._-]?(?:name|email|mail)|user(?:name)?|some(?:one|body)|name|foo|bar|test|abc|xxx+|example)[0-9]{0,3}@"
)
_TEST_IDS = frozenset({"A123456789", "A100000001", "A234567890"})
_LOCAL_IP = re.compile(
    r"(?:0|10|127|169\.254|192\.168|172\.(?:1[6-9]|2[0-9]|3[01])|192\.0\.[02]|198\.51\.100|203\.0\.113|198\.1[89]|100\.(?:6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])|22[4-9]|2[3-5][0-9])\."
    r"|(?:8\.8\.8\.8|8\.8\.4\.4|1\.1\.1\.1|1\.0\.0\.1|9\.9\.9\.9|168\.95\.1(?:92)?\.1)$|(?i:::1$|fe80:|f[cd][0-9a-f]{2}:|2001:0?db8:)"
)
_DUMMY_DIGITS = re.compile(r"(\d)\1{6,}|1234567|87654321")


@cache
def _listed(name: str) -> frozenset[str]:
    return frozenset(row[0] for row in read_rows(files("synth.gates") / "data" / name))


@cache
def _institution() -> re.Pattern[str]:
    return re.compile("|".join([*sorted(_listed("institutions.txt"), key=len, reverse=True), _ENDING]))


def personal(texts: Texts) -> Objection | None:
    """The first value of a private person's."""
    for text in texts.own:
        for span in _all(text, "\n".join(texts.own)):
            if not _is_public(text, span, texts) and not _is_for_tests(text[span.start : span.end], span.kind):
                return Objection(Rejection.PERSONAL_DATA, span.kind)
    return None


def _all(text: str, row: str) -> Iterator[Span]:
    yield from find(text)
    yield from spoken(fold(text), row)


def _is_for_tests(value: str, kind: str) -> bool:
    """A placeholder or a value that manuals print: 4242 4242 4242 4242, name@example.com, 192.168.0.1, 0912-345-678."""
    value = fold(value)
    digits = re.sub("[^0-9]", "", value)
    if kind == "email":
        return _TEST_MAIL.search(value) is not None or _ROLE_MAIL.match(value) is not None
    if kind == "ip":
        return _LOCAL_IP.match(value) is not None
    if kind == "national_id":
        return value.upper() in _TEST_IDS
    if kind == "card_number":
        return digits in _listed("test_cards.txt")
    if kind in ("landline", "bank_account", "passport"):
        return _DUMMY_DIGITS.search(digits) is not None
    return kind == "company_id"  # public by law


def _is_public(text: str, span: Span, texts: Texts) -> bool:
    """An address or telephone line that an institution, shop or sight gives of itself."""
    if span.kind not in _PUBLIC_KINDS:
        return False
    line_start = text.rfind("\n", 0, span.start) + 1
    before = text[max(line_start, span.start - _AROUND) : span.start]
    line_end = text.find("\n", span.end)
    after = text[span.end : min(span.end + _AROUND // 2, line_end if line_end >= 0 else len(text))]
    if _PRIVATE.search(before) or _PRIVATE.search(after):
        return False
    if _institution().search(before) or _institution().search(after) or _PUBLIC_WORDS.search(before) or _PUBLIC_WORDS.search(after):
        return True
    asked = texts.questions[0] if texts.questions else ""
    return _institution().search(asked) is not None and _PRIVATE.search(asked) is None and not _FLOOR.search(text[span.start : span.end])
