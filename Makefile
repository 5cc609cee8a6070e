# `make demo` and `make test` need Python 3.10+ and make, nothing else: no service, no root.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check

.PHONY: help demo run test endurance coverage browser screenshots celery chaos nightly bench openapi \
	schemathesis clients mistakes lint format prose types docs map settings tutorial messages package clean

help:
	@echo "make demo         send sample messages through a local gateway and show the result"
	@echo "make run          the admin, REST and the local gateway, to explore"
	@echo
	@echo "make test         the suite on SQLite; make endurance is the part of it that takes long"
	@echo "make lint types   ruff, mypy; make format mends what it can"
	@echo "make prose        the words of the documentation; needs npm"
	@echo "make browser      the admin's pages in Chromium; make screenshots renews the docs' pictures"
	@echo "make celery       the tasks by real workers on Redis and RabbitMQ"
	@echo "make mistakes     plant known mistakes and show which test catches each"
	@echo "make chaos        kill real workers and count what they lost or sent twice"
	@echo "make schemathesis attack the REST API with what docs/openapi.yaml says"
	@echo "make clients      generate REST clients from docs/openapi.yaml and call everything; needs npm"
	@echo "make nightly      what takes longer than a submission may: long chaos, all versions"
	@echo "make coverage     name the lines that no test reaches; fails below 95 %"
	@echo
	@echo "make docs         the documentation; make map draws the picture of the rooms,"
	@echo "                  make settings what it has of settings and tables, make tutorial times the tutorial"
	@echo "make openapi      docs/openapi.yaml from the code"
	@echo "make messages     the Russian catalogue from the code"
	@echo "make bench        what it costs here, beside a bare loop and django-post_office"
	@echo "make package      the distribution; make clean removes what was made"

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

# What takes long, such as the pages that a newcomer follows; with `make test` it is the whole suite.
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

# By hand or at night: about two hours on two cores.
nightly: test endurance
	$(MAKE) chaos CHAOS="--set long --jobs 4 $(CHAOS)"
	$(PIP) install 'tox>=4.20'
	$(BIN)/python -m tox run
	$(MAKE) bench coverage

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

# A client for Python and one for TypeScript, generated and run; and linters of the description.
clients: export CLIENTS := 1
clients: $(VENV)/.installed-test $(VENV)/.installed-clients tests/clients/node_modules/.installed
	$(BIN)/python -m pytest --quiet tests/clients

mistakes: $(VENV)/.installed-test
	@$(BIN)/python -m tests.support.mistakes

lint: $(VENV)/.installed-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.installed-lint
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The words of the documentation: the rules are in prose/words.yml, and `file:line` says where.
PROSE := README.rst CHANGELOG.rst CONTRIBUTING.rst SECURITY.rst AGENTS.md
prose: prose/node_modules/.installed
	prose/node_modules/.bin/textlint --config prose/.textlintrc.json --format unix \
		--rules-base-directory $(CURDIR)/prose/node_modules \
		$(PROSE) $$(find docs -name '*.rst' -not -path 'docs/ru/*' -not -path 'docs/_build/*')

%/node_modules/.installed: %/package-lock.json
	@command -v npm >/dev/null || { echo "This needs npm, which comes with Node.js 20 or newer" >&2; exit 1; }
	npm ci --prefix $* --ignore-scripts --no-audit --no-fund --silent
	@touch $@

types: $(VENV)/.installed-test $(VENV)/.installed-types
	$(BIN)/python -m mypy

# autodoc imports the app and its tasks.
docs: $(VENV)/.installed-test $(VENV)/.installed-docs
	rm -rf docs/_build
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet docs docs/_build/html
	$(BIN)/python -m sphinx --quiet --builder markdown --doctree-dir docs/_build/markdown docs docs/_build/html
	$(BIN)/python -m tests.repository.links docs/_build/html

# What docs/reference/settings.rst and schema.rst have from the code.
settings: $(VENV)/.installed-test
	$(BIN)/python -m tests.support.settings_tables
	DJANGO_SETTINGS_MODULE=tests.settings $(BIN)/python -m tests.support.schema_tables

map: $(VENV)/.installed-test
	$(BIN)/python -m tests.repository.picture

# How long the tutorial's commands take here, for the figure on its page.
tutorial: export TUTORIAL_SECONDS := $(CURDIR)/benchmarks/results/tutorial.txt
tutorial: $(VENV)/.installed-test
	$(BIN)/python -m pytest --quiet tests/endurance/test_tutorial.py

messages: $(VENV)/.installed-test
	mkdir -p django_mobilon_sms/locale
	cd django_mobilon_sms && ../$(BIN)/python -m django makemessages --locale ru --no-location --no-wrap
	cd django_mobilon_sms && ../$(BIN)/python -m django compilemessages --locale ru

package: $(VENV)/.installed-package
	rm -rf build dist
	$(BIN)/python -m build --outdir dist .
	$(BIN)/python -m twine check --strict dist/*

clean:
	rm -rf $(VENV) build dist docs/_build prose/node_modules tests/clients/node_modules .coverage* .mypy_cache .pytest_cache .ruff_cache .tox
