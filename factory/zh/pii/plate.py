"""Licence plates (Highway Bureau: letters and digits, since 2012 three letters and four digits), where a vehicle is spoken of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache

from factory.zh import wordlists
from factory.zh.pii.context import after, before, is_part_of_code, name_before
from factory.zh.pii.span import Span

_PLATE = re.compile(
    r"(?<![A-Za-z0-9])(?:[A-Za-z]{2,3}[ ]?-?[ ]?[0-9]{3,4}|[0-9]{3,4}[ ]?-?[ ]?[A-Za-z]{2,3}|(?:[A-Za-z][0-9]|[0-9][A-Za-z])-[0-9]{4}"
    r"|[0-9]{4}-(?:[A-Za-z][0-9]|[0-9][A-Za-z]))(?![A-Za-z0-9])"
)
_LABEL = re.compile(
    r"車牌(?!辨識|辨認|框|架|燈|貼|格式|改)|車號|車籍"
    r"|牌照(?!稅)|號牌|掛.{0,6}牌|(?<!站)牌號|懸掛|[的紅白黃綠]牌(?:照|是|為|選成|[:： ])*$|領牌"
    r"|(?i:(?<![a-z])(?:licen[cs]e[ _-]?)?plate(?:[ _-]?(?:no|number))?(?![a-z]))"
)
_DIRECT_LABEL = re.compile(r"(?:車牌|車號|牌照|號牌)(?:號碼?)?(?:[ ]?[:：是為])?[ 「『(\"']{0,2}$")
_LABEL_AFTER = re.compile(
    r"(?:[^，。,、；;：:\n]{0,3})?(?:車牌(?!辨識)|車號|號牌|牌照)|[ 」』\"')]{0,2}(?:的)?[一-鿿]{0,2}(?<!車)牌(?:照)?(?![子型號])"
)
_NOT_VEHICLE = re.compile(
    r"(?:課程|型號|教室|航班|班機|料號|規格|標準|顯卡|晶片|產品|零件|編號|引擎|輪胎|機型|車型|款式"
    r"|系統|電池|頻道|[選買裝換器架燈帳座窗殼]|(?<![自業公])用|(?<![司重])機)[ ]?[:：為是]?[ ]?$"
)
_PLATE_NAME = re.compile("[車牌]號碼?$|[車號]牌號?碼?$|牌照號?碼?$|^號碼?$|通行證|清單|名單")
_PRODUCT = re.compile(
    r"[ ]?(?:螺絲|顯[示卡]|晶片|系列|規格|型(?!態)|款|節|標準|認證|教室|號?班機|航班|輪胎|處理器|相機|手機"
    r"|筆電|水管|雨衣|電池|機油|燈|頻率|軟體|行車紀錄|音響|導航)"
)
_A_CAR = (
    r"轎車|機車|休旅車|計程車|貨車|客車|卡車|小黃|房車|跑車|機踏車|電動車|遊覽車|聯結車|曳引車|重機|警車|白車|黑車|紅車|藍車|廂型車|砂石車|油罐車|拖板車|吊車|拖車|垃圾車|消防車|救護車"
    r"|公務車|租賃車|肇事車輛?|故障車輛?|事故車輛?|違規車輛?|可疑車輛?|贓車|失竊車輛?|愛車|新車|舊車|座駕|賓士|特斯拉|豐田|本田|日產|三菱|福特|馬自達|福斯|奧迪|保時捷|凌志|現代|裕隆|納智捷|光陽"
    r"|三陽|山葉|偉士牌|勁戰|這[台臺輛]車|[台臺輛]車|自小客|自用小客?|普重|校車|娃娃車|小車"
    r"|的車|公車|騎乘?|(?<![A-Za-z])(?:[A-D]|[甲乙丙丁])[ ]?車"
    r"|(?i:toyota|honda|nissan|mazda|ford|bmw|benz|audi|tesla|lexus|gogoro|vespa)"
)
_CAR_BEFORE = re.compile(rf"(?:{_A_CAR})[ ]?(?:[，,：:]?[ ]?(?:對，)?(?:就是|是|為)?)[ 「『(]?$")
_CAR_AFTER = re.compile(rf"[ 」』)]{{0,2}}(?:號|的|這|那|是|您的|我的|您|你)*(?:[台臺輛部])?[^，。,；;\n0-9]{{0,4}}?(?:{_A_CAR}|車主|駕駛)")
_TRAFFIC = re.compile(
    r"違停|違規|肇事|肇逃|闖紅燈|追撞|擦撞|拖吊|佔用|占用|併排|失竊|贓車|攔查|攔下|逆向|超速|檢舉|車位|車主|車號|車牌|駕駛(?!座)|我開|過戶|驗車|行照|貼單|移車|報廢|轎車|休旅車|計程車|車輛"
)

_TOY = re.compile("樂高|模型|玩具|積木|遊戲|遙控|零件|配件|型號|貨號")
_IN_A_ROW = re.compile("(?:[ ]?[、,，/和及與][ ]?|[ ])")
_WRITTEN = re.compile("[^ ]+-[^ ]+|[A-Z]{3}[ ]?[0-9]{4}")
_TODAY = re.compile("[A-Z]{3}-[0-9]{4}|[0-9]{4}-[A-Z]{2}|[0-9]{3}-[A-Z]{3}")


@cache
def _no_plate() -> frozenset[str]:
    return frozenset(row[0] for row in wordlists.read_rows(wordlists.DATA / "not_plates.txt"))


def find(text: str, windows: Iterable[tuple[int, int]]) -> Iterator[Span]:
    """Plates of the folded `text` that begin and end within one of the `windows`, which are sorted."""
    last = 0
    for start, end in windows:
        for match in _PLATE.finditer(text, start, end):
            if match.start() < last or is_part_of_code(text, *match.span()):
                continue
            if _is_plate(text, match) or (last and _IN_A_ROW.fullmatch(text, last, match.start())):
                yield Span("licence_plate", *match.span())
                last = match.end()


def _is_plate(text: str, match: re.Match[str]) -> bool:
    value = match[0]
    left, right = before(text, match.start(), 24), after(text, match.end(), 20)
    around = before(text, match.start(), 40) + text[match.end() : match.end() + 30].partition("[")[0]
    left = re.split("[。！？\n]", left)[-1] if not re.search("[:：][ ]?\n$", left) else left
    if _DIRECT_LABEL.search(left) or re.match("[ 」』)]{0,3}(?:的)?車牌(?!辨)", right):
        return True
    name = name_before(text, match.start())
    if _NOT_VEHICLE.search(left) or _PRODUCT.match(right) or (name and not _PLATE_NAME.search(name)):
        return False
    if re.sub("[^A-Za-z]", "", value).upper() in _no_plate():
        return False
    if _LABEL.search(left) or _LABEL_AFTER.match(right):
        return True
    if _TOY.search(left) or _TOY.search(right) or not re.sub("[^A-Za-z]", "", value).isupper() or not _WRITTEN.fullmatch(value):
        return False
    if _CAR_BEFORE.search(left) or _CAR_AFTER.match(right[:12]):
        return True
    # traffic is spoken of, and the form is that of plates and seldom of products
    return _TODAY.fullmatch(value) is not None and _TRAFFIC.search(around) is not None
