# Two commands, each with its whole set-up: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: browser demo test docs test-deepspeed test-oldest quality clean

demo: $(VENV)/.demo
	$(BIN)/hf-tl demo

test: browser $(VENV)/.test
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# The report is looked at in a real browser, which is no Python package.
browser:
	@sh tests/install_chromium.sh

docs: $(VENV)/.test
	$(BIN)/mkdocs build

# The first start compiles C++ for minutes.
test-deepspeed: .venv-deepspeed/.test
	DS_ACCELERATOR=cpu .venv-deepspeed/bin/python -m pytest tests/deepspeed

.venv-deepspeed/.test: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-deepspeed
	.venv-deepspeed/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[test]' deepspeed
	touch $@

# The oldest transformers that pyproject.toml accepts, with companions that it allows. In two processes on
# CPU it cannot load the state of an optimizer with this torch ("tagged with cpu:0").
test-oldest: .venv-oldest/.test
	.venv-oldest/bin/python -m pytest -n 2 --dist loadfile tests/callbacks tests/test_run_settings.py \
		--ignore tests/callbacks/test_two_processes.py \
		--ignore tests/callbacks/test_negative_transfer_processes.py

.venv-oldest/.test: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-oldest
	grep -v -E '^(transformers|huggingface_hub|tokenizers)==' constraints.txt > .venv-oldest/constraints.txt
	.venv-oldest/bin/python -m pip install --quiet --constraint .venv-oldest/constraints.txt --editable '.[test]' transformers==5.17.0
	touch $@

quality: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[demo]'
	touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@ $(VENV)/.demo

clean:
	rm -rf $(VENV) .venv-deepspeed .venv-oldest build dist site runs .pytest_cache .mypy_cache .ruff_cache
