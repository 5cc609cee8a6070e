"""The benchmarks: their gateway keeps arrivals, and each kept figure can be measured again."""

from __future__ import annotations

import json
import time

import pytest
import requests

from benchmarks.gateway import URGENT
from benchmarks.measure import gateway
from benchmarks.parts import BY_NAME_ONLY, PARTS, POSTGRESQL_ONLY
from benchmarks.rows import NAMES
from benchmarks.urgent import percentiles
from tests.support.workers import ROOT

RESULTS = ROOT / "benchmarks" / "results"


def test_gateway_keeps_when_requests_and_urgent_messages_arrived_until_it_is_asked():
    rows = [{"guid": "1", "text": "Sale"}, {"guid": "2", "text": f"{URGENT} 1"}]
    with gateway() as url:
        began = time.monotonic()
        for _ in range(2):
            requests.post(f"{url}/0/send/", json=rows, timeout=20).raise_for_status()
        ended = time.monotonic()
        first, second = (requests.post(f"{url}/0/heard/", timeout=20).json() for _ in range(2))
    assert first["urgent"] == {"2": first["requests"][-1]}
    assert began <= first["requests"][0] <= first["requests"][1] <= ended
    assert second == {"requests": [], "urgent": {}}


def test_percentiles_are_times_that_so_many_of_a_hundred_do_not_exceed():
    assert percentiles([float(n) for n in range(101)]) == pytest.approx((50, 95, 99))


def test_kept_figures_are_those_of_parts_that_can_be_measured_again():
    kept = {
        (database, part)
        for database in NAMES
        if (path := RESULTS / f"{database}.json").exists()
        for part in json.loads(path.read_text(encoding="utf-8"))["parts"]
    }
    assert {part for _, part in kept} <= {*PARTS}
    assert {part for database, part in kept if database != "postgresql"} & POSTGRESQL_ONLY == set()
    assert {*BY_NAME_ONLY, *POSTGRESQL_ONLY} <= {*PARTS}


def test_files_fit_a_reader():
    files = sorted((ROOT / "benchmarks").glob("*.py"))
    long = [f.name for f in files if len(f.read_text(encoding="utf-8").splitlines()) > 300]
    assert long == []
