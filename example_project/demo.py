"""`make demo`: a file of orders becomes SMS, and each goes from a database's row to "sent".

Everything is real, only the gateway is the sandbox: nothing leaves this machine. It ends with 0
only if every good row is sent and the gateway was given each exactly once.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections import Counter
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote
from urllib.request import ProxyHandler, build_opener

from processes import HERE, ORDERS, Trouble, address, manage, sandbox_settings, start, stoppable

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from django_mobilon_sms.models import SmsMessage

#: How long statuses are waited for at most, in seconds.
PATIENCE = 120
OPEN = ("pending", "sending", "accepted")


def main() -> int:
    """Show the whole way; returns the exit code."""
    try:
        with stoppable(), tempfile.TemporaryDirectory(prefix="mobilon-sms-demo-") as folder:
            show(Path(folder))
    except Trouble as trouble:
        print(f"\nThe demo failed: {trouble}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130
    print("\nAll is well. Next: make run, and look around.")
    return 0


def show(folder: Path) -> None:
    """The steps, one after the other. Raises ``Trouble``."""
    environment = own_settings(folder)
    step(1, "A fresh database")
    manage("migrate", "--verbosity", "0", environment=environment)
    say("It is SQLite in a temporary folder; its tables are made.")
    step(2, "A gateway of our own")
    options = ("--port", "0", "--sent-after", "2")
    with start("sms_sandbox", *options, environment=environment) as sandbox:
        url = address(sandbox, "The sandbox")
        environment |= sandbox_settings(url)
        say(f"The sandbox listens on {url} and answers as the real one; nothing is really sent.")
        step(3, f"The orders of {ORDERS.relative_to(HERE.parent)}")
        say(manage("import_orders", str(ORDERS), environment=environment))
        step(4, "manage.py send_sms")
        say(manage("send_sms", environment=environment))
        step(5, "What became of them")
        messages = connect(environment)
        wait(messages, environment)
        step(6, "The result")
        say(table(messages))
        verify(messages, received(url))
    say("Every good row is sent, and the gateway was given each of them exactly once.")


def own_settings(folder: Path) -> dict[str, str]:
    """A database of its own, English, and nothing of a .env that could change the course."""
    return {
        "DATABASE_URL": f"sqlite:///{quote(folder.as_posix())}/demo.sqlite3",
        "DJANGO_DEBUG": "True",
        "DJANGO_LANGUAGE_CODE": "en",
        "MOBILON_SMS_SOURCE": "89234560000",
        "MOBILON_SMS_SEND_REPLIES": "0=accepted",
        "MOBILON_SMS_STATUS_REPLIES": "1=sent",
        **sandbox_settings("http://127.0.0.1:9/"),  # until the sandbox has its own
    }


def connect(environment: dict[str, str]) -> QuerySet[SmsMessage]:
    """The messages in the demo's database."""
    sys.path.append(str(HERE.parent))
    os.environ.update(environment, DJANGO_SETTINGS_MODULE="config.settings")
    import django  # noqa: PLC0415  not before the environment says which database

    django.setup()
    from django_mobilon_sms.models import SmsMessage  # noqa: PLC0415  not before the setup

    return SmsMessage.objects.order_by("pk")


def wait(messages: QuerySet[SmsMessage], environment: dict[str, str]) -> None:
    """Run the worker whenever a status may be asked for, until every message is settled."""
    say("A status is first asked for 10 seconds after the gateway accepted the message.")
    latest = time.monotonic() + PATIENCE
    while left := messages.filter(status__in=OPEN).count():
        if time.monotonic() > latest:
            raise Trouble(f"after {PATIENCE} seconds {left} messages are not settled yet.")
        seconds = until_next_check(messages)
        say(
            f"{left} messages are under way; waiting {seconds:.0f} seconds, then send_sms again ..."
        )
        time.sleep(seconds)
        say(manage("send_sms", environment=environment))


def until_next_check(messages: QuerySet[SmsMessage]) -> float:
    """Seconds until every message may be asked for, at least one, at most ten."""
    asked = messages.filter(status__in=OPEN, batch__next_check_at__isnull=False)
    times = asked.values_list("batch__next_check_at", flat=True)
    now = datetime.now(timezone.utc)
    return min(max([1.0, *((due - now).total_seconds() for due in times if due)]), 10.0)


def table(messages: QuerySet[SmsMessage]) -> str:
    """How many messages have which status."""
    counts = Counter(message.get_status_display() for message in messages)
    rows = [("status", "messages"), *((status, str(n)) for status, n in sorted(counts.items()))]
    return "\n".join(f"{status:<12}{count:>8}" for status, count in rows)


def received(url: str) -> list[dict[str, str]]:
    """Return what the gateway received, as its own page reports it."""
    opener = build_opener(ProxyHandler({}))  # an environment's proxy knows nothing of loopback
    with opener.open(f"{url}messages.json", timeout=PATIENCE) as reply:
        answer: list[dict[str, str]] = json.load(reply)
    return answer


def verify(messages: QuerySet[SmsMessage], heard: list[dict[str, str]]) -> None:
    """Raises ``Trouble`` unless each message is sent, and was given to the gateway once."""
    from shop.models import Order  # noqa: PLC0415  not before the setup

    written = {str(message.guid): message.text for message in messages}
    if not written or len(written) != Order.objects.count():
        raise Trouble(f"{Order.objects.count()} orders have {len(written)} messages.")
    if unsent := messages.exclude(status="sent").count():
        raise Trouble(f"{unsent} of {len(written)} messages are not sent.")
    copies = Counter(message["guid"] for message in heard)
    if again := [guid for guid, count in copies.items() if count > 1]:
        raise Trouble(f"the gateway was given {len(again)} messages more than once.")
    if written != {message["guid"]: message["text"] for message in heard}:
        raise Trouble("the gateway was given other messages than those that were written.")


def step(number: int, title: str) -> None:
    """A heading."""
    print(f"\n{number}. {title}", flush=True)


def say(text: str) -> None:
    """Lines under the heading."""
    print("\n".join(f"   {line}" for line in text.splitlines()), flush=True)


if __name__ == "__main__":
    sys.exit(main())
