"""The metrics: scraped by a real Prometheus, which evaluates the alerts and the dashboard."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from django_mobilon_sms.choices import ErrorCode, Outcome, WorkerKind
from django_mobilon_sms.conf import configured_webhooks
from django_mobilon_sms.contrib.prometheus import SmsCollector
from django_mobilon_sms.models import (
    GatewayState,
    Heartbeat,
    SmsBatch,
    SmsMessage,
    WebhookConsumer,
    db_now,
)
from django_mobilon_sms.operations import observe
from django_mobilon_sms.outbox import send_many
from django_mobilon_sms.webhooks import consumer_states, deliver, deliver_again
from tests.support.documents import DOCS, table
from tests.support.messages import write
from tests.support.ports import free_port
from tests.support.webhook_receiver import Receiver, webhooks
from tests.support.workers import wait_until
from tests.webhooks.conftest import only, pass_time, work

pytestmark = pytest.mark.django_db(transaction=True)

EXECUTED = ["docs/howto/metrics.rst"]
PAGE = DOCS / "howto/metrics.rst"
ALERTS = DOCS / "deploy/alerts.yml"
DASHBOARD = DOCS / "deploy/grafana.json"
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
PATIENCE = 60  # seconds: only a defect takes that long
CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: ["{alerts}"]
scrape_configs:
  - job_name: sms
    static_configs: [{{targets: ["{target}"]}}]
"""


def scraped() -> dict[str, dict[tuple[str, ...], float]]:
    """Return the values by the name of the sample and its labels, in the order of their names."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(Client().get("/metrics").text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[
                tuple(value for _, value in sorted(sample.labels.items()))
            ] = sample.value
    return found


def expressions(node: Any) -> Iterator[str]:
    """Yield the expressions of the dashboard."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "expr":
                yield value
            else:
                yield from expressions(value)
    elif isinstance(node, list):
        for value in node:
            yield from expressions(value)


PANELS = list(expressions(json.loads(DASHBOARD.read_text(encoding="utf-8"))))
WEBHOOK_ALERTS = ("SmsWebhookGivenUp", "SmsWebhookDown", "SmsWebhookBehind")
RULES = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"][0]["rules"]


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    """A consumer of webhooks named ``shop``, which takes nothing and wants only cancellations."""
    settings.MOBILON_SMS_EVENTS = "30d"
    with Receiver(lambda heard: 500) as server:
        settings.MOBILON_SMS_WEBHOOKS = webhooks(server, EVENTS=["message.cancelled"])
        yield server


def cancelled() -> SmsMessage:
    """A message that was never due. It has two events."""
    [message] = write(send_at=timezone.now() + DAY)
    SmsMessage.objects.filter(pk=message.pk).cancel()
    return message


def give_up() -> SmsMessage:
    """Let the consumer fail for one event until that is given up."""
    message = cancelled()
    work()
    pass_time(3 * DAY)
    work()
    return message


@pytest.mark.databases
def test_figures_are_those_of_the_outbox(shop, sandbox, worker):
    write(3)
    worker("--no-refresh")
    SmsMessage.objects.filter(pk=write()[0].pk).change(due_at=db_now() - MINUTE)
    found = scraped()
    assert found["mobilon_sms_messages"] == {
        ("waiting",): 1, ("scheduled",): 0, ("sending",): 0, ("asked_for",): 3, ("unknown",): 0
    }  # fmt: skip
    assert found["mobilon_sms_oldest_waiting_seconds"][()] == pytest.approx(60, abs=9)
    states = found["mobilon_sms_state"]
    assert [labels for labels, value in states.items() if value] == [("", "works")]
    assert len(states) == 8
    assert [*found["mobilon_sms_recent_requests"].values()] == [1]
    times = found["mobilon_sms_accepted_after_seconds_bucket"]
    assert (len(times), times[("+Inf",)]) == (8, 3)
    assert 0 <= found["mobilon_sms_accepted_after_seconds_gsum"][()] < 9
    [((_host, kind), age)] = found["mobilon_sms_heartbeat_age_seconds"].items()
    assert (kind, 0 <= age < 9) == ("cron", True)


