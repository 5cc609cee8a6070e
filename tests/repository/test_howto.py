"""docs/howto: the pages have one form, and their steps lead where they say in a new project."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from docutils import nodes

from django_mobilon_sms.conf.settings import Conf
from django_mobilon_sms.contrib import jobs
from django_mobilon_sms.exceptions import OutcomeUnknown
from django_mobilon_sms.management.commands import sms_status, sms_watchdog
from django_mobilon_sms.operations import COUNT_LIMIT
from django_mobilon_sms.sandbox import Sandbox
from django_mobilon_sms.worker import exit_codes, proofs
from django_mobilon_sms.worker.request_threads import GRACE
from tests.support.documents import DOCS, blocks, column, document, table
from tests.support.new_project import NewProject

pytestmark = pytest.mark.slow

HOWTO = DOCS / "howto"
PAGES = sorted(path for path in HOWTO.glob("*.rst") if path.name != "index.rst")
EXECUTED = [
    "docs/howto/order.rst",
    "docs/howto/login-codes.rst",
    "docs/howto/staging.rst",
    "docs/howto/monitoring.rst",
    "docs/howto/privacy.rst",
    "docs/howto/upgrading.rst",
    "docs/howto/watchdog.rst",
]
FORM = ["What you need", "Steps", "How you see that it works", "What can go wrong"]
WORKS = FORM[2]
MINUTE = timedelta(minutes=1)
WRITE = """
from django_mobilon_sms.outbox import send_sms
for number in range({count}):
    send_sms("89135292926", f"Ваш заказ {{number}} готов")
