"""Models: what goes out, what stays, what is refused."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from factory.errors import UserError
from factory.hub import folder, model
from factory.hub.screen import Screen
from tests.factory.hub.conftest import safetensors


def written(path: Path, into: Path) -> tuple[list[str], list[str], Screen]:
    into.mkdir()
    screen = Screen(None, {})
    sent, left = model.write(folder.read(str(path)), str(into), screen)
    return sent, left, screen


def test_what_goes_out_and_what_stays(model_folder: Path, tmp_path: Path) -> None:
    (model_folder / "modeling_tiny.py").write_text("import os", "utf-8")
    (model_folder / "checkpoint-1").mkdir()
    (model_folder / "checkpoint-1" / "optimizer.pt").write_bytes(b"x")
    sent, left, screen = written(model_folder, tmp_path / "out")
    assert sent == ["config.json", "model.safetensors", "tokenizer.json"]
    assert left == ["modeling_tiny.py", "trainer_state.json"]
    assert (tmp_path / "out" / "model.safetensors").read_bytes() == (model_folder / "model.safetensors").read_bytes()
    assert screen.report() == []


@pytest.mark.parametrize(
    "name", ["pytorch_model.bin", "model.pt", "weights.PTH", "training_args.bin", "a.ckpt", "a.pkl", "a.joblib", "a.npy"]
)
def test_pickles_are_refused(name: str, model_folder: Path, tmp_path: Path) -> None:
    (model_folder / name).write_bytes(b"\x80\x04.")
    with pytest.raises(UserError, match=f"'{name}' may be a pickle"):
        written(model_folder, tmp_path / "out")


def test_a_model_of_pickles_alone_is_taken_for_a_model(model_folder: Path, tmp_path: Path) -> None:
    (model_folder / "model.safetensors").rename(model_folder / "pytorch_model.bin")
    with pytest.raises(UserError, match="may be a pickle"):
        written(model_folder, tmp_path / "out")


@pytest.mark.parametrize(("name", "said"), [("config.json", "config.json"), ("tokenizer.json", "tokenizer")])
def test_what_a_model_must_have(name: str, said: str, model_folder: Path, tmp_path: Path) -> None:
    (model_folder / name).unlink()
    with pytest.raises(UserError, match=f"holds no {said}"):
        written(model_folder, tmp_path / "out")


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        b"\x80\x04pickle",
        struct.pack("<Q", 1 << 60) + b"{}",
        safetensors()[:-1],
        safetensors() + b"x",
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 12) + b'{"a": "bcd"}',
    ],
)
def test_a_file_that_only_says_that_it_is_safetensors(blob: bytes, model_folder: Path, tmp_path: Path) -> None:
    (model_folder / "model.safetensors").write_bytes(blob)
    with pytest.raises(UserError, match="is no whole safetensors file"):
        written(model_folder, tmp_path / "out")


def test_an_index_names_files_that_are_there(model_folder: Path, tmp_path: Path) -> None:
    index = model_folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"weight": "../model.safetensors"}}), "utf-8")
    with pytest.raises(UserError, match=r"names '\.\./model\.safetensors'"):
        written(model_folder, tmp_path / "out")
    index.write_text(json.dumps({"weight_map": {"weight": "model.safetensors"}}), "utf-8")
    assert index.name in written(model_folder, tmp_path / "again")[0]


@pytest.mark.parametrize("place", ["config.json", "model.safetensors"])
def test_secrets_in_files_of_a_model(place: str, model_folder: Path, tmp_path: Path) -> None:
    secret = "hf" + "_" + "aB3" * 12
    if place == "config.json":
        (model_folder / place).write_text(json.dumps({"token": secret}), "utf-8")
    else:
        (model_folder / place).write_bytes(safetensors(4, token=secret))
    assert written(model_folder, tmp_path / "out")[2].report() == [f"{place}: Hugging Face token"]
