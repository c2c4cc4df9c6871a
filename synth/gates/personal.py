"""Personal data of private persons: not what an institution publishes, nor what is documented for tests."""

from __future__ import annotations

import re
from collections.abc import Iterator

from factory.zh.pii import find
from factory.zh.pii.context import fold
from factory.zh.pii.span import Span
from synth.gates.objection import Objection, Rejection, Texts
from synth.gates.spoken import spoken

_AROUND = 40  # characters before a span that say whose it is
_PUBLIC_KINDS = frozenset({"address", "landline"})
# who has an address that is public: the end of the name of an institution, shop or sight
_INSTITUTION = re.compile(
    r"(?:市|縣|區|鄉|鎮)(?:政府|公所|議會|府)|(?:國中|國小|高中|高職|大學|學院|小學|中學|幼兒園|學校|補習班)|(?:醫院|診所|衛生所|藥局|療養院|長照中心|安養院)|[臺台陽]大(?![樓廈])"
    r"|(?:博物館|美術館|圖書館|紀念館|文物館|科學館|科博館|故宮|史前館|海生館|展覽館|會館|體育館|活動中心|文化中心|遊客中心|服務中心|中心(?=位|地|在|電|：)|園區|公園|樂園|動物園|水族館|天文館|音樂廳|戲劇院|歌劇院|奇美)"
    r"|(?:車站|轉運站|捷運站|火車站|高鐵站|機場|航廈|港口|碼頭|監理[所站]|郵局|銀行|分行|農會|漁會|信用合作社|合作社|分部|信用部)"
    r"|(?:事務所|辦事處|派出所|分局|警察局|消防[局隊]|稅捐處|國稅局|地政|戶政|法院|地檢署|檢察署|監獄|總統府|行政院|立法院|監察院|考試院|司法院|(?:部|署|局|處|會)(?=位|地址|電話|設|的地址))"
    r"|(?:寺|宮|廟|殿|教堂|教會|道場|祠)(?![一-鿿]?[先小女太])"
    r"|(?:古厝|故居|古宅|[一-鿿]宅(?=[：:位在的，])|洋樓|老屋|古蹟|遺址|城門|砲台|老街|夜市)"
    r"|(?:餐廳|餐館|小吃|麵店|咖啡[館廳店]?|書店|書局|書屋|商店|飯店|旅館|民宿|酒店|旅店|百貨|超市|賣場|商場|市場|工廠|公司|企業|門市|本店|總店|分店|旗艦店|店面|店家|店裡|商行|商號|工作室|烘焙坊|茶館|酒吧|影城|戲院|劇場|家常菜|料理|麵館|火鍋|牛肉麵|麵線|豆花|肉圓|滷肉飯|小籠包|包子|鵝肉|便當|早餐店|冰店|餅店|茶行|藥行|甜點|麵包店|髮廊|沙龍|健身房|俱樂部)"
    r"|(?:基金會|協會|學會|公會|工會|總會|委員會|辦公室|總部|協進會|促進會|慈善|大使館|代表處|出版社|雜誌社|電台|電視台|報社)"
    r"|本校|本院|本館|本店|本會|本所|本局|本公司|敝公司|我們店|小店|敝店"
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
    r"(?i)@(?:[a-z0-9-]+\.)*(?:example(?:\.(?:com|org|net|edu|tw|com\.tw))?|test|invalid|localhost|domain\.com|yourdomain\.[a-z.]+|yourcompany\.[a-z.]+|company\.com|email\.com|mail\.com)$"
)
_ROLE_MAIL = re.compile(
    r"(?i)^(?:info|service|services|support|contact|admin|webmaster|noreply|no-reply|help|hello|sales|office|hr|press|news|feedback|postmaster|your[._-]?(?:name|email|mail)|user(?:name)?|someone|somebody|name|foo|bar|test|abc|xxx+|example)[0-9]{0,3}@"
)
# cards that payment services print in their manuals
_TEST_CARDS = frozenset(
    [
        "4242424242424242",
        "4000056655665556",
        "5555555555554444",
        "2223003122003222",
        "5200828282828210",
        "5105105105105100",
        "378282246310005",
        "371449635398431",
        "6011111111111117",
        "6011000990139424",
        "3056930009020004",
        "36227206271667",
        "3566002020360505",
        "6200000000000005",
        "4111111111111111",
        "4012888888881881",
        "4311952222222222",
        "4000221111111111",
        "4000000000000002",
        "4000000000009995",
    ]
)
_TEST_IDS = frozenset({"A123456789", "A100000001", "A234567890"})
_LOCAL_IP = re.compile(
    r"(?:0|10|127|169\.254|192\.168|172\.(?:1[6-9]|2[0-9]|3[01])|192\.0\.[02]|198\.51\.100|203\.0\.113|198\.1[89]|100\.(?:6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])|22[4-9]|2[3-5][0-9])\."
    r"|(?:8\.8\.8\.8|8\.8\.4\.4|1\.1\.1\.1|1\.0\.0\.1|9\.9\.9\.9|168\.95\.1(?:92)?\.1)$|(?i:::1$|fe80:|f[cd][0-9a-f]{2}:|2001:0?db8:)"
)
_DUMMY_DIGITS = re.compile(r"(\d)\1{6,}|1234567|87654321")


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
        return digits in _TEST_CARDS
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
    if _INSTITUTION.search(before) or _INSTITUTION.search(after) or _PUBLIC_WORDS.search(before) or _PUBLIC_WORDS.search(after):
        return True
    asked = texts.questions[0] if texts.questions else ""
    return _INSTITUTION.search(asked) is not None and _PRIVATE.search(asked) is None and not _FLOOR.search(text[span.start : span.end])
