"""README.rst and docs/: they render, lead somewhere, and list what the code has."""

from __future__ import annotations

import configparser
import csv
import re
from argparse import ArgumentParser
from collections.abc import Callable

import pytest
from docutils import nodes

from django_mobilon_sms.choices import ErrorCode, Outcome, Status
from django_mobilon_sms.conf.settings import Conf, declared
from django_mobilon_sms.management.commands.send_sms import Command
from django_mobilon_sms.models import SmsMessage, StoppedNumber
from django_mobilon_sms.worker import exit_codes
from django_mobilon_sms.worker.request_threads import GRACE
from tests.endurance.chaos.cells import HOLES, around
from tests.support.documents import (
    DOCS,
    DOCUMENTS,
    PLAIN,
    README,
    ROOT,
    blocks,
    column,
    document,
    table,
)

DATABASES = ("SQLite", "SQLite WAL", "PostgreSQL", "MariaDB")
PROMISE = (
    "The program repeats a message only when it never left or when the gateway refused the whole"
    " request. Whatever may have gone out is never repeated unless a person asks. Nothing is lost."
    " What cannot be proved is held as unknown and shown."
)


def unit(text: str) -> configparser.SectionProxy:
    """What a unit of systemd says of its service."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # systemd distinguishes capitals
    parser.read_string(text)
    return parser["Service"]


def test_cron_lines_and_unit_of_the_readme_let_a_request_finish():
    texts = {block.language: block.text for block in blocks(README)}
    [operations] = [b.text for b in blocks(DOCS / "operations.rst", "One host")]
    for line in (texts["text"], operations):
        assert line.endswith(" && venv/bin/python manage.py send_sms")
    service = unit(texts["ini"])
    assert service["ExecStart"].endswith("/python manage.py send_sms --loop")
    assert service.getint("TimeoutStopSec") > Conf.TIMEOUT + GRACE


@pytest.mark.parametrize("path", PLAIN, ids=lambda p: p.name)
def test_document_renders_without_a_warning(path):
    document(path, level=2)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_links_and_images_lead_somewhere(path):
    links = [n["refuri"] for n in document(path).findall(nodes.reference) if "refuri" in n]
    images = [n["uri"] for n in document(path).findall(nodes.image)]
    inside = [link for link in links + images if not re.match("(https?|mailto):", link)]
    assert [link for link in inside if not (path.parent / link).is_file()] == []


@pytest.mark.parametrize("path", [README, DOCS / "protocol.rst"], ids=lambda p: p.name)
def test_promise_is_printed(path):
    quotes = [quote.astext() for quote in document(path).findall(nodes.block_quote)]
    assert PROMISE in [" ".join(quote.split()) for quote in quotes]


def test_figures_of_the_last_measurement_are_those_that_are_kept():
    with (ROOT / "benchmarks" / "results" / "table.csv").open(newline="") as file:
        [_names, *kept] = csv.reader(file)
    assert [list(row) for row in table(DOCS / "performance.rst", "performance-table")] == kept


def test_last_long_run_bears_out_what_is_said_of_it():
    path = DOCS / "reliability.rst"
    zero = column(path, "zero-table")
    names = ["messages", "posts", "kills", "stops", "cuts", *zero]
    *storms, total = [
        (row[0], dict(zip(names, map(int, row[2:]), strict=True)))
        for row in table(path, "storms-table")
    ]
    assert {database for database, _counts in storms} == {*DATABASES}
    assert total[1] == {name: sum(counts[name] for _, counts in storms) for name in names}
    assert (total[1]["messages"] >= 100_000, total[1]["kills"] >= 1_000) == (True, True)
    assert {name: total[1][name] for name in zero} == dict.fromkeys(zero, 0)


def test_last_storms_around_the_workers_bear_out_what_is_said_of_them():
    path = DOCS / "reliability.rst"
    zero = column(path, "zero-table")
    names = ["messages", "posts", "stops", "faults", *zero, "by design"]
    *storms, total = [
        (row[0], dict(zip(names, map(int, row[1:]), strict=False)))
        for row in table(path, "around-table")
    ]
    assert {kind for kind, _counts in storms} == {cell.kind for cell in around("postgres://")}
    assert [kind for kind, counts in storms if not counts["faults"]] == []
    assert total[1] == {name: sum(counts[name] for _, counts in storms) for name in names}
    assert {name: total[1][name] for name in zero} == dict.fromkeys(zero, 0)
    assert {kind for kind, counts in storms if counts["by design"]} <= HOLES


def test_checks_are_those_of_the_code():
    settings = [(row[0], row[2]) for row in table(DOCS / "settings.rst", "settings-table")]
    assert settings == [(setting.name, setting.id) for setting in declared()]
    modules = (ROOT / "django_mobilon_sms" / "conf").glob("*.py")
    source = "".join(module.read_text(encoding="utf-8") for module in modules)
    ids = set(re.findall(r'"(?:mobilon_sms\.)?([EW]\d{3})"', source))
    listed = {id_ for _, id_ in settings} | set(column(DOCS / "settings.rst", "checks-table"))
    assert listed == ids


@pytest.mark.parametrize("path", [README, DOCS / "statuses.rst"], ids=lambda p: p.name)
def test_statuses_are_those_of_the_code(path):
    assert column(path, "statuses-table") == Status.values


def test_outcomes_are_those_of_the_code():
    assert column(DOCS / "statuses.rst", "outcomes-table") == Outcome.values


def test_error_codes_and_their_sentences_are_those_of_the_code():
    found = [(row[0], row[1]) for row in table(DOCS / "statuses.rst", "error-codes-table")]
    assert found == [(code.value, str(code.label)) for code in ErrorCode]


def options_of(add_arguments: Callable[[ArgumentParser], None]) -> list[str]:
    parser = ArgumentParser(add_help=False)
    add_arguments(parser)
    return [action.option_strings[-1] for action in parser._actions]  # --x, not -x


def test_options_are_those_of_the_command():
    found = [cell.split()[0] for cell in column(README, "options-table")]
    assert sorted(found) == sorted(options_of(Command().add_arguments))


def test_exit_codes_are_those_of_the_command():
    usage = 2  # argparse's own
    codes = {exit_codes.OK, exit_codes.CANNOT_WORK, usage, exit_codes.TROUBLE, exit_codes.UNKNOWN}
    assert [int(code) for code in column(README, "exit-codes-table")] == sorted(codes)


def test_permissions_are_those_of_the_code():
    custom = [codename for codename, _ in SmsMessage._meta.permissions]
    own = {*custom, "view_smsmessage", "add_smsmessage", "delete_smsmessage"}
    own |= {f"{what}_stoppednumber" for what in StoppedNumber._meta.default_permissions}
    assert set(column(README, "permissions-table")) == {f"mobilon_sms.{name}" for name in own}


def test_log_events_and_their_loggers_are_those_of_the_code():
    package = ROOT / "django_mobilon_sms"
    found = set()
    for path in package.rglob("*.py"):
        logger = "." + ".".join(path.relative_to(package).with_suffix("").parts)
        source = path.read_text(encoding="utf-8")
        events = re.findall(r'logger\.\w+\(\s*"([a-z_]+\.[a-z]+)\b', source)
        found |= {(event, logger) for event in events}
    rows = table(DOCS / "production.rst", "log-events-table")
    assert {(event, logger) for event, logger, _meaning in rows} == found
