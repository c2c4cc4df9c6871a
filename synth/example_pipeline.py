"""An ordinary distilabel pipeline of this project's tasks over the seeds: `python -m synth.example_pipeline URL MODEL FOLDER`.

A seed is rewritten, and the rewrite is judged. Two steps of a `Pipeline` like any other: caching, batching and resuming are distilabel's.
For work that costs money use `twllm synth run`, which executes the same tasks with a ledger and gates.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from synth.seeds import bundled_paths, load


def pipeline(url: str, model: str, folder: str, seeds: Sequence[dict[str, Any]] | None = None, api_key: str = "none") -> Any:
    """The pipeline, to be run. `folder` holds its cache; `seeds` are rows with id, category, question and answer (default: the hundred)."""
    from distilabel.models import OpenAILLM
    from distilabel.pipeline import Pipeline
    from distilabel.steps import KeepColumns, LoadDataFromDicts

    from synth.distilabel_tasks import task_class

    rows = list(seeds) if seeds is not None else [seed.model_dump() for seed in load(bundled_paths())]
    with Pipeline(name="twllm-seeds", cache_dir=folder) as made:
        source = LoadDataFromDicts(name="seeds", data=rows, batch_size=10)
        llm = OpenAILLM(base_url=url, api_key=api_key, model=model, generation_kwargs={"max_new_tokens": 512, "temperature": 0.7})
        rewritten = {"question": "new_question", "answer": "new_answer"}
        paraphrase = task_class("paraphrase")(name="paraphrase", llm=llm, input_batch_size=10, output_mappings=rewritten)
        judge = task_class("judge")(
            name="judge", llm=llm, input_batch_size=10,
            input_mappings={"question": "new_question", "answer": "new_answer"}, output_mappings={"model_name": "judged_by"},
        )  # fmt: skip
        keep = KeepColumns(
            name="keep", columns=["id", "category", "new_question", "new_answer", "correct", "fluent", "taiwanese", "helpful", "reason"]
        )
        source >> paraphrase >> judge >> keep
    return made


if __name__ == "__main__":
    if len(sys.argv) != 4:
        raise SystemExit(__doc__)
    made = pipeline(sys.argv[1], sys.argv[2], sys.argv[3]).run(use_cache=False)
    print(made["default"]["train"].to_pandas().to_json(orient="records", lines=True, force_ascii=False))
