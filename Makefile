# `make demo` and `make test` need Python 3.10+ and make, nothing else: no service, no root.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check

.PHONY: help demo run test endurance coverage browser screenshots celery chaos bench openapi schemathesis mistakes lint format types docs messages package clean

help:
	@echo "make demo      send sample messages through a local gateway and show the result"
	@echo "make run       the admin, REST and the local gateway, to explore"
	@echo "make test      the whole suite on SQLite"
	@echo "make endurance outages, poison, models, killed processes: the tests that take long"
	@echo "make browser   the admin's pages in Chromium; make screenshots takes the docs' pictures anew"
	@echo "make celery    the tasks, by real workers on Redis and RabbitMQ, on SQLite"
	@echo "make chaos     kill real workers at work, and count what they lost or sent twice"
	@echo "make bench     what it costs here: figures beside a bare loop and django-post_office"
	@echo "make openapi   docs/openapi.yaml from the code; make schemathesis attacks the REST API with it"
	@echo "make coverage | mistakes | lint | format | types | docs | messages | package | clean"

# A stamp for each set of extras, so that nothing is installed twice.
$(VENV)/.python:
	@command -v $(PYTHON) >/dev/null || { echo "No $(PYTHON) here: name a Python 3.10 or newer with make PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "$(PYTHON) is Python " + sys.version.split()[0] + ": name a 3.10 or newer with make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed-%: $(VENV)/.python setup.cfg
	$(PIP) install --editable '.[$*]'
	@touch $@

demo: $(VENV)/.installed-example
	@$(BIN)/python example_project/demo.py

run: $(VENV)/.installed-example
	@$(BIN)/python example_project/run.py

test: $(VENV)/.installed-test
	$(BIN)/python $(COVER) -m pytest --quiet --numprocesses auto --dist worksteal --ignore tests/endurance

# What takes long and tests endurance; with `make test` it is the whole suite.
endurance: $(VENV)/.installed-test
	$(BIN)/python $(COVER) -m pytest --quiet --numprocesses auto --dist worksteal tests/endurance

coverage: COVER := -m coverage run
coverage: test endurance
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report

# BROWSER_REQUIRED=1 fails without a browser, BROWSER=/path/to/one names it.
browser: $(VENV)/.installed-test $(VENV)/.installed-browser
	$(BIN)/python -m pytest --quiet --numprocesses auto --dist worksteal tests/browser

screenshots: export SCREENSHOTS := docs/images
screenshots: export BROWSER_REQUIRED := 1
screenshots: browser

# REDIS_URL and AMQP_URL name the brokers where they are not on this host.
celery: export CELERY_REQUIRED := 1
celery: $(VENV)/.installed-test
	$(BIN)/python -m pytest --quiet --numprocesses 2 --dist worksteal tests/endurance/test_celery.py

# CHAOS="--set long --database postgres://..." runs all of it, or another database.
chaos: $(VENV)/.installed-test
	@$(BIN)/python -m tests.endurance.chaos $(CHAOS)

# BENCH="drain size --database postgres://..." runs parts of it, or on another database.
bench: $(VENV)/.installed-bench
	@$(BIN)/python -m benchmarks $(BENCH)

# What drf-spectacular makes of the code, for clients in other languages.
openapi: $(VENV)/.installed-test
	$(BIN)/python -m django spectacular --settings tests.settings --validate --fail-on-warn --file docs/openapi.yaml

# DATABASE_URL=postgres://... names another database than SQLite, ATTACK=2 another seed.
schemathesis: export ATTACK ?= 1
schemathesis: $(VENV)/.installed-test $(VENV)/.installed-schemathesis
	$(BIN)/python -m pytest --quiet -s --show-capture=no tests/attack

mistakes: $(VENV)/.installed-test
	@$(BIN)/python -m tests.support.mistakes

lint: $(VENV)/.installed-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.installed-lint
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/.installed-test $(VENV)/.installed-types
	$(BIN)/python -m mypy

docs: $(VENV)/.installed-docs
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet docs docs/_build/html

messages: $(VENV)/.installed-test
	mkdir -p django_mobilon_sms/locale
	cd django_mobilon_sms && ../$(BIN)/python -m django makemessages --locale ru --no-location --no-wrap
	cd django_mobilon_sms && ../$(BIN)/python -m django compilemessages --locale ru

package: $(VENV)/.installed-package
	rm -rf build dist
	$(BIN)/python -m build --outdir dist .
	$(BIN)/python -m twine check --strict dist/*

clean:
	rm -rf $(VENV) build dist docs/_build .coverage* .mypy_cache .pytest_cache .ruff_cache .tox
