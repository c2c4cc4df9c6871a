"""The datasets of a review on the server: made once, found again, and known for the review's own.

Argilla counts answers by dataset, so a review has two: NAME, where one answer completes a record, and NAME-shared, where everybody
answers, with the gold questions in it. Disagreements go to NAME-adjudication, in a workspace that annotators do not belong to.
"""

from __future__ import annotations

from typing import Any

from curation.review.client import Client
from curation.review.kinds import Field, Kind, guidelines
from curation.review.store import Part, Store
from factory.errors import UserError

SUFFIX: dict[Part, str] = {"single": "", "shared": "-shared", "adjudication": "-adjudication"}
ADJUDICATION = "-adjudication"  # of the workspace's name
TAG = "twllm_review"


def dataset_name(review: str, part: Part) -> str:
    """What a part of a review is called on the server."""
    return review + SUFFIX[part]


def workspace_name(client: Client, part: Part) -> str:
    """The workspace that a part is in."""
    return client.door.workspace + (ADJUDICATION if part == "adjudication" else "")


def ensure(client: Client, store: Store, part: Part, kind: Kind, answers: int, extra: tuple[Field, ...] = (), adopt: bool = False) -> str:
    """The id of a part's dataset, made where it is not there; `answers` complete a record.

    One that a killed push left half made is made anew. Raises UserError where a dataset of that name was pushed from another home;
    with `adopt` it becomes this one's.
    """
    workspace = client.workspace_id(workspace_name(client, part), make=part == "adjudication")
    name = dataset_name(store.name, part)
    tag = store.fact("tag")
    found = client.dataset(workspace, name)
    theirs = (found.get("metadata") or {}).get(TAG) if found is not None else tag
    if theirs != tag and not (adopt and theirs):
        raise UserError(
            f"dataset {name!r}: {client.door.url} has one that was not pushed from this home. "
            "Give another --name; or --adopt, where the home that pushed it is lost."
        )
    if theirs != tag:
        store.set_fact("tag", tag := theirs)
    if found is not None and found["status"] == "draft":
        client.call("DELETE", f"/datasets/{found['id']}")
        found = None
    if found is None:
        found = _make(client, workspace, name, kind, answers, extra, tag)
    if store.fact(f"dataset:{part}") != found["id"]:
        with store.change():  # a new dataset has none of the records
            store.mark_pushed((record.id for record in store.records() if record.part == part), pushed=False)
            store.set_fact(f"dataset:{part}", found["id"])
    return str(found["id"])


def _make(client: Client, workspace: str, name: str, kind: Kind, answers: int, extra: tuple[Field, ...], tag: str) -> dict[str, Any]:
    made: dict[str, Any] = client.call(
        "POST", "/datasets",
        json={
            "name": name, "guidelines": guidelines(kind.name), "allow_extra_metadata": False, "workspace_id": workspace,
            "distribution": {"strategy": "overlap", "min_submitted": answers}, "metadata": {TAG: tag},
        },
    )  # fmt: skip
    place = f"/datasets/{made['id']}"
    for field in (*kind.fields, *extra):
        client.call(
            "POST",
            f"{place}/fields",
            json={"name": field.name, "title": field.title, "required": field.required, "settings": field.settings()},
        )
    for question in kind.questions:
        stated = {"name": question.name, "title": question.title, "description": question.description, "required": question.required}
        client.call("POST", f"{place}/questions", json={**stated, "settings": question.settings()})
    for metadata in METADATA:
        client.call("POST", f"{place}/metadata-properties", json=metadata)
    return dict(client.call("PUT", f"{place}/publish"))


def _property(name: str, title: str, type: str, visible: bool) -> dict[str, Any]:
    return {"name": name, "title": title, "settings": {"type": type}, "visible_for_annotators": visible}


# what tells a gold question from another is nowhere on the server; what a machine decided is for the owner's eyes
METADATA = (
    _property("priority", "優先度", "float", True),
    _property("lane", "分工", "terms", True),
    _property("category", "類別", "terms", True),
    _property("task", "來自哪個任務或層", "terms", False),
    _property("source", "來源或模型", "terms", False),
    _property("gate", "關卡或語料的決定", "terms", False),
    _property("judge", "評審平均", "float", False),
)


def check_schema(client: Client, store: Store, part: Part, kind: Kind) -> str | None:
    """The id of a part's dataset, None where the review has no such part.

    Raises UserError where it is gone, or where somebody changed its questions in Argilla.
    """
    stored = store.fact(f"dataset:{part}")
    if stored is None:
        return None
    name = dataset_name(store.name, part)
    workspace = client.workspace_id(workspace_name(client, part))
    found = client.dataset(workspace, name)
    if found is None:
        raise UserError(f"dataset {name!r}: is no longer on {client.door.url}. Restore it from a backup; answers pulled so far are kept.")
    if found["id"] != stored:
        raise UserError(f"dataset {name!r}: was deleted and made anew on {client.door.url}. Push again under another --name.")
    there = {row["name"]: row for row in client.call("GET", f"/datasets/{stored}/questions")["items"]}
    for question in kind.questions:
        fault = _fault(question.settings(), there.pop(question.name, None))
        if fault:
            raise UserError(
                f"dataset {name!r}: question {question.name!r} {fault} in Argilla. Put it back as it was, or push under another --name."
            )
    if there:
        raise UserError(
            f"dataset {name!r}: question {min(there)!r} was added in Argilla and is not this review's. "
            "Remove it, or push under another --name."
        )
    return str(stored)


def _fault(stated: dict[str, Any], found: dict[str, Any] | None) -> str | None:
    if found is None:
        return "was removed"
    settings = found["settings"]
    if settings["type"] != stated["type"]:
        return f"was changed from {stated['type']} to {settings['type']}"
    wanted = {option["value"]: option.get("text") for option in stated.get("options", [])}
    present = {option["value"]: option.get("text") for option in settings.get("options") or []}
    if set(wanted) != set(present):
        return "has other answers to choose from"
    changed = next((value for value in wanted if wanted[value] != present[value]), None)
    return None if changed is None else f"calls its answer {changed!r} otherwise ({present[changed]!r})"
