PYTHON ?= python

.PHONY: install check test nightly bench golden docs site

install:  ## the package, editable, with everything its tests need
	$(PYTHON) -m pip install torch==2.13.0  # first, on its own: see CONTRIBUTING.md
	$(PYTHON) -m pip install -e '.[test]'

check:  ## style, types, layers
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	lint-imports

test:  ## everything that needs no GPU, no vLLM, no Docker and no minutes
	$(PYTHON) -m pytest -n auto

nightly:  ## what takes hours: the tests in another order, the doctor on all there is, every mutation of the tables, a hundred that nobody chose
	AGENTGYM_KILLS=50 AGENTGYM_PLACES=3 AGENTGYM_GAMES=20 $(PYTHON) -m pytest -n auto -p randomly -m 'not (vllm or docker or browser or gpu or pretrained)'
	$(PYTHON) -m pytest -m 'vllm and not gpu'
	AGENTGYM_SEEDS=10 $(PYTHON) -m pytest -n auto -m 'browser or docker'
	$(PYTHON) tests/doctored.py --jobs $$(nproc)
	$(PYTHON) tests/mutations.py --jobs $$(nproc)
	$(PYTHON) tests/mutations.py --map --jobs $$(nproc)
	$(PYTHON) tests/mutations.py --drawn 100 --seed $$(date +%j) --jobs $$(nproc)

bench:  ## the performance table, row by row
	@for script in benchmarks/[a-z]*.py; do echo "== $$script"; $(PYTHON) $$script || exit 1; done

golden:  ## write the files that the golden tests compare with
	AGENTGYM_GOLDEN=write $(PYTHON) -m pytest tests/golden
	AGENTGYM_GOLDEN=write $(PYTHON) -m pytest tests/integration/test_learning.py -k golden

docs:  ## what is written by programs: docs/reference.md, and the tables of docs/measured
	$(PYTHON) -m agentgym.reference > docs/reference.md
	$(PYTHON) docs/figures.py

site:  ## the pages as a site, in build/site; a link that leads nowhere is an error
	$(PYTHON) -m mkdocs build --strict
