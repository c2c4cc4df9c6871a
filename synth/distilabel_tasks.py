"""The tasks as distilabel Tasks, for whoever has a distilabel pipeline. The only module that imports distilabel.

`task_class("paraphrase")` is an ordinary Task: it takes rows with the task's inputs, asks the pipeline's LLM, and gives the task's
outputs, or None where the answer is not in form (distilabel's own convention). The ledger and the gates are not part of it: this
project's runner executes the same tasks with them.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from distilabel.errors import DistilabelUserError
from distilabel.steps.tasks import Task as DistilabelTask
from pydantic import PrivateAttr

from synth.answers import Malformed
from synth.prompt import Prompt, prompt
from synth.tasks import TASKS, Task


class SynthTask(DistilabelTask):  # type: ignore[misc]
    """Base of the generated classes."""

    number: int = 0  # which tone, persona or fault, in turn
    _task: Task = PrivateAttr()

    @property
    def template(self) -> Prompt:
        """The prompt with its version."""
        return prompt(self._task.prompt_id)

    @property
    def inputs(self) -> list[str]:
        return list(self._task.inputs)

    @property
    def outputs(self) -> list[str]:
        return [*self._task.outputs, "model_name"]

    def format_input(self, input: dict[str, Any]) -> Any:
        """Messages of a row."""
        return self.template.render(**self._task.variables(input), **self._task.facets(input, self.number))

    def format_output(self, output: str | None, input: dict[str, Any] | None = None) -> dict[str, Any]:
        """The first candidate's outputs; None for each where the answer is not in form."""
        nothing = dict.fromkeys(self._task.outputs)
        if output is None or input is None:
            return nothing
        try:
            candidate = self._task.read(output, input)[0]
        except Malformed:
            return nothing
        messages = {"question": candidate.messages[0]["content"], "answer": candidate.messages[-1]["content"]} if candidate.messages else {}
        known = {**messages, "messages": candidate.messages, **candidate.extra, **candidate.extra.get("scores", {})}
        if "rejected" in candidate.extra:
            known["answer"] = candidate.extra["rejected"]
        return {name: known[name] for name in self._task.outputs}


@cache
def task_class(name: str) -> type[SynthTask]:
    """The distilabel Task of one of TASKS. Raises distilabel's user error for another name."""
    if name not in TASKS:
        raise DistilabelUserError(f"no task {name!r}; there are {', '.join(TASKS)}")
    task = TASKS[name]

    def post_init(self: SynthTask, context: Any) -> None:
        DistilabelTask.model_post_init(self, context)
        self._task = task

    made = type(type(task).__name__, (SynthTask,), {"__doc__": type(task).__doc__, "__module__": __name__, "model_post_init": post_init})
    globals()[made.__name__] = made  # distilabel finds a step's class again by module and name
    return made
