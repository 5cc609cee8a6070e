"""The checks after a storm: each kind of violation is found."""

from __future__ import annotations

import pytest

from django_mobilon_sms.choices import Status
from tests.endurance.chaos.cells import ALONE, EVERY_TIME, around, long, short
from tests.endurance.chaos.invariants import ALLOWED, Change, Findings, Row, find
from tests.endurance.chaos.reader import Readings, Seen, compare
from tests.endurance.chaos.storm import SIGNALS, Storm


def post(*guids, **fields):
    return {"taken": [[guid, f"id-{guid}"] for guid in guids], **fields}


def judged(rows=(), ledger=(), changes=(), *, created=None, unapplied=0, **holes):
    created = len(rows) if created is None else created
    return find(list(rows), ledger, changes, created=created, unapplied=unapplied, **holes)


def test_outbox_that_agrees_with_the_ledger_has_no_violation():
    rows = [
        Row("a", "sent"),
        Row("b", "pending"),
        Row("c", "unknown", error_code="lost"),
        Row("d", "unknown", error_code="lost"),
        Row("e", "accepted", resends=1),
        Row("f", "pending", resends=1),
        Row("g", "cancelled"),
    ]
    findings = judged(rows, [post("a", "c", "e"), post("e"), post("f"), post()])
    assert findings.violations == {}
    assert (findings.messages, findings.posts) == (7, 4)
    assert (findings.unknown, findings.gone_out) == (2, 1)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("extra_copies", {"rows": [Row("a", "sent")], "ledger": [post("a"), post("a")]}),
        ("extra_copies", {"rows": [Row("a", "sent", resends=1)], "ledger": [post(*"aaa")]}),
        ("false_sent", {"rows": [Row("a", "accepted")]}),
        ("false_sent", {"rows": [Row("a", "sent")], "ledger": [post("b")]}),
        ("false_sent", {"rows": [Row("a", "delivered")]}),
        ("false_unsent", {"rows": [Row("a", "pending")], "ledger": [post("a")]}),
        ("false_unsent", {"rows": [Row("a", "cancelled", resends=1)], "ledger": [post("a")]}),
        ("false_unsent", {"rows": [Row("a", "expired")], "ledger": [post("a")]}),
        ("false_unsent", {"rows": [Row("a", "failed")], "ledger": [post("a")]}),
        ("lost", {"rows": [Row("a", "pending")], "created": 2}),
        ("stuck", {"rows": [Row("a", "sending")]}),
        ("stuck", {"unapplied": 1}),
        ("nameless", {"rows": [Row("a", "unknown")]}),
        ("uncommitted", {"ledger": [post(uncommitted=["a"])]}),
        ("overtaken", {"ledger": [post(overtaken=1)]}),
        ("needless", {"changes": [Change("sending", "unknown", "", 0, "lost")], "can_prove": True}),
        ("wrong_changes", {"changes": [Change("cancelled", "pending")]}),
        ("wrong_changes", {"changes": [Change("sent", "accepted")]}),
        ("wrong_changes", {"changes": [Change("pending", "accepted")]}),
        ("wrong_changes", {"changes": [Change("pending", "cancelled", "", 1)]}),
        ("wrong_changes", {"changes": [Change("unknown", "pending", "sent")]}),
    ],
)
def test_violation_is_found(name, given):
    assert judged(**given).violations == {name: 1}


def test_request_that_a_busy_machine_was_too_slow_for_is_not_needless():
    slow = Change("sending", "unknown", error_code="timeout")
    assert judged(changes=[slow], can_prove=True).violations == {}


def test_copy_that_a_hole_lets_through_is_counted_apart():
    findings = judged(ledger=[post(overtaken=2)], may_overtake=True)
    assert (findings.violations, findings.by_design) == ({}, 2)


def test_late_acceptance_may_move_a_message_that_was_resolved():
    late = Change("unknown", "accepted", "given_up")
    findings = judged(changes=[late, Change("pending", "accepted", "", 1)])
    assert (findings.violations, findings.late) == ({}, 1)


def test_every_status_has_allowed_changes_or_is_final():
    ends = {"delivered", "failed", "expired", "cancelled"}
    assert set(ALLOWED) == set(Status.values) - ends


ONE, TWO = Seen(0, 1, 7, "", "pending"), Seen(0, 2, 7, "pending", "sending")


@pytest.mark.parametrize(
    ("read", "found"),
    [
        ([ONE, TWO], Readings(2)),
        ([ONE], Readings(2, unread=1)),
        ([TWO], Readings(2, missed=1)),
        ([ONE, ONE, TWO], Readings(2, twice=1)),
        ([TWO, ONE], Readings(2, unordered=1)),
    ],
)
def test_events_are_compared_with_what_was_read(read, found):
    assert compare([ONE, TWO], read, [("pending", "sending")], 1) == found


def test_events_beyond_the_place_of_the_reader_are_unread_by_the_order_of_the_feed():
    early, late = TWO._replace(order=1), ONE._replace(order=2)
    changes = [("pending", "sending")]
    assert compare([early, late], [late], changes, 1) == Readings(2, missed=1)
    assert compare([early, late], [early], changes, 1) == Readings(2, unread=1)
    assert compare([early, late], [], changes, 1) == Readings(2, unread=2)


@pytest.mark.parametrize(("changes", "created"), [([], 1), ([("pending", "sending")] * 2, 1)])
def test_change_without_an_event_is_found_and_an_event_without_a_change(changes, created):
    assert compare([ONE, TWO], [ONE, TWO], changes, created).unwritten == 1


def test_findings_add_up():
    both = Findings(messages=1, lost=2) + Findings(messages=3, kills=1)
    assert both == Findings(messages=4, kills=1, lost=2)


def test_every_storm_around_the_workers_comes_with_every_change():
    kinds = {cell.kind for cell in around("postgres://")}
    assert kinds == {kind for kinds in EVERY_TIME.values() for kind in kinds}
    for database, chosen in EVERY_TIME.items():
        assert {*chosen} <= {cell.kind for cell in short(database)}


@pytest.mark.parametrize("cells", [short, long])
@pytest.mark.parametrize("database", ["sqlite", "wal", "postgres://", "mysql://"])
def test_every_strike_of_a_set_can_be_carried_out(cells, database):
    chosen = list(cells(database))
    kinds = {strike.partition(" ")[0] for cell in chosen for strike in cell.strikes}
    assert [kind for kind in kinds if kind not in SIGNALS and not hasattr(Storm, kind)] == []
    assert len({(cell.name, cell.faults != ()) for cell in chosen}) == len(chosen)


def test_long_set_strikes_with_every_fault_alone_and_kills_a_thousand_workers():
    databases = ("sqlite", "wal", "postgres://", "mysql://")
    cells = [cell for database in databases for cell in long(database)]
    strikes = [strike for cell in cells for strike in cell.strikes]
    assert sum(cell.messages for cell in cells) >= 100_000
    assert sum(strike.startswith("KILL") for strike in strikes) >= 1000
    assert len(ALONE) == sum(cell.kind.endswith("%") for cell in cells) // 4
