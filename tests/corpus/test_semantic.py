"""The same in other words: the sentence encoder, which document stays, and what happens without the encoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from corpus import semantic
from factory.errors import UserError
from tests.corpus.test_deduplicate import Corpus

RAIN = "今天台北下大雨，捷運淡水線一度停駛，下班的人都擠在公車站。"
RAIN_TOO = "因為豪雨，台北捷運淡水線今天暫停行駛，公車站擠滿了下班的人。"
LAW = "立法院三讀通過國民法官法，民眾將參與重大刑事案件的審判。"


def test_vectors_are_unit_and_do_not_depend_on_what_stands_beside_them() -> None:
    together, alone = semantic.vectors([RAIN, LAW, "", RAIN_TOO]), semantic.vectors([RAIN])
    assert together.shape == (4, semantic.DIMENSIONS)
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-3)
    assert np.allclose(together[0], alone[0], atol=1e-4)
    assert together[0] @ together[3] > 0.75 > 0.5 > together[0] @ together[1]


def test_the_preferred_document_stays_and_is_named(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path)
    corpus.add("forum", "retold", text=RAIN_TOO)
    corpus.add("news", "first", text=RAIN)
    corpus.add("news", "other", text=LAW)
    rows = corpus.run({"news": 1, "forum": 2}, lines=None, semantic={"threshold": 0.75})
    assert [rows[name]["status"] for name in ("forum:retold", "news:first", "news:other")] == ["removed", "kept", "kept"]
    removed = rows["forum:retold"]
    assert (removed["reason"], removed["kept_id"]) == ("semantic_duplicate", "news:first") and 0.75 <= removed["similarity"] < 1


def test_sources_that_stay_and_the_threshold(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path)
    corpus.add("a", "1", text=RAIN)
    corpus.add("b", "2", text=RAIN_TOO)
    rows = corpus.run({"a": 1, "b": 2}, lines=None, semantic={"threshold": 0.75, "keep_sources": ["b"]})
    assert {row["status"] for row in rows.values()} == {"kept"}


def test_without_the_encoder_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(semantic, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"deduplicate\.semantic: .*pip install 'twllm\[semantic\]'"):
        semantic.require()
