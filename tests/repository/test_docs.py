"""README.rst and docs/: they render, lead somewhere, and list what the code has."""

from __future__ import annotations

import ast
import configparser
import csv
import dataclasses
import re
from argparse import ArgumentParser
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.management import _get_all_permissions
from django.core.management import get_commands, load_command_class
from docutils import nodes

from django_mobilon_sms.choices import WAYS_OUT, ErrorCode, Outcome, Status
from django_mobilon_sms.conf.settings import Conf, declared
from django_mobilon_sms.gateway.client import REFUSALS
from django_mobilon_sms.models import SmsBatch, SmsMessage, StoppedNumber, WebhookConsumer
from django_mobilon_sms.operations import COUNT_LIMIT
from django_mobilon_sms.operations.monitoring import Snapshot
from django_mobilon_sms.worker import exit_codes
from django_mobilon_sms.worker.request_threads import GRACE
from tests.endurance.chaos.cells import HOLES, around
from tests.repository.links import is_well_formed
from tests.support.documents import (
    DOCS,
    DOCUMENTS,
    PLAIN,
    README,
    ROOT,
    blocks,
    claims,
    column,
    document,
    table,
    unclaimed,
)

COMMANDS = DOCS / "reference/commands.rst"
OWN_COMMANDS = sorted(name for name, app in get_commands().items() if app == "django_mobilon_sms")
CODES = "error-codes-table"
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


def test_cron_line_and_unit_let_a_request_finish():
    lines = [b.text for b in blocks(DOCS / "howto/cron-and-systemd.rst")]
    assert any(" && venv/bin/python manage.py send_sms\n" in line for line in lines)
    service = unit((DOCS / "deploy/sms-worker.service").read_text(encoding="utf-8"))
    assert service["ExecStart"].endswith("/python manage.py send_sms --loop --interval 1")
    assert service.getint("TimeoutStopSec") > Conf.TIMEOUT + GRACE


def test_readme_fits_a_reader():
    assert len(README.read_text(encoding="utf-8").split()) <= 1_200


@pytest.mark.parametrize("path", PLAIN, ids=lambda p: p.name)
def test_document_renders_without_a_warning(path):
    document(path, level=2)


def test_every_code_block_is_executed_by_a_test():
    claimed = claims()
    assert [b for path in DOCUMENTS for b in unclaimed(path, claimed.get(path, set()))] == []


def test_every_claimed_section_exists():
    for path, sections in claims().items():
        titles = {s[0].astext() for s in document(path).findall(nodes.section)}
        assert sections - {""} <= titles, path


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_links_and_images_lead_somewhere(path):
    links = [n["refuri"] for n in document(path).findall(nodes.reference) if "refuri" in n]
    images = [n["uri"] for n in document(path).findall(nodes.image)]
    inside = [link for link in links + images if not urlsplit(link).scheme]
    assert [link for link in inside if not (path.parent / link).is_file()] == []
    assert [link for link in links if link not in inside and not is_well_formed(link)] == []


@pytest.mark.parametrize("path", [README, DOCS / "explanation/promise.rst"], ids=lambda p: p.name)
def test_promise_is_printed(path):
    quotes = [quote.astext() for quote in document(path).findall(nodes.block_quote)]
    assert PROMISE in [" ".join(quote.split()) for quote in quotes]


def test_figures_of_the_last_measurement_are_those_that_are_kept():
    with (ROOT / "benchmarks" / "results" / "table.csv").open(newline="") as file:
        [_names, *kept] = csv.reader(file)
    assert [
        list(row) for row in table(DOCS / "explanation/performance.rst", "performance-table")
    ] == kept


def test_last_long_run_bears_out_what_is_said_of_it():
    path = DOCS / "explanation/reliability.rst"
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
    path = DOCS / "explanation/reliability.rst"
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
    modules = (ROOT / "django_mobilon_sms" / "conf").glob("*.py")
    source = "".join(module.read_text(encoding="utf-8") for module in modules)
    ids = set(re.findall(r'"(?:mobilon_sms\.)?([EW]\d{3})"', source))
    listed = {setting.id for setting in declared()}
    listed |= {*column(DOCS / "reference/settings.rst", "checks-table")}
    assert listed == ids


def test_statuses_are_those_of_the_code():
    assert column(DOCS / "reference/statuses.rst", "statuses-table") == Status.values


def test_outcomes_are_those_of_the_code():
    assert column(DOCS / "reference/statuses.rst", "outcomes-table") == Outcome.values


def test_error_codes_their_sentences_and_next_steps_are_those_of_the_code():
    rows = table(DOCS / "reference/error-codes.rst", CODES)
    assert [row[0] for row in rows] == ErrorCode.values
    assert [row for row in rows if not row[1].startswith(str(ErrorCode(row[0]).label))] == []
    steps = {code: " ".join(todo.split()) for code, _what, todo, _charged in rows}
    assert [code for code in steps if not steps[code].startswith(str(WAYS_OUT[code]))] == []


