"""The example project as a newcomer has it: its scripts and commands as processes of their own."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import polib
import pytest
import requests

from django_mobilon_sms.conf.settings import declared
from tests.support.documents import README, blocks

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "example_project"
ORDERS = EXAMPLE / "data" / "orders.csv"
LOCALE = EXAMPLE / "shop" / "locale" / "ru" / "LC_MESSAGES"
PROMPT = 60  # seconds: what may take that long is not prompt on any machine
HEADER = "number,customer,phone,status,total,text\n"
GOOD = "1,Анна Белова,8 (913) 000-29-26,ready,990.00,Заказ 1 готов\n"
FAULTS = """\
Line 19, order 10267, phone: This is a landline. Messages are not sent to landlines. \
Enter a mobile number.
Line 45, order 10310, phone: A phone number cannot contain letters. Enter all of its digits.
Line 67, order 10349, phone: A spreadsheet has turned the number into a decimal. \
Format the column as text, then copy the number again.
Line 92, order 10390, phone: An extension cannot get messages. \
Enter a mobile number without one.
Line 115, order 10427, phone: This number is in Kazakhstan. Messages are not sent there. \
Enter a Russian mobile number.
Line 145, order 10463, phone: The phone number is too short. \
A Russian number has ten digits after +7 or 8.
Line 174, order 10500, text: Write a text.
Line 194, order 10526, text: The text has 13 parts, and only 10 parts are allowed. Shorten it.
Line 224, order 10573, phone: A spreadsheet has turned the number into a decimal. \
Format the column as text, then copy the number again.
Line 251, order 10612, phone: There is more than one number here. Enter one number.
Line 277, order 10645, phone: There is no number here. Enter a phone number.
Line 305, order 10688, total: “4 990 руб.” value must be a decimal number.
Line 326, order 10715, status: Value 'отменён' is not a valid choice.
Line 341, order 10741, phone: This is a toll-free number. Messages are not sent to such numbers. \
Enter a mobile number.
"""


def environment(**changes: str) -> dict[str, str]:
    """This process's, without what would change the example's settings."""
    own = ("DATABASE_URL", "DJANGO_", "MOBILON_SMS_")
    plain = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {**plain, "PYTHONPATH": path, "PYTHONIOENCODING": "utf-8", **changes}


def python(*arguments: object, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the example's folder, to its end."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=EXAMPLE,
        env=environment(**changes),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


class Shop:
    """The project on a database of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = folder / "shop.sqlite3"
        self.settings = {
            "DATABASE_URL": f"sqlite:///{self.database}",
            "DJANGO_LANGUAGE_CODE": "en",
            "DJANGO_SETTINGS_MODULE": "config.settings",
        }

    def manage(self, *arguments: object) -> tuple[int, str, str]:
        """Exit code, output and errors of a command."""
        done = python("manage.py", *arguments, **self.settings)
        return done.returncode, done.stdout, done.stderr

    def load(self, content: str | bytes) -> tuple[int, str, str]:
        """Import a file with this content."""
        file = self.folder / "orders.csv"
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return self.manage("import_orders", file)

    def ask(self, code: str) -> Any:
        """What the last expression of this code is, with the project set up."""
        *lines, last = code.strip().splitlines()
        setup = "import django, json; django.setup()\nfrom shop.models import Order"
        done = python(
            "-c",
            "\n".join(
                [
                    setup,
                    "from django_mobilon_sms.models import SmsMessage",
                    *lines,
                    f"print(json.dumps({last}))",
                ]
            ),
            **self.settings,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def rows(self, query: str) -> list[tuple[str, ...]]:
        """What is in the database, seen from outside."""
        with closing(sqlite3.connect(self.database)) as connection:
            return connection.execute(query).fetchall()

    def messages(self) -> list[tuple[str, ...]]:
        """Number, text and tag of every message."""
        return self.rows("SELECT number, text, tag FROM mobilon_sms_smsmessage ORDER BY id")

    def orders(self) -> list[tuple[str, ...]]:
        """Number and status of every order."""
        return self.rows("SELECT number, status FROM shop_order ORDER BY id")


@pytest.fixture(scope="session")
def empty_shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    shop = Shop(tmp_path_factory.mktemp("shop"))
    assert shop.manage("migrate", "--verbosity", "0") == (0, "", "")
    return shop


@pytest.fixture
def shop(empty_shop: Shop, tmp_path: Path) -> Shop:
    """With its tables, and nothing in them."""
    shutil.copy(empty_shop.database, tmp_path)
    return Shop(tmp_path)


def counts(orders: int, messages: int, known: int, skipped: int) -> str:
    return (
        f"Orders written: {orders}\nSMS written: {messages}\n"
        f"Already there: {known}\nRows skipped: {skipped}\n"
    )


@contextmanager
def script(path: Path, *, until: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A script while the block runs, and what it printed up to a line that has these words."""
    with subprocess.Popen(
        [sys.executable, path],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        try:
            lines = []
            for line in process.stdout or ():
                lines.append(line)
                if until in line:
                    break
            yield process, "".join(lines)
        finally:
            process.terminate()


def is_listening(url: str) -> bool:
    address = urlsplit(url)
    with socket.socket() as client:
        return client.connect_ex((str(address.hostname), address.port or 0)) == 0


def test_the_demo_ends_with_every_good_row_sent() -> None:
    done = python("demo.py")
    assert (done.returncode, done.stderr) == (0, "")
    steps = re.split(r"\n\d\. ", done.stdout)
    assert [step.splitlines()[0] for step in steps[1:]] == [
        "A fresh database",
        "A gateway of our own",
        "The orders of example_project/data/orders.csv",
        "manage.py send_sms",
        "What became of them",
        "The result",
    ]
    assert steps[3].endswith(
        "   Orders written: 306\n   SMS written: 306\n   Already there: 0\n   Rows skipped: 14\n"
    )
    _commands, result = blocks(README, "See it run")
    assert steps[6] == result.text.removeprefix("6. ") + "\n"
    assert not is_listening(re.findall(r"http://127\.0\.0\.1:\d+/", done.stdout)[0])


def test_a_demo_that_can_not_go_on_says_why_and_stops_its_gateway() -> None:
    done = python("demo.py", MOBILON_SMS_NUMBER_PATTERN="nobody")
    assert (done.returncode, done.stderr) == (1, "\nThe demo failed: 0 orders have 0 messages.\n")
    assert not is_listening(re.findall(r"http://127\.0\.0\.1:\d+/", done.stdout)[0])


def test_a_demo_with_a_wrong_setting_names_it() -> None:
    done = python("demo.py", MOBILON_SMS_TIMEOUT="0")
    assert (done.returncode, done.stdout) == (1, "\n1. A fresh database\n")
    assert "MOBILON_SMS_TIMEOUT must be a number of seconds" in done.stderr
    assert done.stderr.endswith("\nThe demo failed: manage.py migrate ended with 1.\n")


def test_an_interrupted_demo_stops_its_gateway() -> None:
    with script(EXAMPLE / "demo.py", until="The sandbox listens") as (process, output):
        process.send_signal(signal.SIGINT)
        _output, errors = process.communicate(timeout=PROMPT)
    assert (process.returncode, errors) == (130, "\nStopped.\n")
    assert not is_listening(re.findall(r"http://127\.0\.0\.1:\d+/", output)[0])


def test_the_file_of_orders_is_what_a_shop_would_have() -> None:
    with ORDERS.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 320
    assert len({row["text"] for row in rows}) == 320
    assert len({row["number"] for row in rows}) == 320
    assert len({re.sub(r"\d", "0", row["phone"]) for row in rows}) >= 20  # ways to type a number
    assert {row["status"] for row in rows} == {
        "new",
        "paid",
        "shipped",
        "ready",
        "closed",
        "отменён",  # a bad row
    }


def test_an_import_names_every_bad_row(shop: Shop) -> None:
    code, output, errors = shop.manage("import_orders", ORDERS)
    assert (code, errors) == (0, "")
    assert output == FAULTS + counts(306, 306, 0, 14)


def test_a_second_import_writes_nothing(shop: Shop) -> None:
    shop.manage("import_orders", ORDERS)
    before = shop.messages()
    code, output, _errors = shop.manage("import_orders", ORDERS)
    assert (code, output[output.index("Orders written") :]) == (0, counts(0, 0, 306, 14))
    assert shop.messages() == before
    assert len(before) == len(shop.orders()) == 306


def test_an_import_reads_what_a_spreadsheet_saves(shop: Shop) -> None:
    file = "\ufeff" + HEADER + '2,Яна Ким,9130002927,new,1.00,"две\nстроки"\n\n' + GOOD
    assert shop.load(file.replace("\n", "\r\n")) == (0, counts(2, 2, 0, 0), "")
    assert shop.messages() == [
        ("+79130002927", "две\nстроки", "2"),
        ("+79130002926", "Заказ 1 готов", "1"),
    ]


def test_a_bad_row_is_named_with_all_its_faults_by_the_line_it_begins_on(shop: Shop) -> None:
    rows = '2,Яна Ким,9130002927,new,1.00,"две\nстроки"\n3,,8 495 000-12-34,lost,x,\n'
    assert shop.load(HEADER + rows) == (
        0,
        "Line 4, order 3, customer: This field cannot be blank.\n"
        "Line 4, order 3, phone: This is a landline. Messages are not sent to landlines."
        " Enter a mobile number.\n"
        "Line 4, order 3, status: Value 'lost' is not a valid choice.\n"
        "Line 4, order 3, total: “x” value must be a decimal number.\n"
        "Line 4, order 3, text: Write a text.\n" + counts(1, 1, 0, 1),
        "",
    )
    assert shop.orders() == [("2", "new")]


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (GOOD.replace("готов", "выдан"), "text: The SMS of this order was written before, with"),
        (GOOD.replace("29-26", "29-27"), "phone: The SMS of this order was written before, with"),
        (GOOD.replace("готов", "готов, ждём"), "text: The row has more cells than columns. Put"),
        ("2,Яна Ким\n", "phone: There is no number here. Enter a phone number."),
        (GOOD.replace("1,Анна", "2,А\0нна"), "customer: Null characters are not allowed."),
    ],
)
def test_a_row_that_would_lose_something_is_skipped(shop: Shop, row: str, fault: str) -> None:
    code, output, errors = shop.load(HEADER + GOOD + row)
    if "\0" in row and sys.version_info < (3, 11):  # there csv itself refuses the file
        assert (code, shop.messages()) == (1, [])
        return
    assert (code, errors) == (0, "")
    assert f", {fault}" in output
    assert output.endswith(counts(1, 1, 0, 1))
    assert shop.messages() == [("+79130002926", "Заказ 1 готов", "1")]


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("", "The file lacks the columns: number, customer, phone, status, total, text."),
        ("number;text\n", "The file lacks the columns: number, customer, phone, status, total"),
        ((HEADER + GOOD).encode("cp1251"), "The file is not in UTF-8. Save it as CSV UTF-8."),
        (HEADER + GOOD + '2,"Яна', "Line 3 is not CSV: "),
    ],
)
def test_of_a_bad_file_nothing_is_written(shop: Shop, content: str | bytes, error: str) -> None:
    code, output, errors = shop.load(content)
    assert (code, output, errors.count("\n")) == (1, "", 1)
    assert errors.startswith(f"CommandError: {error}")
    assert shop.messages() == shop.orders() == []


def test_a_file_that_is_not_there_is_named(shop: Shop) -> None:
    assert shop.manage("import_orders", "absent.csv") == (
        1,
        "",
        "CommandError: absent.csv cannot be read: No such file or directory.\n",
    )


def test_an_order_that_moves_on_tells_its_customer_once(shop: Shop) -> None:
    shown = shop.ask("""
order = Order.objects.create(number="7", customer="Яна Ким", phone="8 913 000-29-26", total=990)
same = Order.objects.get()
first = order.change_status(Order.Status.READY)
[str(first.number), order.status, same.change_status(Order.Status.READY), \
 order.change_status(Order.Status.PAID), order.change_status(Order.Status.NEW)]""")
    assert shown == ["+79130002926", "ready", None, None, None]
    assert shop.orders() == [("7", "ready")]
    assert shop.messages() == [
        (
            "+79130002926",
            "Заказ 7 готов к выдаче: ул. Ленина, 5, ежедневно с 10:00 до 21:00.",
            "7",
        )
    ]


def test_a_rolled_back_status_change_sends_nothing(shop: Shop) -> None:
    written = shop.ask("""
from django.db import transaction
order = Order.objects.create(number="7", customer="Яна Ким", phone="8 913 000-29-26", total=990)
with transaction.atomic():
    message = order.change_status(Order.Status.PAID)
    transaction.set_rollback(True)
message.text""")
    assert written == "Заказ 7 оплачен, 990 руб. Напишем, когда отправим."
    assert (shop.orders(), shop.messages()) == ([("7", "new")], [])


def test_an_order_without_its_sms_does_not_move(shop: Shop) -> None:
    error = shop.ask("""
from django.core.exceptions import ValidationError
order = Order.objects.create(number="7", customer="Яна Ким", phone="8 495 000-12-34", total=990)
try:
    order.change_status(Order.Status.PAID)
except ValidationError as caught:
    found = caught
[order.status, list(found.error_dict)]""")
    assert error == ["new", ["number"]]
    assert (shop.orders(), shop.messages()) == ([("7", "new")], [])


ADMIN = """
from django.contrib.auth.models import Permission, User
from django.contrib.messages import get_messages
from django.test import Client
user = User.objects.create_user("seller", is_staff=True)
names = ["view_order", "change_order", {extra}]
user.user_permissions.set(Permission.objects.filter(codename__in=names))
for number, phone in (("1", "8 913 000-29-26"), ("2", "8 495 000-12-34"), ("3", "9130002927")):
    status = "paid" if number == "3" else "new"
    Order.objects.create(number=number, customer="Яна", phone=phone, total=990, status=status)
client = Client(headers={{"host": "localhost", "accept-language": "en"}})
client.force_login(user)
chosen = list(Order.objects.values_list("pk", flat=True))
reply = client.post("/admin/shop/order/", {{"action": "mark_paid", "_selected_action": chosen}})
[str(message) for message in get_messages(reply.wsgi_request)]"""


def test_an_action_says_what_it_did_with_each_order(shop: Shop) -> None:
    assert shop.ask(ADMIN.format(extra="'add_smsmessage'")) == [
        "Order 2 was left as it was: This is a landline. Messages are not sent to landlines."
        " Enter a mobile number.",
        "1 order moved on, its SMS waits for the worker.",
        "1 order is that far already.",
    ]
    assert shop.orders() == [("1", "paid"), ("2", "new"), ("3", "paid")]
    assert [number for number, _text, _tag in shop.messages()] == ["+79130002926"]
    assert shop.ask("[m.created_by.username for m in SmsMessage.objects.all()]") == ["seller"]


def test_who_may_not_write_messages_may_not_tell_customers(shop: Shop) -> None:
    assert shop.ask(ADMIN.format(extra="")) == []
    assert shop.orders() == [("1", "new"), ("2", "new"), ("3", "paid")]
    assert shop.messages() == []


def test_a_login_is_made_once(shop: Shop) -> None:
    code, output, errors = shop.manage("create_operator")
    match = re.fullmatch(r"operator, password (\S{12})\n", output)
    assert (code, errors) == (0, "")
    assert match
    shop_login = "from django.contrib.auth import authenticate\n"
    login = f"authenticate(username='operator', password={match[1]!r}).is_superuser"
    assert shop.ask(shop_login + login) is True
    assert shop.manage("create_operator") == (
        0,
        "operator, with the password that was shown when it was made\n",
        "",
    )
    assert shop.ask(shop_login + login) is True


def test_run_opens_its_pages_and_a_signal_stops_everything(tmp_path: Path) -> None:
    # A copy, since it keeps its database in its own folder.
    folder = tmp_path / "example_project"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("*.sqlite3*", ".env"))
    with script(folder / "run.py", until="Ctrl+C") as (process, output):
        shown = dict(re.findall(r"^(\S.*?)  +(.*)$", output, re.MULTILINE))
        assert list(shown) == ["The admin", "REST", "What the gateway heard", "The login"]
        site, sandbox = shown["The admin"], shown["What the gateway heard"]
        assert re.fullmatch(r"operator, password \S{12}", shown["The login"])
        assert requests.get(site, timeout=PROMPT).status_code == 200
        assert requests.get(shown["REST"], timeout=PROMPT).status_code in (401, 403)
        latest = time.monotonic() + PROMPT
        while len(requests.get(sandbox + "messages.json", timeout=PROMPT).json()) < 306:
            assert time.monotonic() < latest
            time.sleep(0.1)
        process.terminate()
        rest, _requests = process.communicate(timeout=PROMPT)
    assert (process.returncode, rest.splitlines()[-1]) == (0, "Stopped.")
    assert not is_listening(site)
    assert not is_listening(sandbox)


def settings_of(folder: Path, **changes: str) -> Any:
    """What the settings in this folder come to."""
    code = (
        "import json; from config import settings;"
        "print(json.dumps({k: v for k, v in vars(settings).items() if k.isupper()}, default=str))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment(**changes),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    return json.loads(done.stdout) if done.returncode == 0 else done.stderr


def test_the_sample_env_names_every_variable_with_its_default(tmp_path: Path) -> None:
    source = (EXAMPLE / "config" / "settings.py").read_text()
    sample = (EXAMPLE / ".env.example").read_text()
    read = set(re.findall(r'env(?:\.\w+)?\(\s*"(\w+)"', source))
    assert set(re.findall(r"^#?([A-Z_]+)=", sample, re.MULTILINE)) == read
    assert set(re.findall(r"^(MOBILON_SMS_\w+) =", source, re.MULTILINE)) == {
        name for name in read if name.startswith("MOBILON_SMS_")
    }
    assert read >= {setting.name for setting in declared()}
    shutil.copytree(EXAMPLE / "config", tmp_path / "config")
    without = settings_of(tmp_path)
    (tmp_path / ".env").write_text(sample)
    assert settings_of(tmp_path) == without
    (tmp_path / ".env").write_text("MOBILON_SMS_PASSWORD=\\$ecret #1\nMOBILON_SMS_BATCH_SIZE=7\n")
    changed = settings_of(tmp_path, MOBILON_SMS_BATCH_SIZE="8")
    assert changed == without | {
        "MOBILON_SMS_PASSWORD": "$ecret #1",
        "MOBILON_SMS_BATCH_SIZE": 8,
    }


def test_without_debug_a_secret_key_is_required() -> None:
    message = settings_of(EXAMPLE, DJANGO_DEBUG="False")
    assert message.endswith(
        "ImproperlyConfigured: Set the DJANGO_SECRET_KEY environment variable\n"
    )


def test_its_migrations_are_complete(shop: Shop) -> None:
    assert shop.manage("makemigrations", "--check", "--dry-run") == (0, "No changes detected\n", "")


def test_its_russian_is_complete_and_compiled() -> None:
    source = polib.pofile(str(LOCALE / "django.po"))
    compiled = polib.mofile(str(LOCALE / "django.mo"))
    assert [entry.msgid for entry in source if not entry.translated() or entry.fuzzy] == []
    pairs = [
        {(entry.msgid, entry.msgstr, *entry.msgstr_plural.values()) for entry in catalogue}
        for catalogue in (source, compiled)
    ]
    assert pairs[0] == pairs[1]
    code = "".join(path.read_text() for path in (EXAMPLE / "shop").rglob("*.py"))
    marked = re.findall(r'(?:\b_|gettext_lazy)\(\s*"([^"]+)"', code)
    assert set(marked) <= {entry.msgid for entry in source}
