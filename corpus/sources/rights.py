"""Rights files: who holds a book's rights, under which licence or contract it is used, and what for.

`book.epub.rights.yaml` beside `book.epub` speaks of that file; else `rights.yaml` in its folder does, which states one set of
keys for every file, or a list of entries that each name their `file`.
"""

from __future__ import annotations

import unicodedata
from datetime import date
from functools import lru_cache
from hashlib import sha256
from typing import Any, Literal

from pydantic import Field, model_validator

from corpus.sources.spec import NonEmpty
from factory.errors import UserError
from factory.recipe import Strict, parse_model, read_yaml
from factory.records import License
from factory.storage import file_size, open_stored

MAX_RIGHTS_BYTES = 4 << 20  # some 20,000 entries
MAX_MESSAGE_CHARS = 500
MAX_DEPTH = 8  # a list of entries with a list in each needs four
SUFFIX = ".rights.yaml"
FOLDER_FILE = "rights.yaml"

Use = Literal["training", "evaluation", "redistribution", "commercial", "quotation"]


class RightsError(Exception):
    """A file whose rights are not stated, or do not allow its use; the message is one line that says how to put it right."""


class UnstatedRights(RightsError):
    """No rights file speaks of the file."""


class Rights(Strict):
    """What a rights file states of one book."""

    holder: NonEmpty = Field(max_length=500, description="Who holds the rights: author, heirs or publisher.")
    license: License = Field(description="The licence; proprietary for a contract, public-domain where the rights have expired.")
    contract_id: NonEmpty | None = Field(default=None, max_length=200, description="The contract's number; required with proprietary.")
    share: float | None = Field(
        default=None,
        ge=0,
        le=1,
        allow_inf_nan=False,
        strict=True,
        description="The holder's share of revenue, 0 to 1; required with proprietary.",
    )
    permitted_use: list[Use] = Field(min_length=1, description="What the rights allow; only books for training are read.")
    valid_until: date | None = Field(default=None, description="Last day of the rights; null for no end.")
    territory: NonEmpty | None = Field(default=None, max_length=500, description="Where the rights hold.")
    note: NonEmpty | None = Field(default=None, max_length=1000, description="Anything else that a reader of the ledger should know.")

    @model_validator(mode="after")
    def _complete(self) -> Rights:
        if self.license is License.UNKNOWN:
            raise ValueError("license unknown states no rights; name the licence, or proprietary with contract_id and share")
        if self.license is License.PROPRIETARY:
            for key in ("contract_id", "share"):
                if getattr(self, key) is None:
                    raise ValueError(f"license proprietary needs {key}; add it")
        return self

    def metadata(self) -> dict[str, Any]:
        """What goes into every part's metadata, beside the document's own `license` and `rights_holder`."""
        stated = {
            "contract_id": self.contract_id,
            "share": self.share,
            "permitted_use": list(dict.fromkeys(self.permitted_use)),
            "valid_until": self.valid_until.isoformat() if self.valid_until else None,
            "territory": self.territory,
            "rights_note": self.note,
        }
        return {key: value for key, value in stated.items() if value is not None}

    def expired(self, today: date) -> bool:
        """Whether the last day of the rights is over."""
        return self.valid_until is not None and self.valid_until < today


def is_rights_file(path: str) -> bool:
    """Whether a path is named like a rights file."""
    name = path.replace("\\", "/").rsplit("/", 1)[-1]
    return name == FOLDER_FILE or name.endswith(SUFFIX)


def rights_file(path: str) -> str | None:
    """The rights file that speaks of the file at `path` (an fsspec path), None where there is none. Cost: one or two look-ups."""
    folder, slash, _ = path.rpartition("/")
    for candidate in (path + SUFFIX, folder + slash + FOLDER_FILE):
        if file_size(candidate) is not None:
            return candidate
    return None


