"""Folders as the rooms leave them, small, and the stand-in of the Hub."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from factory.cli import main
from tests.factory.hub.hub_server import WRITER, Hub

Publish = Callable[..., subprocess.CompletedProcess[str]]
REPOSITORY = Path(__file__).parents[3]


def conversation(number: int, **changes: Any) -> dict[str, Any]:
    row = {
        "id": f"synth-{number:04d}",
        "messages": [{"role": "user", "content": f"第{number}題：22K 是什麼？"}, {"role": "assistant", "content": "指月薪兩萬二。"}],
        "category": "knowledge",
        "lineage": {
            "task": "paraphrase",
            "prompt": "paraphrase@1.0.0",
            "model": "writer-7b",
            "parents": ["seed-001"],
            "sampling": {"seed": 7},
        },
        "license": "apache-2.0",
        "review": None,
    }
    return {**row, **changes}


def preference(number: int, **changes: Any) -> dict[str, Any]:
    row = {
        "id": f"pair-{number:04d}",
        "prompt": [{"role": "user", "content": f"第{number}題"}],
        "chosen": [{"role": "assistant", "content": "好答案"}],
        "rejected": [{"role": "assistant", "content": "壞答案"}],
        "category": "knowledge",
        "lineage": {"task": "preference", "prompt": "worse_answer@1.0.0", "model": "writer-7b", "parents": ["seed-001"]},
        "license": "apache-2.0",
    }
    return {**row, **changes}


def write_rows(path: Path, rows: list[Any]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")


@pytest.fixture
def rows_folder(tmp_path: Path) -> Path:
    """What a run of synth leaves, less its report."""
    folder = tmp_path / "demo"
    folder.mkdir()
    write_rows(folder / "accepted.jsonl", [conversation(number) for number in range(30)])
    write_rows(folder / "preferences.jsonl", [preference(number) for number in range(20)])
    write_rows(folder / "rejected.jsonl", [{"id": "x", "reason": "length"}])
    (folder / "summary.json").write_text('{"name": "demo", "accepted": 50}', "utf-8")
    (folder / "README.md").write_text(
        "---\nlicense: apache-2.0\nlanguage: [zh]\nconfigs:\n- config_name: default\n  data_files: accepted.jsonl\n"
        "- config_name: preferences\n  data_files: preferences.jsonl\n---\n\n# demo\n\nFifty rows.\n",
        "utf-8",
    )
    return folder


def safetensors(values: int = 4, **metadata: str) -> bytes:
    header = {"__metadata__": {"format": "pt", **metadata}, "weight": {"dtype": "F32", "shape": [values], "data_offsets": [0, 4 * values]}}
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + struct.pack(f"<{values}f", *range(values))


@pytest.fixture
def model_folder(tmp_path: Path) -> Path:
    """A model as `save_pretrained` leaves it."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(safetensors())
    (folder / "config.json").write_text('{"model_type": "llama"}', "utf-8")
    (folder / "tokenizer.json").write_text('{"version": "1.0"}', "utf-8")
    (folder / "README.md").write_text("---\nlicense: apache-2.0\nbase_model: someone/base\n---\n# tiny\n", "utf-8")
    (folder / "trainer_state.json").write_text("{}", "utf-8")
    return folder


@pytest.fixture(scope="session")
def corpus_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled sample, built by the command."""
    folder = tmp_path_factory.mktemp("corpus") / "sample"
    command(["corpus", "build", "sample", "--output", str(folder)], check=True)
    return folder


def command(arguments: list[str], check: bool = False, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command `twllm` in a process of its own, without the caller's token or proxies."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HF_") and not name.lower().endswith("_proxy")}
    done = subprocess.run(
        [sys.executable, "-c", "from factory.cli import main; main()", *arguments],
        cwd=REPOSITORY, capture_output=True, text=True, env={**inherited, **environment},
    )  # fmt: skip
    if check and done.returncode:
        raise AssertionError(done.stderr)
    return done


@pytest.fixture
def hub() -> Iterator[Hub]:
    started = Hub()
    yield started
    started.close()


@pytest.fixture
def publish_apart(hub: Hub, tmp_path: Path) -> Publish:
    """`twllm publish` against the stand-in, in a process of its own; `publish_apart(folder, "--public", to="a/b", HF_TOKEN=...)`."""

    def run(folder: Path, *options: str, to: str = "org/demo", **environment: str) -> subprocess.CompletedProcess[str]:
        own = {"HF_ENDPOINT": hub.url, "HF_TOKEN": WRITER, "HF_HOME": str(tmp_path / "hf")}
        return command(["publish", str(folder), "--to", to, *options], **{**own, **environment})

    return run


@pytest.fixture
def publish(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Publish:
    """The same in this process, which is quicker."""
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", constants.HF_HUB_DISABLE_XET)  # set by a push
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))

    def run(folder: Path, *options: str, to: str = "org/demo", **environment: str) -> subprocess.CompletedProcess[str]:
        arguments = ["twllm", "publish", str(folder), "--to", to, *options]
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", arguments)
            for name, value in {"HF_ENDPOINT": hub.url, "HF_TOKEN": WRITER, **environment}.items():
                patch.setenv(name, value)
            capsys.readouterr()
            with pytest.raises(SystemExit) as ended:
                main()
        said = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, ended.value.code or 0, said.out, said.err)  # type: ignore[arg-type]

    return run
