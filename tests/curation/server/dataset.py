"""A small dataset, made through Argilla's HTTP interface as any program would."""

from __future__ import annotations

from typing import Any

import requests

from curation.server.instance import Instance

TEXTS = ("臺南的牛肉湯要清晨去喝。", "巷口那家牛肉麵，湯頭濃而不鹹。", "捷運末班車是十二點半。")


def api(server: Instance, method: str, path: str, **content: Any) -> Any:
    """JSON of the answer; an AssertionError with what it said where it is no success."""
    headers = {"X-Argilla-Api-Key": server.owner.api_key}
    answer = requests.request(method, f"{server.url}/api/v1/{path}", headers=headers, timeout=30, **content)
    assert answer.ok, f"{answer.status_code} {answer.text}"
    return answer.json() if answer.content else None


def make(server: Instance, name: str) -> str:
    """The id of a published dataset with a text, a yes-or-no question and three records."""
    workspace = next(one["id"] for one in api(server, "GET", "me/workspaces")["items"] if one["name"] == server.workspace)
    dataset = api(server, "POST", "datasets", json={"name": name, "workspace_id": workspace})["id"]
    field = {"name": "text", "title": "文字", "required": True, "settings": {"type": "text"}}
    api(server, "POST", f"datasets/{dataset}/fields", json=field)
    options = [{"value": "keep", "text": "保留"}, {"value": "reject", "text": "退回"}]
    question = {"name": "verdict", "title": "判斷", "required": True, "settings": {"type": "label_selection", "options": options}}
    api(server, "POST", f"datasets/{dataset}/questions", json=question)
    api(server, "PUT", f"datasets/{dataset}/publish")
    add(server, dataset, TEXTS)
    return str(dataset)


def add(server: Instance, dataset: str, texts: tuple[str, ...]) -> None:
    api(server, "POST", f"datasets/{dataset}/records/bulk", json={"items": [{"fields": {"text": text}} for text in texts]})


def texts(server: Instance, dataset: str) -> list[str]:
    return sorted(record["fields"]["text"] for record in api(server, "GET", f"datasets/{dataset}/records")["items"])