def rights_of(path: str) -> Rights:
    """The rights of the file at `path`, whatever they allow.

    Raises UnstatedRights where nothing speaks of it, RightsError where its rights file is faulty, and UserError where a
    remote rights file cannot be reached. Memory and time are bounded by `MAX_RIGHTS_BYTES` (about 10 s a MB of YAML, once a
    process for each version of the file).
    """
    found = rights_file(path)
    name = path.rpartition("/")[2]
    if found is None:
        raise UnstatedRights(_how_to_state(name, f"no rights stated: there is neither {name}{SUFFIX} nor {FOLDER_FILE} beside it"))
    content = _content(found)
    try:
        stated = _parsed(found, sha256(content).hexdigest())
        if isinstance(stated, list):
            if _short(found) != FOLDER_FILE:
                raise UserError(f"{_short(found)}: holds a list; it speaks of one file. Give the keys of one book.")
            return _entry(stated, name, _short(found))
        return parse_model(stated, Rights, _short(found))
    except UserError as error:
        raise RightsError(str(error).replace(found, _short(found))[:MAX_MESSAGE_CHARS]) from None


def check_use(rights: Rights, today: date) -> None:
    """Raises RightsError where the rights do not allow training on that day."""
    if "training" not in rights.permitted_use:
        uses = ", ".join(rights.permitted_use)
        raise RightsError(f"not licensed for training: permitted_use is {uses}. Agree on training with {rights.holder}, or leave it out.")
    if rights.expired(today):
        raise RightsError(f"the rights expired: valid_until is {rights.valid_until}. Renew them with {rights.holder}, or leave it out.")


def _how_to_state(name: str, fault: str) -> str:
    return (
        f"{fault}. Write {name}{SUFFIX} with holder, license (for example proprietary or public-domain), permitted_use: [training] and, "
        "where the license is proprietary, contract_id and share."
    )


def _content(path: str) -> bytes:
    with open_stored(path) as stream:
        content = stream.read(MAX_RIGHTS_BYTES + 1)
    if len(content) > MAX_RIGHTS_BYTES:
        raise RightsError(f"{_short(path)}: is over {MAX_RIGHTS_BYTES} bytes. Split the folder, or write one rights file for each book.")
    return content


@lru_cache(maxsize=4)
def _parsed(path: str, digest: str) -> Any:
    """The content of a rights file, parsed once for each version (`digest`) of it: a folder's table is asked for every book."""
    _check_shape(path)
    return read_yaml(path)


def _check_shape(path: str) -> None:
    """Refuses what a table of rights never has: anchors, which can stand for a gigabyte in a few lines, and deep nesting."""
    import yaml

    depth = 0
    try:
        for event in yaml.parse(_content(path), yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if isinstance(event, yaml.AliasEvent) or depth > MAX_DEPTH:
                fault = "an alias (*)" if isinstance(event, yaml.AliasEvent) else f"more than {MAX_DEPTH} levels of nesting"
                line = event.start_mark.line + 1 if event.start_mark else 1
                raise UserError(f"{_short(path)}:{line}: holds {fault}. Write plain keys and values.")
    except yaml.YAMLError:
        return  # read_yaml says where it is


def _entry(entries: list[Any], name: str, where: str) -> Rights:
    wanted = unicodedata.normalize("NFC", name)  # file systems differ in how they compose a name
    found: list[tuple[int, dict[str, Any]]] = []
    for number, entry in enumerate(entries, 1):
        file = entry.get("file") if isinstance(entry, dict) else None
        if not isinstance(file, str) or not file:
            raise UserError(f"{where}: entry {number} names no file. Begin it with '- file: book.epub'.")
        if unicodedata.normalize("NFC", file) == wanted:
            found.append((number, entry))
    if not found:
        raise UnstatedRights(_how_to_state(name, f"no rights stated: no entry of {where} names {name}"))
    if len(found) > 1:
        raise UserError(f"{where}: entries {found[0][0]} and {found[1][0]} both name {name}. Remove one of them.")
    number, entry = found[0]
    return parse_model({key: value for key, value in entry.items() if key != "file"}, Rights, f"{where}: entry {number}")


def _short(path: str) -> str:
    return path.rpartition("/")[2]
