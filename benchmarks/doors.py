"""What the doors cost: a list of recipients, importing, the admin's list and REST."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterator
from statistics import median

from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from django_mobilon_sms.choices import WorkerKind
from django_mobilon_sms.models import SmsMessage
from django_mobilon_sms.worker import beat

from . import rows
from .measure import Bench, Figure, bare_select


def mailing(bench: Bench, count: int = 50_000) -> Iterator[Figure]:
    """A list through the admin: the time of each request, and the memory that all of them took."""
    for kind in ("csv", "xlsx"):
        found = []
        for _ in range(bench.rounds):
            rows.clear()
            found.append(bench.run("mailing", kind=kind, count=count))
        for step in ("upload", "preview", "confirm"):
            seconds = median(each["steps"][step] for each in found)
            work = f"list of {count:,}, {kind}: {step}"
            yield Figure(work, seconds, 30, at_most=True, unit="s")
        over = max(each["over"] for each in found)
        work = f"list of {count:,}, {kind}: memory over idle"
        note = f"idle {found[0]['idle']:.0f} MiB"
        yield Figure(work, over, 100, at_most=True, unit="MiB", note=note)


def importing(bench: Bench) -> Iterator[Figure]:
    """What the app adds to the start of a process that has Django and DRF."""

    def setup(*, with_app: bool) -> float:
        options = json.dumps({"with_app": with_app})
        command = [sys.executable, "-m", "benchmarks.worker", "setup", options]
        done = subprocess.run(command, env=bench.environment, capture_output=True, check=True)
        return float(json.loads(done.stdout)["seconds"])

    found, without = bench.in_turn(lambda: setup(with_app=True), lambda: setup(with_app=False))
    more = median(one - other for one, other in zip(found, without)) * 1000
    yield Figure("import of the app", more, 60, at_most=True, unit="ms")


def doors(bench: Bench, count: int = 2_000_000) -> Iterator[Figure]:
    """The admin's list and REST over two million messages, or as many as ``--count`` says."""
    rows.clear()
    rows.sent(count)
    rows.analyze()
    User.objects.filter(username="bench").delete()
    client = Client()
    client.force_login(User.objects.create_superuser("bench"))
    beat(WorkerKind.LOOP)  # because without a heartbeat the admin also counts what waits
    found = SmsMessage.objects.order_by("pk")[count // 2]
    yield Figure("admin: a bare SELECT of 100 messages", bare_select(), unit="ms")
    listed = "/admin/mobilon_sms/smsmessage/"
    for work, query in (
        ("admin: first page", {}),
        ("admin: search by number", {"q": found.number}),
        ("admin: search by guid", {"q": str(found.guid)}),
        ("admin: search by gateway id", {"q": found.gateway_id}),
    ):
        seconds, asked = _asked(client, listed, query)
        note = f"{asked} statements, {count:,} messages"
        yield Figure(work, seconds * 1000, 100, at_most=True, unit="ms", note=note)
        yield Figure(f"{work}, statements", asked, 10, at_most=True, unit="")

    first, _ = _asked(client, "/sms/messages/", {})
    address = client.get("/sms/messages/", {"page_size": 1000}).json()["next"]
    deep = address.replace(_cursor(address), _cursor_at(found))
    far, _ = _asked(client, deep.replace("page_size=1000", "page_size=100"), {})
    note = f"{far * 1000:.1f} ms against {first * 1000:.1f} ms"
    yield Figure("REST: deep page against the first", far / first, 1.3, at_most=True, note=note)

    many = [{"number": rows.NUMBER, "text": rows.TEXT} for _ in range(1000)]
    with CaptureQueriesContext(connection) as captured:
        reply = client.post("/sms/messages/many/", json.dumps(many), "application/json")
    if reply.status_code != 201:
        raise RuntimeError(f"REST answered {reply.status_code}.")
    work = "REST: list create of 1,000, statements"
    yield Figure(work, len(captured), 8, at_most=True, unit="")


def _asked(client: Client, address: str, query: dict[str, str]) -> tuple[float, int]:
    """The median of 9 requests in seconds, after one that warms up, and their statements."""
    times = []
    for _ in range(10):
        with CaptureQueriesContext(connection) as captured:
            began = time.perf_counter()
            reply = client.get(address, query)
            times.append(time.perf_counter() - began)
        if reply.status_code != 200:
            raise RuntimeError(f"{address} answered {reply.status_code}.")
    return median(times[1:]), len(captured)


def _cursor(address: str) -> str:
    return address.partition("cursor=")[2].partition("&")[0]


def _cursor_at(message: SmsMessage) -> str:
    return b64encode(f"p={message.guid}".encode()).decode()
