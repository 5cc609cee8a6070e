"""Metrics for Prometheus. They come from the database, so one process answers for all workers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from prometheus_client.core import GaugeHistogramMetricFamily, GaugeMetricFamily, Metric

from ..conf import conf
from ..operations import WORDS, observe
from ..webhooks import consumer_states

OPEN = ("waiting", "scheduled", "sending", "asked_for", "unknown")


class SmsCollector:
    """Gives a registry the figures of ``observe()`` and of webhooks at each scrape."""

    describe = list[Metric]  # none: a registry would read the database when it is set up

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics. Raises the database's errors, so that the scrape fails."""
        seen, after = observe(), "mobilon_sms_accepted_after_seconds"
        counts = {(state,): getattr(seen, state) for state in OPEN}
        yield _gauge("messages", "Open messages by state, counted up to 100,000", counts, "state")
        yield _gauge(
            "oldest_waiting_seconds", "Age of the oldest due SMS", {(): seen.oldest_waiting}
        )
        yield _gauge("idle_seconds", "How long messages wait without a request", {(): seen.idle})
        now = {(word, seen.error_code * (word == seen.state)): word == seen.state for word in WORDS}
        yield _gauge("state", "1 for the present state", now, "state", "error_code")
        beats = {(beat.host, beat.kind): seen.now - beat.at for beat in seen.heartbeats}
        yield _gauge("heartbeat_age_seconds", "Age of the last heartbeat", beats, "host", "kind")
        yield _gauge("failures", "Failures in a row of the breaker", {(): seen.failures})
        requests = {(row.outcome, row.error_code): row.requests for row in seen.recent_requests}
        yield _gauge("recent_requests", "Recent requests", requests, "outcome", "error_code")
        buckets, total = list(seen.accepted_after.within.items()), seen.accepted_after.total
        yield GaugeHistogramMetricFamily(after, "Until accepted", buckets, total.total_seconds())
        states = [*consumer_states()] if conf.WEBHOOKS else []
        events = {(c.name, key): getattr(c, key) for c in states for key in ("behind", "given_up")}
        yield _gauge("webhook_events", "Undelivered, up to 10,000", events, "consumer", "state")
        words = {(c.name, c.state): 1 for c in states}
        yield _gauge("webhook_state", "1 for the state of a consumer", words, "consumer", "state")


def _gauge(name: str, about: str, values: Mapping[Any, Any], *labels: str) -> Metric:
    metric = GaugeMetricFamily(f"mobilon_sms_{name}", about, labels=labels)
    for key, one in values.items():
        metric.add_metric(key, one.total_seconds() if isinstance(one, timedelta) else one or 0)
    return metric
