"""README.rst: its commands are typed, in a project as a newcomer has it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from docutils import nodes

from django_mobilon_sms.models import SmsMessage
from django_mobilon_sms.sandbox import Sandbox
from tests.support.documents import DOCS, README, ROOT, Typed, blocks, document, typed

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


class Project:
    """A project as `startproject` makes it, with what the README says added."""

    def __init__(self, folder: Path, base_url: str) -> None:
        self.folder = folder
        with (folder / "shop/settings.py").open("a") as settings:
            settings.write(f"\nMOBILON_SMS_BASE_URL = {base_url!r}\n")
        self.env = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("DJANGO_", "MOBILON_"))},
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "PYTHONIOENCODING": "utf-8",
            "MOBILON_SMS_USERNAME": "sandbox",
            "MOBILON_SMS_PASSWORD": "sandbox",
        }

    def start(self, *words: str) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        command = [sys.executable, "manage.py", *words]
        options = {"stdin": pipe, "stdout": pipe, "stderr": pipe, "encoding": "utf-8"}
        return subprocess.Popen(command, cwd=self.folder, env=self.env, **options)

    def run(self, *words: str, stdin: str = "") -> str:
        process = self.start(*words)
        output, errors = process.communicate(stdin)
        assert process.returncode == 0, errors
        return output.strip()

    def run_for_a_line(self, *words: str) -> str:
        """Start a command that goes on for ever, and stop it after its first line."""
        with self.start(*words) as process:
            line = process.stdout.readline()
            process.send_signal(signal.SIGTERM)
            assert process.wait() == 0
        return line.strip()


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    subprocess.run([sys.executable, "-m", "django", "startproject", "shop", folder], check=True)
    for name in ("settings.py", "urls.py"):
        with (folder / "shop" / name).open("a", encoding="utf-8") as file:
            file.write(for_file(name))
    (folder / "tests.py").write_text(for_file("tests.py"), encoding="utf-8")
    Project(folder, "http://127.0.0.1:9/").run("migrate")
    return folder


@pytest.fixture
def project(template: Path, tmp_path: Path) -> Iterator[Project]:
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    with Sandbox() as gateway:
        yield Project(tmp_path, gateway.url)


def type_in(project: Project, command: Typed) -> None:
    """Type a `python manage.py …` of a document, and compare what it prints."""
    assert command.words[:2] == ["python", "manage.py"], command
    words = command.words[2:]
    if words[0] == "sms_sandbox":
        assert project.run_for_a_line(*words, "--port", "0").startswith("Sandbox gateway on http")
    elif "--loop" in words:
        project.run("shell", stdin=WRITE)
        assert project.run_for_a_line(*words) == "Messages: 1 accepted"
    else:
        output = project.run(*words)
        assert command.output in ("", output)


def test_commands_work_and_print_what_is_shown(project):
    # Others follow the tutorial and the recipes, each in a project of its own.
    shown = [b for page in DOCS.glob("reference/*.rst") for b in blocks(page)]
    shown += blocks(README, "Run a worker")
    commands = [c for block in shown if block.language == "console" for c in typed(block.text)]
    assert len(commands) >= 6
    for command in commands:
        type_in(project, command)


def test_example_test_of_ones_own_project_passes(project):
    project.run("test")


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
