"""How often the gates of synthesis object to good rows: `python -m benchmarks.synth_gates`.

Needs TWLLM_DATA. 1,000 answers: paragraphs of 60 to 600 characters from Taiwan.md, the first of each article and so on in turn, each
under a question of its title, as rows of category knowledge; and the bundled seeds. Also: paragraphs of mainland news in Traditional
characters (converted by OpenCC's s2t), which should be objected to. Writes benchmarks/results/synth_gates.json, with ids and what was
objected to, no text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks import ROOT, data_folder, digest_of_ids, environment, rows, write_result
from factory.statistics import wilson
from synth.gates import Gates
from synth.seeds import bundled_paths, load
from synth.tasks import Candidate

RESULT = ROOT / "benchmarks" / "results" / "synth_gates.json"
CLEAN, FOREIGN = 1_000, 1_000
SHORTEST, LONGEST = 60, 600


def paragraphs(folder: Path, corpus: str, count: int) -> list[tuple[str, str]]:
    """Paragraphs with ids, documents in turn."""
    found: list[list[tuple[str, str]]] = []
    for row in rows(folder, corpus):
        lines = [line.strip() for line in row["text"].split("\n")]
        kept = [
            line
            for line in lines
            if SHORTEST <= len(line) <= LONGEST and line[0] not in "#|-*>![<`0123456789" and "http" not in line and line[-1] not in "：:"
        ]
        found.append([(f"{row['id']}#{number}", line) for number, line in enumerate(kept)])
    turns = (listed[turn] for turn in range(max(map(len, found))) for listed in found if turn < len(listed))
    return list(islice(turns, count))


def objections(listed: Iterable[tuple[str, str]]) -> dict[str, Any]:
    gates, total = Gates(), 0
    reasons: Counter[str] = Counter()
    shown: list[list[str]] = []
    for name, text in listed:
        total += 1
        messages = [{"role": "user", "content": f"請說明{name}。"}, {"role": "assistant", "content": text}]
        found = gates.object(Candidate(messages, "knowledge", (), {}), novel=False)
        if found is not None:
            reasons[str(found.reason)] += 1
            shown.append([name, str(found.reason), found.detail])
    count = sum(reasons.values())
    interval = [round(bound, 4) for bound in wilson(count, total)]
    return {"rows": total, "objected": count, "interval": interval, "reasons": dict(reasons.most_common()), "objections": shown[:100]}


def main() -> None:
    """Measures, prints, writes."""
    import opencc

    folder = data_folder()
    if folder is None:
        raise SystemExit("benchmarks.synth_gates: set TWLLM_DATA to the folder of real data.")
    clean = paragraphs(folder, "taiwan_md", CLEAN)
    convert = opencc.OpenCC("s2t").convert
    foreign = [(name, str(convert(text))) for name, text in paragraphs(folder, "zhcn_cnews", FOREIGN)]
    result = {
        "clean": {**objections(clean), "digest_of_ids": digest_of_ids(name for name, _ in clean)},
        "seeds": objections(
            (seed.id, seed.answer) for seed in load(bundled_paths()) if seed.category not in ("translation", "code", "mathematics")
        ),
        "converted": {key: value for key, value in objections(foreign).items() if key != "objections"},
        **environment(("benchmarks.synth_gates", "synth.gates", "factory.zh"), ("rapidfuzz",)),
    }
    for name in ("clean", "seeds", "converted"):
        print(name, {key: value for key, value in result[name].items() if key != "objections"})
    write_result(str(RESULT), result)


if __name__ == "__main__":
    main()
