"""The commands of docs/publish.md, run as they stand, against the stand-in of the Hub."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.factory.hub.conftest import REPOSITORY
from tests.factory.hub.hub_server import WRITER, Hub


def test_its_commands_run(hub: Hub, corpus_run: Path, tmp_path: Path) -> None:
    shutil.copytree(corpus_run, tmp_path / "runs" / "sample")  # so that building it again takes no time
    text = (REPOSITORY / "docs" / "publish.md").read_text("utf-8")
    (block,) = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    command = f'twllm() {{ {sys.executable} -c "from factory.cli import main; main()" "$@"; }}; set -e\n{block}'
    own = {
        "HF_ENDPOINT": hub.url,
        "HF_TOKEN": WRITER,
        "HF_HOME": str(tmp_path / "hf"),
        "PYTHONPATH": str(REPOSITORY),
    }
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, env={**os.environ, **own})
    assert done.returncode == 0, done.stderr
    sent = hub.repos["datasets/your-org/sample"]
    assert sent.private
    assert all(
        (tmp_path / "runs" / "sample.hub" / name).read_bytes() == blob for name, blob in sent.files.items() if name != ".gitattributes"
    )