@pytest.mark.databases
def test_webhooks_have_figures_for_each_consumer(shop, receiver):
    assert scraped()["mobilon_sms_webhook_state"] == {("shop", "new"): 1}
    work()
    give_up()
    write(2, send_at=timezone.now() + DAY)
    found = scraped()
    assert found["mobilon_sms_webhook_state"] == {("shop", "works"): 1}
    events = {("shop", "behind"): 2, ("shop", "given_up"): 1}
    assert found["mobilon_sms_webhook_events"] == events
    receiver.answer = lambda heard: 410
    cancelled()
    work()
    assert scraped()["mobilon_sms_webhook_state"] == {("shop", "stopped"): 1}


def test_webhooks_cost_three_statements_each_and_nothing_without(shop, receiver, settings):
    def cost(call: Callable[[], object]) -> int:
        with CaptureQueriesContext(connection) as captured:
            call()
        return len(captured)

    work()
    for count in (0, 300):
        send_many(
            [{"number": "+79135292926", "text": "Да", "send_at": timezone.now() + DAY}] * count
        )
        assert cost(scraped) - cost(observe) == 1 + 3
    settings.MOBILON_SMS_WEBHOOKS = None
    assert cost(scraped) == cost(observe)
    assert "mobilon_sms_webhook_state" not in scraped()


def test_page_lists_the_metrics_with_their_labels(shop, sandbox, worker, receiver):
    write()
    worker()
    reply = Client().get("/metrics").text
    found = {}
    for family in text_string_to_metric_families(reply):
        labels = sorted({name for sample in family.samples for name in sample.labels})
        if not family.name.endswith(("_gsum", "_gcount")):
            found[family.name] = labels
    listed = {
        name: sorted(filter(None, labels.split(", ")))
        for name, labels, _ in table(PAGE, "metrics-table")
    }
    assert listed == found


def test_registering_reads_no_database():
    registry = CollectorRegistry(auto_describe=True)
    with CaptureQueriesContext(connection) as captured:
        registry.register(SmsCollector())
    assert len(captured) == 0


def test_every_metric_is_on_the_dashboard():
    names = {name for name, *_ in table(PAGE, "metrics-table")}
    assert {name for name in names if any(name in expression for expression in PANELS)} == names
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)


