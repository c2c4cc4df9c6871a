"""Which language and script an answer is in."""

from __future__ import annotations

from factory.zh.charclass import CharClass, table
from factory.zh.ngrams import batch_of, class_counts
from synth.gates.objection import Objection, Rejection, Texts

HAN_SHARE = 0.3  # of letters in an answer; code, mathematics and translation may be in other scripts
SIMPLIFIED_SHARE = 0.1  # of characters that exist in one script only
SCRIPT_FREE = frozenset({"code", "mathematics", "translation"})


def script(texts: Texts) -> Objection | None:
    batch = batch_of(["\n".join(texts.answers)])
    count = dict(zip(CharClass, class_counts(batch.codes, batch.offsets, table())[0].tolist(), strict=True))
    han, others = (
        count[CharClass.HAN],
        count[CharClass.LATIN] + count[CharClass.KANA] + count[CharClass.HANGUL] + count[CharClass.OTHER_LETTER],
    )
    if texts.category not in SCRIPT_FREE and han < HAN_SHARE * (han + others):
        return Objection(Rejection.LANGUAGE, f"{han} Han of {han + others} letters")
    one_script = count[CharClass.SIMPLIFIED] + count[CharClass.TRADITIONAL]
    if texts.category != "translation" and count[CharClass.SIMPLIFIED] > SIMPLIFIED_SHARE * one_script:
        return Objection(Rejection.SIMPLIFIED, f"{count[CharClass.SIMPLIFIED]} of {one_script} characters of one script")
    return None
