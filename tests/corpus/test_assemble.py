"""Assemble: caps that keep what fits, shards cut exactly, tokens as the tokenizer counts them, repeated lines gone."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpus import decisions
from corpus.annotate import Part, document_table
from corpus.assemble import SHARD_SCHEMA, Quota, TokenCounter, assemble, without_lines
from corpus.decisions import Decisions
from corpus.features import PII_SPAN
from corpus.policy import Action, load_policy
from corpus.recipe import CorpusRecipe, InputFile
from factory.errors import UserError
from factory.records import Document, License, Reason
from factory.zh.pii import PLACEHOLDERS, find

Corpus = tuple[list[Part], Decisions]
SENTENCES = [
    "清晨的菜市場已經擠滿了人。",
    "阿嬤挑了兩把空心菜和一條魚。",
    "老闆多送了一把蔥，笑著說明天再來。",
    "回家的路上下起雨，大家都躲到騎樓下。",
    "The night market opens at six.",
]


def corpus_of(folder: Path, *files: tuple[str, list[str]]) -> Corpus:
    """Parts with the given texts, one a file, and decisions that keep everything. Ids are `<source>:<number in the source>`."""
    parts: list[Part] = []
    decided = decisions.empty()
    numbers: dict[str, int] = {}
    for index, (source, texts) in enumerate(files):
        place = folder / f"part-{index}"
        place.mkdir(parents=True)
        documents = []
        for text in texts:
            number = numbers[source] = numbers.get(source, -1) + 1
            documents.append(Document(f"{source}:{number}", text, source, License.CC0, metadata={"number": number}))
            row = {"id": f"{source}:{number}", "source": source, "part": index, "chars": len(text), "status": "kept"}
            for name, column in decided.columns.items():
                column.append(row.get(name))
        pq.write_table(document_table(documents, texts), place / "documents.parquet")
        spans = [[span._asdict() for span in find(text)] for text in texts]
        pq.write_table(pa.table({"pii_spans": pa.array(spans, pa.list_(PII_SPAN))}), place / "features.parquet")
        parts.append(Part(InputFile(source, f"{index}.jsonl", 0), "key", str(place), len(texts), 0, 0))
    return parts, decided


def recipe(sources: dict[str, dict[str, Any]], **changes: Any) -> CorpusRecipe:
    """One token a character unless the mixture says otherwise."""
    mixture = {"tokens_per_char": 1, **changes.pop("mixture", {})}
    named = {name: {"type": "rows", "paths": ["x"], **spec} for name, spec in sources.items()}
    return CorpusRecipe.model_validate({"name": "test", "output": "x", "sources": named, "mixture": mixture, **changes})


def assembled(
    parts: list[Part], decided: Decisions, wanted: CorpusRecipe, output: Path, **actions: dict[str, str]
) -> tuple[list[str], dict[str, Quota]]:
    counter = TokenCounter(wanted.mixture.tokenizer, wanted.mixture.tokens_per_char)
    return assemble(
        parts, decided, wanted, load_policy("taiwan-v2", ".").model_copy(update={"personal_data": actions}), counter, str(output)
    )


def kept_ids(decided: Decisions) -> list[str]:
    return [decided.columns["id"][row] for row in decided.kept()]


def shards(output: Path) -> dict[str, list[dict[str, Any]]]:
    return {path.name: pq.read_table(path).to_pylist() for path in sorted((output / "data").glob("*"))}


def what_fits(sizes: dict[str, int], limit: int) -> set[str]:
    """Ids in the order of their 8-byte BLAKE2b hash, each taken if it still fits."""
    left, taken = limit, set()
    for name in sorted(sizes, key=lambda name: hashlib.blake2b(name.encode(), digest_size=8).hexdigest()):
        if sizes[name] <= left:
            left -= sizes[name]
            taken.add(name)
    return taken


# --- caps


@pytest.mark.parametrize("limit", [1, 7, 55, 54, 27, 100])
def test_a_cap_keeps_what_fits_in_the_order_of_a_hash(tmp_path: Path, limit: int) -> None:
    parts, decided = corpus_of(tmp_path, ("web", ["字" * size for size in range(1, 6)]), ("web", ["字" * size for size in range(6, 11)]))
    sizes = {f"web:{number}": number + 1 for number in range(10)}
    _, quotas = assembled(parts, decided, recipe({"web": {"max_tokens": limit}}), tmp_path)
    expected = what_fits(sizes, limit) if limit < 55 else set(sizes)
    assert set(kept_ids(decided)) == expected
    assert quotas == {"web": Quota(available=55, limit=limit, taken=sum(sizes[name] for name in expected))}
    assert quotas["web"].taken <= limit
    for row, name in enumerate(decided.columns["id"]):
        columns = {key: values[row] for key, values in decided.columns.items()}
        if name in expected:
            assert (columns["status"], columns["reason"], columns["tokens"]) == ("kept", None, sizes[name])
        else:
            assert (columns["status"], columns["reason"], columns["rule"]) == ("removed", "mixture_cap", "mixture")
            assert columns["threshold"] == f"tokens of source > {limit}"
            assert limit < int(columns["observed"].removeprefix("tokens of source=")) <= quotas["web"].taken + sizes[name]
            assert columns["tokens"] is None
    assert [row["id"] for rows in shards(tmp_path).values() for row in rows] == kept_ids(decided)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.integers(1, 40), st.integers(1, 11))
def test_a_cap_does_not_depend_on_how_documents_lie_in_files(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], limit: int, cut: int
) -> None:
    texts = ["字" * size for size in sizes]
    chosen = []
    for files in ([("web", texts)], [("web", texts[:cut]), ("web", texts[cut:])]):
        folder = tmp_path_factory.mktemp("cap")
        parts, decided = corpus_of(folder, *files)
        _, quotas = assembled(parts, decided, recipe({"web": {"max_tokens": limit}}), folder)
        chosen.append((kept_ids(decided), quotas))
        assert quotas["web"].taken == sum(decided.columns["tokens"][row] for row in decided.kept()) <= limit
        smallest_left = min((size for row, size in enumerate(sizes) if decided.columns["reason"][row]), default=None)
        assert smallest_left is None or quotas["web"].taken + smallest_left > limit
    assert chosen[0] == chosen[1]


def test_the_target_is_shared_by_weight(tmp_path: Path) -> None:
    texts = ["字" * 10] * 50
    parts, decided = corpus_of(tmp_path, ("law", texts), ("web", texts), ("news", texts[:5]))
    sources = {"law": {"weight": 2}, "web": {"weight": 1}, "news": {"weight": 1}}
    _, quotas = assembled(parts, decided, recipe(sources, mixture={"target_tokens": 400}), tmp_path)
    assert quotas == {"law": Quota(500, 200, 200), "web": Quota(500, 100, 100), "news": Quota(50, 100, 50)}
    assert [quotas[source].epochs for source in quotas] == [0.4, 0.2, 2.0]
    assert {name: len(rows) for name, rows in shards(tmp_path).items()} == {
        "law-00000.parquet": 20, "news-00000.parquet": 5, "web-00000.parquet": 10,
    }  # fmt: skip


def test_the_smaller_of_a_source_cap_and_its_share_holds(tmp_path: Path) -> None:
    parts, decided = corpus_of(tmp_path, ("law", ["字" * 10] * 9), ("web", ["字" * 10] * 9))
    sources = {"law": {"max_tokens": 30}, "web": {"max_tokens": 80}}
    _, quotas = assembled(parts, decided, recipe(sources, mixture={"target_tokens": 100}), tmp_path)
    assert quotas == {"law": Quota(90, 30, 30), "web": Quota(90, 50, 50)}


def test_without_a_cap_everything_is_taken(tmp_path: Path) -> None:
    parts, decided = corpus_of(tmp_path, ("law", ["字" * 10] * 3))
    _, quotas = assembled(parts, decided, recipe({"law": {}, "web": {}}), tmp_path)
    assert quotas == {"law": Quota(30, None, 30), "web": Quota(0, None, 0)}
    assert (quotas["law"].epochs, quotas["web"].epochs) == (None, None)


def test_a_share_below_one_token_takes_nothing(tmp_path: Path) -> None:
    parts, decided = corpus_of(tmp_path, ("law", ["字" * 10] * 3), ("web", ["字" * 10] * 3))
    sources = {"law": {"weight": 1000}, "web": {"weight": 1}}
    _, quotas = assembled(parts, decided, recipe(sources, mixture={"target_tokens": 20}), tmp_path)
    assert quotas == {"law": Quota(30, 20, 20), "web": Quota(30, 0, 0)}


def test_only_kept_documents_count_and_are_written(tmp_path: Path) -> None:
    parts, decided = corpus_of(tmp_path, ("web", ["字" * 10] * 4))
    decided.remove(0, Reason.SCAM, rule="scam")
    decided.columns["status"][2], decided.columns["reason"][2] = "quarantined", "duplicate_id"
    _, quotas = assembled(parts, decided, recipe({"web": {}}), tmp_path)
    assert quotas == {"web": Quota(20, None, 20)}
    assert decided.columns["tokens"] == [None, 10, None, 10]
    assert [row["id"] for row in shards(tmp_path)["web-00000.parquet"]] == ["web:1", "web:3"]


# --- shards


@pytest.mark.parametrize(
    ("documents", "size", "expected"),
    [(7, 3, [3, 3, 1]), (6, 3, [3, 3]), (2, 3, [2]), (3, 1, [1, 1, 1]), (2500, 999, [999, 999, 502]), (2500, 1000, [1000, 1000, 500])],
)
def test_shards_are_cut_at_the_number_of_documents(tmp_path: Path, documents: int, size: int, expected: list[int]) -> None:
    texts = [f"字{number}" for number in range(documents)]
    third = documents // 3
    parts, decided = corpus_of(tmp_path, ("web", texts[:third]), ("web", []), ("web", texts[third:]))
    names, _ = assembled(parts, decided, recipe({"web": {}}, mixture={"shard_documents": size}), tmp_path)
    found = shards(tmp_path)
    assert names == [f"data/web-{number:05d}.parquet" for number in range(len(expected))] == [f"data/{name}" for name in found]
    assert [len(rows) for rows in found.values()] == expected
    assert [row["text"] for rows in found.values() for row in rows] == texts


def test_each_source_has_its_own_shards_and_an_empty_one_has_none(tmp_path: Path) -> None:
    parts, decided = corpus_of(tmp_path, ("law", ["甲", "乙"]), ("web", ["丙"]), ("news", []))
    decided.remove(2, Reason.SCAM)
    names, _ = assembled(parts, decided, recipe({"law": {}, "web": {}, "news": {}, "forum": {}}), tmp_path)
    assert names == ["data/law-00000.parquet"] == [f"data/{name}" for name in shards(tmp_path)]


def test_a_shard_holds_the_document_with_all_its_columns(tmp_path: Path) -> None:
    parts, decided = corpus_of(tmp_path, ("web", ["甲乙丙"]))
    assembled(parts, decided, recipe({"web": {}}), tmp_path)
    assert pq.read_schema(tmp_path / "data/web-00000.parquet").remove_metadata() == SHARD_SCHEMA
    (row,) = shards(tmp_path)["web-00000.parquet"]
    absent = dict.fromkeys(["url", "title", "published", "retrieved", "rights_holder", "parent_id"])
    stated = {"id": "web:0", "text": "甲乙丙", "source": "web", "license": "cc0-1.0", "flags": [], "metadata": '{"number": 0}', "tokens": 3}
    assert row == {**absent, **stated}


def test_shards_of_an_earlier_run_are_removed(tmp_path: Path) -> None:
    parts, decided = corpus_of(tmp_path / "parts", ("web", ["甲", "乙", "丙"]), ("law", ["丁"]))
    output = tmp_path / "run"
    assembled(parts, decided, recipe({"web": {}, "law": {}}, mixture={"shard_documents": 1}), output)
    assert len(shards(output)) == 4
    parts, decided = corpus_of(tmp_path / "parts2", ("web", ["甲", "乙", "丙"]))
    assembled(parts, decided, recipe({"web": {}}, mixture={"shard_documents": 2}), output)
    assert {name: [row["text"] for row in rows] for name, rows in shards(output).items()} == {
        "web-00000.parquet": ["甲", "乙"], "web-00001.parquet": ["丙"],
    }  # fmt: skip


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    written = []
    for name in ("a", "b"):
        parts, decided = corpus_of(tmp_path / name, ("web", [f"字{number}" * 9 for number in range(50)]))
        assembled(parts, decided, recipe({"web": {"max_tokens": 500}}, mixture={"shard_documents": 7}), tmp_path / name)
        written.append({path.name: path.read_bytes() for path in (tmp_path / name / "data").iterdir()})
    assert written[0] == written[1]


# --- lines


@pytest.mark.parametrize(
    ("text", "dropped", "expected"),
    [
        ("甲\n乙\n丙", None, "甲\n乙\n丙"),
        ("甲\n乙\n丙", [], "甲\n乙\n丙"),
        ("甲\n乙\n丙", [1], "甲\n丙"),
        ("甲\n乙\n丙", [0, 2], "乙"),
        ("甲\n\n乙\n丙", [0], "乙\n丙"),
        ("甲\n乙\n\n丙", [3], "甲\n乙"),
        ("甲\n乙", [0, 1], ""),
        ("甲", [0], ""),
        ("　甲\n乙", [1], "　甲"),
    ],
)
def test_lines_are_numbered_from_zero_and_blank_ends_go(text: str, dropped: list[int] | None, expected: str) -> None:
    assert without_lines(text, dropped) == expected


def test_repeated_lines_go_and_a_document_with_too_little_left_goes_with_them(tmp_path: Path) -> None:
    texts = ["頁首\n" + "字" * 9, "頁首\n" + "字" * 10, "頁首\n" + "字" * 4 + "\n" + "字" * 5, "字" * 3, "頁首\n頁尾"]
    parts, decided = corpus_of(tmp_path, ("web", texts))
    for row in (0, 1, 2, 4):
        decided.columns["dropped_lines"][row] = [0] if row < 4 else [0, 1]
    spec = {"near": None, "lines": {"min_remaining_chars": 10}}
    _, quotas = assembled(parts, decided, recipe({"web": {}}, deduplicate=spec), tmp_path)
    assert decided.columns["status"] == ["removed", "kept", "kept", "kept", "removed"]
    assert decided.columns["reason"] == ["line_duplicates", None, None, None, "line_duplicates"]
    assert decided.columns["rule"] == ["lines", None, None, None, "lines"]
    assert decided.columns["observed"] == ["remaining chars=9", None, None, None, "remaining chars=0"]
    assert decided.columns["threshold"] == ["remaining chars < 10", None, None, None, "remaining chars < 10"]
    assert decided.columns["tokens"] == [None, 10, 10, 3, None]
    assert decided.columns["chars"][1:4] == [10, 10, 3]
    assert quotas == {"web": Quota(23, None, 23)}
    assert [row["text"] for row in shards(tmp_path)["web-00000.parquet"]] == ["字" * 10, "字" * 4 + "\n" + "字" * 5, "字" * 3]


# --- tokens


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A byte-level BPE trained on invented sentences, with special tokens that its post-processor adds."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers

    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = ["<s>", "</s>"]
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=special, initial_alphabet=alphabet, show_progress=False)
    trained.train_from_iterator(SENTENCES * 5, trainer)
    trained.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[(name, trained.token_to_id(name)) for name in special]
    )
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    trained.save(str(path))
    return str(path)


def plain_count(path: str, text: str) -> int:
    from tokenizers import Tokenizer

    return len(Tokenizer.from_file(path).encode(text, add_special_tokens=False).ids)


@settings(max_examples=50, deadline=None)
@given(texts=st.lists(st.one_of(st.sampled_from(SENTENCES), st.text(st.characters(exclude_categories=["Cs"]), max_size=30)), max_size=6))
def test_tokens_are_those_that_the_tokenizer_encodes_to(tokenizer: str, texts: list[str]) -> None:
    assert TokenCounter(tokenizer, 1).count(texts) == [plain_count(tokenizer, text) for text in texts]


def test_a_corpus_counts_with_the_recipes_tokenizer(tmp_path: Path, tokenizer: str) -> None:
    texts = [*SENTENCES, "\n".join(SENTENCES), "<s>清晨</s>"]
    parts, decided = corpus_of(tmp_path, ("web", texts))
    decided.columns["dropped_lines"][5] = [1, 4]
    spec = {"lines": {"min_remaining_chars": 1}}
    _, quotas = assembled(parts, decided, recipe({"web": {}}, mixture={"tokenizer": tokenizer}, deduplicate=spec), tmp_path)
    texts[5] = "\n".join([SENTENCES[0], SENTENCES[2], SENTENCES[3]])
    expected = [plain_count(tokenizer, text) for text in texts]
    assert decided.columns["tokens"] == expected
    assert [(row["text"], row["tokens"]) for row in shards(tmp_path)["web-00000.parquet"]] == list(zip(texts, expected, strict=True))
    assert quotas["web"].available == sum(expected)


def test_without_a_tokenizer_tokens_are_estimated_from_characters() -> None:
    assert TokenCounter(None, 0.8).count(["", "字", "字" * 10, "字" * 1000]) == [0, 1, 8, 800]
    assert TokenCounter(None, 1.5).count(["字" * 10]) == [15]


def test_a_tokenizer_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "wrong.json").write_text('{"version": "1.0"}')
    (tmp_path / "binary.json").write_bytes(b"\x80\x81")
    for name in ("absent.json", "wrong.json", "binary.json", "."):
        with pytest.raises(UserError, match=r"^mixture\.tokenizer: .*tokenizer\.json") as error:
            TokenCounter(str(tmp_path / name), 1)
        assert "\n" not in str(error.value)


# --- personal data


def test_personal_data_is_redacted_where_the_policy_says_so(tmp_path: Path) -> None:
    text = "請洽王先生 0912-345-678\n或寫信到 wang@mail.example\n謝謝大家的幫忙"
    files = [("web", [text, "沒有號碼的一行字"]), ("notice", [text])]
    parts, decided = corpus_of(tmp_path, *files)
    actions = {"notice": {"mobile": Action.KEEP}}
    assembled(parts, decided, recipe({"web": {}, "notice": {}}), tmp_path, **actions)
    rows = {row["id"]: row for found in shards(tmp_path).values() for row in found}
    hidden = text.replace("0912-345-678", PLACEHOLDERS["mobile"]).replace("wang@mail.example", PLACEHOLDERS["email"])
    assert rows["web:0"]["text"] == hidden
    assert rows["notice:0"]["text"] == text.replace("wang@mail.example", PLACEHOLDERS["email"])
    assert decided.columns["redacted"] == [2, 0, 1]
    assert decided.columns["chars"][0] == rows["web:0"]["tokens"] == len(hidden)


def test_lines_are_counted_in_the_text_before_it_was_redacted(tmp_path: Path) -> None:
    parts, decided = corpus_of(tmp_path, ("web", ["第一行 0912-345-678\n第二行要刪掉\n第三行 0987-654-321"]))
    decided.columns["dropped_lines"][0] = [1]
    assembled(parts, decided, recipe({"web": {}}, deduplicate={"lines": {"min_remaining_chars": 1}}), tmp_path)
    mobile = PLACEHOLDERS["mobile"]
    assert shards(tmp_path)["web-00000.parquet"][0]["text"] == f"第一行 {mobile}\n第三行 {mobile}"


def test_titles_and_metadata_are_redacted_too(tmp_path: Path) -> None:
    parts, decided = corpus_of(tmp_path, ("web", ["內文沒有號碼，標題和附註才有"]))
    metadata = {"note": '打 0912-345-678 或說 "你好"', "number": 912345678, "list": [1]}
    document = Document("web:0", "內文沒有號碼，標題和附註才有", "web", License.CC0, title="售票 0987-654-321", metadata=metadata)
    pq.write_table(document_table([document], [document.text]), f"{parts[0].folder}/documents.parquet")
    assembled(parts, decided, recipe({"web": {}}), tmp_path)
    row = shards(tmp_path)["web-00000.parquet"][0]
    assert row["title"] == f"售票 {PLACEHOLDERS['mobile']}"
    assert json.loads(row["metadata"]) == {**metadata, "note": f'打 {PLACEHOLDERS["mobile"]} 或說 "你好"'}