class Prometheus:
    """A server that scrapes the site each second and evaluates the alerts."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str, **query: str) -> Any:
        return requests.get(f"{self.url}/api/v1/{path}", params=query, timeout=PATIENCE).json()[
            "data"
        ]

    def value(self, expression: str) -> list[str]:
        """Return the values of an expression now."""
        return [row["value"][1] for row in self.get("query", query=expression)["result"]]

    def raised(self) -> set[str]:
        """Return the alerts whose expression is true, or was not evaluated yet.

        Their time need not be over.
        """
        rules = self.get("rules")["groups"][0]["rules"]
        assert [rule["name"] for rule in rules if rule["health"] == "err"] == []
        return {
            rule["name"]
            for rule in rules
            if rule["state"] != "inactive" or rule["lastEvaluation"].startswith("0001")
        }

    def wait_for(self, *alerts: str) -> None:
        end = time.monotonic() + PATIENCE
        while (raised := self.raised()) != {*alerts} and time.monotonic() < end:
            time.sleep(0.2)
        assert raised == {*alerts}


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[Callable[[str], Prometheus]]:
    program = shutil.which("prometheus")
    if program is None:
        assert not os.environ.get("PROMETHEUS_REQUIRED"), "no prometheus here"
        pytest.skip("no prometheus here: apt-get install prometheus")
    processes = []

    def start(site: str) -> Prometheus:
        config, port = tmp_path / "prometheus.yml", free_port()
        target = site.removeprefix("http://")
        config.write_text(CONFIG.format(alerts=ALERTS, target=target), encoding="utf-8")
        options = {
            "config.file": config,
            "storage.tsdb.path": tmp_path / "data",
            "web.listen-address": f"127.0.0.1:{port}",
        }
        command = [program, *(f"--{name}={value}" for name, value in options.items())]
        with (tmp_path / "log").open("w") as log:
            processes.append(subprocess.Popen(command, stdout=log, stderr=log))
        server = Prometheus(f"http://127.0.0.1:{port}")
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                if requests.get(f"{server.url}/-/ready", timeout=1).ok:
                    return server
            except requests.RequestException:
                time.sleep(0.1)
        raise AssertionError((tmp_path / "log").read_text())

    yield start
    for process in processes:
        process.kill()
        process.wait()


def trouble(settings: Any, sandbox: Any, worker: Callable[..., Any]) -> None:
    """Make all that is wrong at once: unknown, lost, late and old messages, a wrong password."""
    write(number="+79350000005")
    worker("--no-refresh")
    GatewayState.objects.try_now()
    write(3)
    worker("--no-refresh")
    SmsMessage.objects.filter(status="accepted").change(due_at=db_now() - 9 * MINUTE)
    lost = {"outcome": Outcome.LOST, "error_code": ErrorCode.LOST}
    times = dict.fromkeys(("lease_until", "closed_at", "applied_at"), db_now())
    SmsBatch.objects.create(worker="w", **lost, **times)
    SmsMessage.objects.filter(pk=write()[0].pk).change(due_at=db_now() - 16 * MINUTE)
    settings.MOBILON_SMS_PASSWORD = "wrong"
    for _ in range(4):
        GatewayState.objects.try_now()
        worker("--no-refresh")


@pytest.mark.slow
def test_alerts_and_dashboard_are_right_on_real_output(
    prometheus, live_server, shop, settings, sandbox, worker
):
    write(3)
    worker("--no-refresh")
    server = prometheus(live_server.url)
    server.wait_for()
    assert server.value("up") == ["1"]
    trouble(settings, sandbox, worker)
    lasting = ("SmsWaiting", "SmsSlow", "SmsUnknown", "SmsWorkersKilled")
    server.wait_for(*lasting, "SmsGatewayTrouble", "SmsRefused")
    assert {
        expression: server.value(expression)
        for expression in PANELS
        if "webhook" not in expression and not server.value(expression)
    } == {}
    GatewayState.objects.pause(by=None)
    server.wait_for(*lasting, "SmsGatewayTrouble", "SmsPaused")
    GatewayState.objects.resume()
    GatewayState.objects.update(blocked_until=None, failures=0)
    Heartbeat.objects.all().delete()
    server.wait_for(*lasting, "SmsNobodySends")
    states = ("SmsRefused", "SmsPaused", "SmsNobodySends", "SmsMetricsMissing")
    named = {*lasting, "SmsGatewayTrouble", *states}
    assert {rule["alert"] for rule in RULES} == named | {*WEBHOOK_ALERTS}
    Heartbeat.objects.beat(WorkerKind.LOOP, "h")
    server.wait_for(*lasting)
    # A database that cannot be read fails the scrape, and no figure is made up.
    with connection.schema_editor() as editor:
        editor.delete_model(Heartbeat)
    try:
        server.wait_for("SmsMetricsMissing")
    finally:
        with connection.schema_editor() as editor:
            editor.create_model(Heartbeat)


@pytest.mark.slow
def test_alerts_of_webhooks_are_right_on_real_output(prometheus, live_server, shop, receiver):
    work()
    server = prometheus(live_server.url)
    server.wait_for()
    message = give_up()
    server.wait_for("SmsWebhookGivenUp")
    receiver.answer = lambda heard: 410
    cancelled()
    work()
    send_many([{"number": "+79135292926", "text": "Да", "send_at": timezone.now() + DAY}] * 1000)
    server.wait_for(*WEBHOOK_ALERTS)
    panels = [expression for expression in PANELS if "webhook" in expression]
    assert [server.value(expression) for expression in panels] == [["1"], ["1001", "1"]]
    receiver.answer = lambda heard: 204
    WebhookConsumer.objects.start(only())
    deliver_again(only(), message.created_at)

    def is_done() -> bool:
        deliver(configured_webhooks()["shop"], stopping=lambda: False)
        return [state.behind for state in consumer_states()] == [0]

    wait_until(is_done)
    server.wait_for()
