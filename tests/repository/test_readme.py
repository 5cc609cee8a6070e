"""README.rst: its commands are typed, in a project as a newcomer has it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from docutils import nodes

from django_mobilon_sms.models import SmsMessage
from django_mobilon_sms.sandbox import Sandbox
from tests.support.documents import DOCS, README, ROOT, Typed, blocks, document, typed
from tests.support.new_project import NewProject

EXECUTED = [
    ("README.rst", "See it run"),
    ("README.rst", "Send from Python"),
    ("README.rst", "Run a worker"),
    ("README.rst", "Test your project"),
    ("README.rst", "REST"),
    "docs/reference/commands.rst",
]
WRITE = """
from django_mobilon_sms.outbox import send_sms
send_sms("8 (913) 529-29-26", "Your order is ready")
"""


def for_file(name: str) -> str:
    """The Python of the README that is meant for this file."""
    [block] = [b for b in blocks(README) if b.text.startswith(f"# {name}\n")]
    return f"\n{block.text}\n"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[NewProject]:
    with Sandbox() as gateway:
        yield NewProject(tmp_path, gateway.url)


def type_in(project: NewProject, command: Typed) -> None:
    """Type a `python manage.py …` of a document, and compare what it prints."""
    assert command.words[:2] == ["python", "manage.py"], command
    words = command.words[2:]
    if words[0] == "sms_sandbox":
        assert project.run_for_a_line(*words, "--port", "0").startswith("Sandbox gateway on http")
    elif "--loop" in words:
        project.manage("shell", stdin=WRITE)
        assert project.run_for_a_line(*words) == "Messages: 1 accepted"
    else:
        output = project.manage(*words)
        assert (project.code, command.output or output) == (0, output)


def test_commands_work_and_print_what_is_shown(project):
    # Others follow the tutorial and the recipes, each in a project of its own.
    shown = [b for page in DOCS.glob("reference/*.rst") for b in blocks(page)]
    shown += blocks(README, "Run a worker")
    commands = [c for block in shown if block.language == "console" for c in typed(block.text)]
    assert len(commands) >= 6
    for command in commands:
        type_in(project, command)


def test_example_test_of_ones_own_project_passes(project):
    project.write("shop/urls.py", for_file("urls.py"))
    project.write("tests.py", for_file("tests.py"))
    project.manage("test")
    assert project.code == 0


def test_make_commands_are_run_by_ci():
    block, _result = blocks(README, "See it run")
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    stages = re.findall(r'^stage ".+" \d+ (.+)$', (ROOT / ".ci/run").read_text(), re.MULTILINE)
    assert [" ".join(command.words) for command in typed(block.text)] == ["make demo", "make test"]
    assert {"make demo", "make test"} <= set(stages)
    assert set(re.findall(r"``make (\w+)", README.read_text(encoding="utf-8"))) <= targets


@pytest.mark.django_db
def test_python_examples_run():
    [code] = blocks(README, "Send from Python")
    namespace: dict[str, object] = {}
    exec(compile(code.text, str(README), "exec"), namespace)
    assert SmsMessage.objects.get().guid == namespace["guid"]


def test_rest_example_writes_a_message(admin_client):
    [block] = [block for block in blocks(README, "REST") if block.language == "json"]
    reply = admin_client.post("/sms/messages/", block.text, content_type="application/json")
    message = SmsMessage.objects.get()
    assert (reply.status_code, message.number, message.text) == (
        201,
        "+79135292926",
        json.loads(block.text)["text"],
    )


def test_rest_addresses_exist(admin_client):
    [section] = [s for s in document(README).findall(nodes.section) if s[0].astext() == "REST"]
    addresses = re.findall(r"GET\s(/sms/\S+)", section.astext())
    message = SmsMessage.objects.create(number="+79135292926", source="1", text="ok", segments=1)
    codes = {
        address: admin_client.get(address.replace("{guid}", str(message.guid))).status_code
        for address in addresses
    }
    assert set(codes.values()) == {200}, codes
    assert len(codes) == 2