"""
STATUSES = """
from django_mobilon_sms.models import SmsMessage
print(*SmsMessage.objects.order_by("pk").values_list("status", flat=True))
"""
PAUSE = """
from django_mobilon_sms.models import GatewayState
GatewayState.objects.pause(by=None)
"""
#: Makes all messages as old as a purge needs, and waiting for long.
AGE = """
from datetime import timedelta
from django_mobilon_sms.models import SmsMessage, db_now
long_ago = db_now() - timedelta(days=400)
SmsMessage.objects.all().change(created_at=long_ago, due_at=long_ago)
"""


@pytest.fixture
def gateway() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def project(gateway: Sandbox, tmp_path: Path) -> NewProject:
    return NewProject(tmp_path, gateway.url)


def text_of(path: Path) -> str:
    return " ".join(path.read_text(encoding="utf-8").split())


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_page_states_its_goal_in_a_sentence_and_keeps_the_form(path):
    page = document(path)
    goal = page[1].astext().replace("\n", " ")
    assert re.fullmatch(r"[A-Z][^.]+\.", goal), goal
    sections = [section[0].astext() for section in page.findall(nodes.section)]
    assert [name for name in sections if name in FORM] == FORM
    [steps] = [s for s in page.findall(nodes.section) if s[0].astext() == "Steps"]
    assert list(steps.findall(nodes.enumerated_list))
    prose = [node.astext() for node in page.findall(nodes.paragraph)]
    assert len(" ".join(prose).split()) < 900


def test_index_lists_every_page():
    listed = re.findall(r"^   ([\w-]+)$", (HOWTO / "index.rst").read_text(), re.MULTILINE)
    assert sorted(listed) == [path.stem for path in PAGES]


def test_figures_are_those_of_the_code():
    grace, run = f"plus {GRACE:.0f} seconds", f"for {jobs.RUN_SECONDS:.0f} seconds"
    # "a minute" for a deploy and "90 seconds" for a hard limit are enough.
    assert jobs.RUN_SECONDS + Conf.TIMEOUT + GRACE < 60
    # "first for one minute, later for at most 15 minutes"
    trouble = proofs.of_error(OutcomeUnknown("timeout"))
    assert [proofs.pause_after(trouble, failures) // MINUTE for failures in (0, 99)] == [1, 15]
    figures = [
        ("cron-and-systemd", grace),
        ("celery", grace),
        ("upgrading", grace),
        ("celery", run),
        ("django-tasks", run),
        ("monitoring", f"Counts end at {COUNT_LIMIT:,}"),
    ]
    assert [page for page, words in figures if words not in text_of(HOWTO / f"{page}.rst")] == []


def test_exit_codes_of_the_monitor_are_those_of_its_command():
    usage = 2
    known = {exit_codes.OK, exit_codes.CANNOT_WORK, usage, exit_codes.TROUBLE, exit_codes.UNKNOWN}
    rows = table(HOWTO / "monitoring.rst", "status-exit-codes-table")
    assert {int(code) for code, _meaning in rows} == known
    assert set(re.findall(r"(\d) (?:all well|the d|wrong|mess|unk)", sms_status.Command.help)) == {
        str(code) for code in known
    }


def test_signs_of_the_alerts_exist():
    words = " ".join(column(HOWTO / "monitoring.rst", "alerts-table", 1))
    parser = sms_status.Command().create_parser("manage.py", "sms_status")
    options = {option for action in parser._actions for option in action.option_strings}
    assert set(re.findall(r"--[\w-]+", words)) <= options
    figures = set(sms_status.Snapshot.__dataclass_fields__)
    assert {
        "oldest_waiting",
        "idle",
        "unknown",
        "failures",
        "last_requests",
        "asked_for",
    } <= figures
    assert set(re.findall(r"[a-z]+_[a-z_]+", words)) <= figures


def test_order_writes_one_sms_and_calls_the_buyer_when_it_fails(project, gateway):
    page = HOWTO / "order.rst"
    project.write_files(page)
    # Tasks run where they are enqueued: there is no broker here.
    eager = "from celery import current_app\ncurrent_app.conf.task_always_eager = True"
    project.write("shop/settings.py", f'INSTALLED_APPS += ["orders"]\n{eager}')
    project.manage("makemigrations", "orders")
    project.manage("migrate")
    assert project.type_in(page, WORKS) == 2
    assert [message.text for message in gateway.messages] == ["Заказ 1 готов"]
    show = "from django.contrib import admin\nfrom orders.models import Order\n"
    show += "print(admin.site._registry[Order].sms_status(Order.objects.get()))"
    assert project.value(show) == "accepted"
    fail = "from orders.models import Order\nfrom django_mobilon_sms.models import SmsMessage\n"
    fail += "from django_mobilon_sms.choices import ErrorCode, Status\n"
    fail += "SmsMessage.objects.all().end(Status.FAILED, ErrorCode.REPORTED_FAILED)\n"
    assert project.value(fail + "print(Order.objects.get().call_buyer)") == "True"


def test_login_code_works_once_is_forgotten_and_given_up(project, gateway):
    page = HOWTO / "login-codes.rst"
    project.write_files(page)
    # Each command here is a process; the page asks for a cache that they share.
    cache = {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache"}
    cache["LOCATION"] = str(project.folder / "cache")
    project.write("shop/settings.py", f"CACHES = {{'default': {cache}}}")
    assert project.type_in(page, WORKS) == 2
    code = gateway.messages[0].text[-6:]
    use = "from accounts.codes import *\n"
    use += f"print(is_login_code(1, 'х'), is_login_code(1, '{code}'), is_login_code(1, '{code}'))"
    assert project.value(use) == "False True False"
    guess = "from accounts.codes import *\nsend_login_code(2, '89029801212')\n"
    guess += "from django.core.cache import cache\ncode = cache.get('login-code:2')\n"
    guess += "[is_login_code(2, 'no') for _ in range(MAX_TRIES)]\nprint(is_login_code(2, code))"
    assert project.value(guess) == "False"
    many = "from accounts.codes import *\nfrom django.core.exceptions import ValidationError\n"
    many += "try:\n    for user in range(3, 9): send_login_code(user, '89029801212')\n"
    many += "except ValidationError as error:\n    print(error.error_dict['number'][0].code)\n\n"
    assert project.value(many) == "number_limit"
    old = "from accounts.codes import *\nrows = SmsMessage.objects.filter(number='+79029801212')\n"
    old += "from django_mobilon_sms.choices import ErrorCode\n"
    old += "rows.hold(ErrorCode.LOST, expires_at=timezone.now())\n"
    assert project.value(old + "print(give_up_old_codes(), rows.filter(text='').count())") == "5 5"


def test_copy_of_production_sends_nothing_that_waited(project, gateway):
    page = HOWTO / "staging.rst"
    project.manage("shell", stdin=WRITE.format(count=2))
    assert project.type_in(page, "Steps") == 2
    assert project.type_in(page, WORKS) == 1
    project.manage("send_sms")
    assert (gateway.messages, project.value(STATUSES)) == ([], "unknown unknown")
    texts = "from django_mobilon_sms.models import SmsMessage\n"
    texts += "print(SmsMessage.objects.filter(text='').count(), SmsMessage.objects.resend(by=None))"
    assert project.value(texts) == "2 0"


@pytest.mark.parametrize(
    ("setting", "printed"),
    [
        ('MOBILON_SMS_BACKEND = "django_mobilon_sms.testing.ConsoleBackend"', "SMS to 89135292926"),
        ("MOBILON_SMS_ENABLED = False", ""),
    ],
)
def test_settings_of_a_copy_let_nothing_reach_a_gateway(project, gateway, setting, printed):
    assert setting in column(HOWTO / "staging.rst", "staging-table", 1)
    project.write("shop/settings.py", setting)
    project.manage("shell", stdin=WRITE.format(count=1))
    assert printed in project.manage("send_sms")
    assert (project.code, gateway.messages) == (0, [])


def test_settings_of_a_copy_lead_to_the_sandbox_command(project):
    project.write_files(HOWTO / "staging.rst")
    show = "from django.conf import settings\nprint(settings.MOBILON_SMS_BASE_URL)"
    assert project.value(show) == "http://127.0.0.1:8030/"


def test_monitor_sees_what_waits(project):
    page = HOWTO / "monitoring.rst"
    project.write_files(page)
    assert project.type_in(page, "Steps") == 2
    project.manage("shell", stdin=PAUSE + WRITE.format(count=1) + AGE)
    assert project.type_in(page, WORKS) == 1


def test_watchdog_names_the_message_that_was_sent(project, gateway):
    page = HOWTO / "watchdog.rst"
    assert project.type_in(page, "Steps") == 1
    project.manage("send_sms")
    query = "from django_mobilon_sms.models import SmsMessage as S\nS.objects.all().check_soon()"
    project.manage("shell", stdin=query)
    project.manage("send_sms", "--refresh-only")
    assert project.type_in(page, WORKS) == 1
    assert [message.number for message in gateway.messages] == ["89135292926"]
    [line] = [block.text for block in blocks(page, "Steps") if block.language == "text"]
    _, _, words = line.partition("manage.py sms_watchdog ")
    parsed = sms_watchdog.Command().create_parser("", "").parse_args(words.split())
    assert parsed.to == "+79135292926"
    codes = {exit_codes.OK, exit_codes.CANNOT_WORK, 2, exit_codes.TROUBLE}
    assert {int(code) for code in column(page, "watchdog-exit-codes-table")} == codes


def test_texts_are_forgotten_old_messages_purged_and_a_person_erased(project):
    page = HOWTO / "privacy.rst"
    project.write_files(page)
    end = "SmsMessage.objects.cancel()\n"
    project.manage("shell", stdin=WRITE.format(count=1) + AGE + end)
    assert project.type_in(page, "Steps") == 1
    # One waits, one may have gone out, one is asked for.
    project.manage("shell", stdin=WRITE.format(count=2))
    project.manage(
        "shell",
        stdin="from django_mobilon_sms.models import SmsMessage\n"
        "from django_mobilon_sms.choices import ErrorCode\n"
        "SmsMessage.objects.filter(pk=SmsMessage.objects.first().pk).hold(ErrorCode.LOST)",
    )
    assert project.type_in(page, WORKS) == 1
    left = "from django_mobilon_sms.models import SmsMessage, StoppedNumber\n"
    left += "print(SmsMessage.objects.count(), StoppedNumber.objects.count())"
    assert project.value(left) == "0 1"


def test_upgrade_pauses_migrates_and_goes_on(project, gateway):
    page = HOWTO / "upgrading.rst"
    project.manage("shell", stdin=WRITE.format(count=1))
    assert project.type_in(page, "Steps") == 4
    assert project.type_in(page, WORKS) == 1
    assert len(gateway.messages) == 1
    assert project.type_in(page, "Before version 1.0") == 2
    assert project.value(STATUSES) == ""
