"""docs/howto/pgbouncer.rst: its configuration, with a real PgBouncer before a real PostgreSQL."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from django_mobilon_sms.management.commands.send_sms import how_it_waits
from django_mobilon_sms.models import GatewayState, SmsMessage
from django_mobilon_sms.outbox import send_many
from tests.repository.test_howto import HOWTO
from tests.support.documents import blocks, typed
from tests.support.ports import free_port
from tests.support.workers import ROOT, group, wait_until

pytestmark = [pytest.mark.databases, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

EXECUTED = ["docs/howto/pgbouncer.rst"]
PAGE = HOWTO / "pgbouncer.rst"
MESSAGES = 400
#: The settings of the page, but for the names of this database and of the pool.
SETTINGS = """
from tests.settings import *
{code}
DATABASES["default"] |= {{"NAME": "shop", "USER": "postgres", "PORT": {port}}}
"""


def configuration(folder: Path, port: int, pool_size: int) -> str:
    """Return the page's configuration for this test's database, port, users and pool."""
    [block] = [block for block in blocks(PAGE, "Steps") if block.language == "ini"]
    name, text = connection.settings_dict["NAME"], block.text
    for old, new in [
        ("dbname=shop", f"dbname={name} user=postgres"),
        ("listen_port = 6432", f"listen_port = {port}\nunix_socket_dir ="),
        ("/etc/pgbouncer/userlist.txt", str(folder / "userlist.txt")),
        ("default_pool_size = 5", f"default_pool_size = {pool_size}"),
    ]:
        assert old in text
        text = text.replace(old, new)
    return text


@pytest.fixture
def pooled(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of processes that reach the database through two connections."""
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if connection.vendor != "postgresql":
        pytest.skip("PgBouncer is for PostgreSQL")
    if program is None:
        pytest.skip("no PgBouncer here; CI installs it")
    port = free_port()
    (tmp_path / "userlist.txt").write_text('"postgres" ""\n')
    (tmp_path / "pgbouncer.ini").write_text(configuration(tmp_path, port, pool_size=2))
    [code] = [block.text for block in blocks(PAGE, "Steps") if block.language == "python"]
    (tmp_path / "pooled_settings.py").write_text(SETTINGS.format(code=code, port=port))
    # It refuses to run as root.
    user = ["--user=nobody"] if os.getuid() == 0 else []
    tmp_path.chmod(0o755)
    log = (tmp_path / "log").open("w")
    process = subprocess.Popen([program, *user, tmp_path / "pgbouncer.ini"], stderr=log)
    try:
        wait_until(lambda: f"listening on 127.0.0.1:{port}" in (tmp_path / "log").read_text())
        path = os.pathsep.join([str(tmp_path), str(ROOT)])
        yield {"PYTHONPATH": path, "DJANGO_SETTINGS_MODULE": "pooled_settings"}
    finally:
        process.terminate()
        process.wait()
        log.close()


def manage(pooled: dict[str, str], *words: str, url: str = "http://127.0.0.1:9/") -> str:
    done = subprocess.run(
        [sys.executable, "-m", "django", *words],
        env=os.environ | pooled | {"MOBILON_SMS_BASE_URL": url},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_commands_of_the_page_work_in_transaction_mode(pooled, sandbox):
    send_many({"number": "+79135292926", "text": f"Заказ {n}"} for n in range(100))
    [block] = blocks(PAGE, "How you see that it works")
    for command in typed(block.text):
        assert manage(pooled, *command.words[2:], url=sandbox.url) == command.output
    assert '"waiting": 0' in manage(pooled, "sms_status", "--json")


def test_loop_says_that_it_only_polls_behind_a_pooler_of_transactions(pooled, sandbox):
    send_many({"number": "+79135292926", "text": "Заказ готов"} for _ in range(3))
    given = pooled | {"MOBILON_SMS_BASE_URL": sandbox.url}
    with group("-m", "django", "send_sms", "--loop", "--interval=0.2", **given) as process:
        assert process.stdout.readline() == how_it_waits(0.2, hears=False) + "\n"
        wait_until(lambda: len(sandbox.messages) == 3)


def test_workers_with_two_connections_send_each_message_once_and_obey_a_pause(pooled, sandbox):
    send_many({"number": "+79135292926", "text": f"Заказ {n}"} for n in range(MESSAGES))
    given = pooled | {"MOBILON_SMS_BASE_URL": sandbox.url, "MOBILON_SMS_BATCH_SIZE": "10"}
    sandbox.latency = 0.1
    loop = ("-m", "django", "send_sms", "--loop", "--interval=0.1")
    with group(*loop, **given), group(*loop, **given):
        wait_until(lambda: len(sandbox.messages) > MESSAGES / 10)
        GatewayState.objects.pause(by=None)
        wait_until(lambda: not SmsMessage.objects.filter(status="sending").exists())
        paused_at = len(sandbox.messages)
        manage(pooled, "sms_status")
        assert len(sandbox.messages) == paused_at < MESSAGES
        GatewayState.objects.resume()
        wait_until(lambda: SmsMessage.objects.filter(accepted_at=None).count() == 0)
    guids = Counter(message.guid for message in sandbox.messages)
    assert (len(guids), set(guids.values())) == (MESSAGES, {1})
