"""Files of a model that may go out: safetensors, configuration and tokenizer, never pickled weights."""

from __future__ import annotations

import json
import os
import re
import shutil
from typing import Any

from factory.errors import UserError
from factory.hub.folder import Folder
from factory.hub.screen import Screen

# A pickle runs whatever its maker put into it as soon as it is loaded.
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".npy", ".npz", ".distcp")
_WEIGHTS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\.safetensors")
_TEXTS = re.compile(
    r"(?:[A-Za-z0-9][A-Za-z0-9._-]*\.safetensors\.index|config|generation_config|adapter_config|tokenizer|tokenizer_config|special_tokens_map"
    r"|added_tokens|vocab|chat_template|processor_config)\.json|merges\.txt|vocab\.txt|chat_template\.jinja|LICENSE(?:\.txt|\.md)?|NOTICE(?:\.txt|\.md)?"
)
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt")
MAX_HEADER_BYTES = 100 << 20  # safetensors' own limit


def write(folder: Folder, into: str, screen: Screen) -> tuple[list[str], list[str]]:
    """Copies what may be published; returns the names copied and those left behind. Raises UserError where the folder is no such model."""
    names = sorted(entry.name for entry in os.scandir(folder.path) if entry.is_file(follow_symlinks=False))
    pickled = [name for name in names if name.lower().endswith(_PICKLES)]
    if pickled:
        more = f" and {len(pickled) - 1} more" if len(pickled) > 1 else ""
        raise UserError(
            f"{folder.path}: {pickled[0]!r}{more} may be a pickle, which runs code when loaded. Save as safetensors; take it away."
        )
    weights = [name for name in names if _WEIGHTS.fullmatch(name)]
    documents = [name for name in names if _TEXTS.fullmatch(name) or name == "tokenizer.model"]
    for missing, there in (
        ("*.safetensors", weights),
        ("config.json", "config.json" in names),
        ("tokenizer", [name for name in _TOKENIZERS if name in names]),
    ):
        if not there:
            raise UserError(f"{folder.path}: holds no {missing}. A model goes out with its weights, configuration and tokenizer.")
    for name in weights:
        screen.secrets(_metadata(f"{folder.path}/{name}"), name)
    _check_index(folder.path, names, weights)
    for name in documents:
        if name != "tokenizer.model":
            with open(f"{folder.path}/{name}", encoding="utf-8", errors="replace") as stream:
                screen.secrets(stream.read(), name)
    for name in (*weights, *documents):
        shutil.copyfile(f"{folder.path}/{name}", f"{into}/{name}", follow_symlinks=False)
    chosen = {*weights, *documents, "README.md"}
    return sorted([*weights, *documents]), [name for name in names if name not in chosen]


def _metadata(path: str) -> str:
    """The header of a safetensors file, once its tensors are known to fill the file exactly."""
    size = os.path.getsize(path)
    try:
        with open(path, "rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if not 2 <= length <= min(MAX_HEADER_BYTES, size - 8):
                raise ValueError(f"a header of {length:,} bytes")
            text = stream.read(length).decode("utf-8")
        header: dict[str, Any] = json.loads(text)
        ends = [tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__"]
        if max(ends, default=0) != size - 8 - length:
            raise ValueError(f"tensors of {max(ends, default=0):,} bytes in {size - 8 - length:,}")
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise UserError(f"{path}: is no whole safetensors file: {error}. Save the model again.") from None
    return text


def _check_index(path: str, names: list[str], weights: list[str]) -> None:
    """Every file that an index names must be there."""
    for index in (name for name in names if name.endswith(".safetensors.index.json")):
        try:
            with open(f"{path}/{index}", encoding="utf-8") as stream:
                listed = set(json.load(stream)["weight_map"].values())
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{path}/{index}: is no index of weights: {error!r}. Save the model again.") from None
        missing = sorted(str(name) for name in listed if name not in weights)
        if missing:
            raise UserError(f"{path}/{index}: names {missing[0]!r}, which is not in the folder. Save the model again.")
