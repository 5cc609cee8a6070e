"""The files of docs/deploy, which users copy: they start what there is, and let it finish."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from django_mobilon_sms.conf.settings import Conf
from django_mobilon_sms.contrib import celery, jobs
from django_mobilon_sms.management.commands import send_sms, sms_status
from django_mobilon_sms.worker.request_threads import GRACE
from tests.repository.test_docs import unit
from tests.support.documents import DOCS, blocks
from tests.support.new_project import NewProject

EXECUTED = ["docs/howto/cron-and-systemd.rst", "docs/howto/containers.rst"]
DEPLOY = DOCS / "deploy"
CRON = DOCS / "howto/cron-and-systemd.rst"
CONTAINERS = DOCS / "howto/containers.rst"
UNITS = sorted(DEPLOY.glob("*.service"))
LAST_REQUEST = Conf.TIMEOUT + GRACE

LOOP = ["python", "manage.py", "send_sms", "--loop", "--interval", "1"]


def parsed(command: object, name: str, words: list[str]) -> dict[str, object]:
    """The options of a command of this app; wrong ones end the test."""
    return vars(command.create_parser("manage.py", name).parse_args(words))


def test_every_file_is_shown_in_the_docs():
    text = "".join(path.read_text(encoding="utf-8") for path in (DOCS / "howto").glob("*.rst"))
    shown = set(re.findall(r"\.\./deploy/([\w.-]+)", text))
    assert shown == {path.name for path in DEPLOY.iterdir()}


def test_service_starts_the_loop_and_is_given_time_to_finish():
    service = unit((DEPLOY / "sms-worker.service").read_text())
    python, *words = shlex.split(service["ExecStart"])
    assert [Path(python).name, *words] == LOOP
    assert parsed(send_sms.Command(), "send_sms", words[2:])["loop"]
    assert service.getint("TimeoutStopSec") > LAST_REQUEST
    assert (service["Restart"], service["KillMode"]) == ("always", "mixed")


def test_service_of_celery_serves_the_queue_and_is_given_time_to_finish():
    service = unit((DEPLOY / "sms-celery.service").read_text())
    assert "celery -A shop worker --queues sms" in service["ExecStart"]
    assert service.getint("TimeoutStopSec") > jobs.RUN_SECONDS + LAST_REQUEST
    assert service["KillMode"] == "mixed"
    assert celery.send.name.startswith("mobilon_sms.")


@pytest.mark.slow
def test_lines_of_cron_and_the_command_beside_them_work(tmp_path):
    project = NewProject(tmp_path, "http://127.0.0.1:9/")
    (tmp_path / "venv/bin").mkdir(parents=True)
    (tmp_path / "venv/bin/python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (tmp_path / "venv/bin/python").chmod(0o755)
    [lines] = [block.text for block in blocks(CRON, "Steps") if block.language == "text"]
    for line in lines.splitlines():
        time, user, command = re.fullmatch(r"((?:[\d*]+ +){5})(\w+) +(.+)", line).groups()
        assert (len(time.split()), user) == (5, "shop")
        shell = command.replace("/srv/shop", shlex.quote(str(tmp_path)))
        subprocess.run(["/bin/sh", "-c", shell], env=project.env, check=True)
    assert project.type_in(CRON, "How you see that it works") == 1


def test_commands_of_systemd_and_compose_name_what_the_files_have():
    [systemd] = [block.text for block in blocks(CRON, "Steps") if block.language == "shell"]
    assert systemd.splitlines() == ["systemctl daemon-reload", "systemctl enable --now sms-worker"]
    assert (DEPLOY / "sms-worker.service").exists()
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    shell = [block.text for block in blocks(CONTAINERS) if block.language == "shell"]
    assert len(shell) == 3
    for line in shell:
        assert line.startswith("docker compose ")
        assert set(re.findall(r"sms-[a-z]+", line)) <= services.keys()
    [asked] = [line for line in shell if "manage.py" in line]
    assert parsed(sms_status.Command(), *asked.partition("manage.py ")[2:], [])


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_systemd_takes_the_unit(path, tmp_path):
    if (verify := shutil.which("systemd-analyze")) is None:
        pytest.skip("no systemd-analyze here")
    here = tmp_path / path.name
    # What it starts, and as whom, is not on this host.
    text = re.sub(r"/srv/shop/venv/bin/\w+", "/bin/true", path.read_text())
    here.write_text(text.replace("User=shop\n", ""))
    done = subprocess.run([verify, "verify", here], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_image_runs_the_loop_as_the_process_that_gets_the_signals():
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    [command] = [line for line in lines if line.startswith("CMD")]
    assert json.loads(command.removeprefix("CMD ")) == LOOP
    assert "USER shop" in lines
    assert not [line for line in lines if line.startswith("ENTRYPOINT")]


def test_compose_waits_for_a_request_and_asks_how_it_is():
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    worker = services["sms-worker"]
    assert int(worker["stop_grace_period"].removesuffix("s")) > LAST_REQUEST
    kind, *words = worker["healthcheck"]["test"]
    assert (kind, words[:3]) == ("CMD", ["python", "manage.py", "sms_status"])
    assert parsed(sms_status.Command(), "sms_status", words[3:])["fail_if_waiting_over"]
    assert worker["depends_on"] == {"database": {"condition": "service_healthy"}}
    assert "command" not in worker  # the image's
