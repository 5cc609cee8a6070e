"""Metrics for Prometheus. They come from the database, so one process answers for all workers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from prometheus_client.core import GaugeHistogramMetricFamily, GaugeMetricFamily, Metric

from ..operations import MOST_ANSWERED, MOST_REQUESTS, PERIOD, WORDS, observe

OPEN = ("waiting", "scheduled", "sending", "asked_for", "unknown")
RECENT = f"in the last {PERIOD.seconds // 60} minutes, at most the newest"
TIMES = f"Seconds from due to accepted {RECENT} {MOST_ANSWERED} requests"


class SmsCollector:
    """Collector that reads ``observe()`` at each scrape of its ``prometheus_client`` registry."""

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
        about, results = f"Requests begun {RECENT} {MOST_REQUESTS:,}", seen.recent_requests
        requests = {(result.outcome, result.error_code): result.requests for result in results}
        yield _gauge("recent_requests", about, requests, "outcome", "error_code")
        buckets, total = list(seen.accepted_after.within.items()), seen.accepted_after.total
        yield GaugeHistogramMetricFamily(after, TIMES, buckets, total.total_seconds())


def _gauge(name: str, about: str, values: Mapping[Any, Any], *labels: str) -> Metric:
    metric = GaugeMetricFamily(f"mobilon_sms_{name}", about, labels=labels)
    for key, value in values.items():
        number = value.total_seconds() if isinstance(value, timedelta) else value or 0
        metric.add_metric(key, number)
    return metric