def test_a_message_that_may_have_left_is_never_called_free():
    charged = {row[0]: row[-1] for row in table(DOCS / "reference/error-codes.rst", CODES)}
    source = "".join(p.read_text() for p in (ROOT / "django_mobilon_sms/gateway").glob("*.py"))
    for error, arguments in re.findall(r"(NeverLeft|OutcomeUnknown)\(([^)]*)", source):
        for code in re.findall(r'"(\w+)"', arguments):
            expected = {"NeverLeft": "no", "OutcomeUnknown": "possible"}[error]
            assert charged.pop(code, expected) == expected, code
    assert {code for code, word in charged.items() if word == "no"} == {
        *REFUSALS.values(),
        "http_refused",
        "invalid",
    }


def options_of(add_arguments: Callable[[ArgumentParser], None]) -> list[str]:
    parser = ArgumentParser(add_help=False)
    add_arguments(parser)
    # --x, not -x; the name of an argument without an option
    return [(action.option_strings or [str(action.metavar)])[-1] for action in parser._actions]


@pytest.mark.parametrize("name", OWN_COMMANDS)
def test_options_are_those_of_the_command(name):
    command = load_command_class("django_mobilon_sms", name)
    found = [cell.split()[0] for cell in column(COMMANDS, f"{name}-options")]
    assert sorted(found) == sorted(options_of(command.add_arguments))


def test_keys_of_the_status_are_those_of_the_snapshot():
    fields = [field.name for field in dataclasses.fields(Snapshot)]
    assert sorted(column(COMMANDS, "sms_status-keys")) == sorted(fields)


def test_figures_of_the_commands_are_those_of_the_code():
    page = " ".join(COMMANDS.read_text(encoding="utf-8").split())
    figures = [
        f"Counts end at {COUNT_LIMIT:,}",
        f"``MOBILON_SMS_TIMEOUT`` plus {GRACE:.0f} seconds",
    ]
    assert [words for words in figures if words not in page] == []


def test_exit_codes_are_those_of_the_command():
    usage = 2  # argparse's own
    codes = {exit_codes.OK, exit_codes.CANNOT_WORK, usage, exit_codes.TROUBLE, exit_codes.UNKNOWN}
    assert [int(code) for code in column(COMMANDS, "exit-codes-table")] == sorted(codes)


def test_requests_under_way_are_those_of_the_defaults():
    page = " ".join((DOCS / "explanation/performance.rst").read_text(encoding="utf-8").split())
    size, requests = Conf.BATCH_SIZE, Conf.CONCURRENCY
    assert f"{requests} by default" in page
    assert f"``{requests - 1} x {size} / latency``" in page
    commands = " ".join(COMMANDS.read_text(encoding="utf-8").split())
    assert f"messages, {requests * size} by default" in commands


def test_permissions_are_those_of_the_code():
    custom = [codename for codename, _ in SmsMessage._meta.permissions]
    own = {*custom, "view_smsmessage", "add_smsmessage", "delete_smsmessage", "view_smsbatch"}
    own |= {f"{what}_stoppednumber" for what in StoppedNumber._meta.default_permissions}
    own |= {f"{what}_webhookconsumer" for what in WebhookConsumer._meta.default_permissions}
    models = [SmsMessage, SmsBatch, StoppedNumber, WebhookConsumer]
    names = dict(pair for model in models for pair in _get_all_permissions(model._meta))
    rows = table(DOCS / "reference/permissions.rst", "permissions-table")
    assert {code: label for code, label, _ in rows} == {
        f"mobilon_sms.{name}": names[name] for name in own
    }


def logged(call: ast.Call) -> tuple[str, str, str]:
    """Return the event of a call of the logger, its levels and its fields."""
    assert isinstance(call.func, ast.Attribute)
    level, text = call.func.attr.upper(), call.args[0]
    if level == "LOG":  # the level depends
        level, text = "ERROR, WARNING", call.args[1]
    nodes = (node for node in ast.walk(text) if isinstance(node, ast.Constant))
    parts = sorted(nodes, key=lambda node: node.col_offset)
    line = " ".join(str(part.value) for part in parts)
    return line.split()[0], level, ", ".join(re.findall(r"(\w+)=", line))


def test_log_events_their_levels_and_fields_are_those_of_the_code():
    sources = [
        path.read_text(encoding="utf-8") for path in (ROOT / "django_mobilon_sms").rglob("*.py")
    ]
    calls = [node for text in sources for node in ast.walk(ast.parse(text))]
    found = [
        logged(node)
        for node in calls
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).startswith("logger.")
        and ast.unparse(node.func) != "logger.isEnabledFor"
    ]
    rows = table(DOCS / "reference/log.rst", "log-events-table")
    assert sorted(tuple(row[:3]) for row in rows) == sorted(found)


def test_versions_are_those_that_the_package_declares():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    classifiers = parser["metadata"]["classifiers"]
    versions = dict(table(DOCS / "reference/compatibility.rst", "versions-table"))
    python = re.findall(r"Python :: (3\.\d+)", classifiers)
    django = re.findall(r"Django :: (\d\.\d)", classifiers)
    assert (versions["Python"], versions["Django"]) == (", ".join(python), ", ".join(django))
