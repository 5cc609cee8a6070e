"""No state that the rules of docs/explanation/protocol.rst can lead to is a violation."""

from __future__ import annotations

import pytest

from tests.endurance.state_model import MISTAKES, Protocol, Row, State, Step, search

pytestmark = pytest.mark.slow

ONE, TWO = State((Row(),)), State((Row(), Row()))
#: Steps of batches. For people and reports, which touch single messages, one message is enough.
OF_BATCHES = (
    "claims",
    "posts:",
    "hears that nothing was taken",
    "records",
    "closes the batch only",
    "applies the outcome",
    "is killed",
    "is over",
    "loses the batch",
)


def of_batches_and_one_resent(step: Step) -> bool:
    return step.does in OF_BATCHES or step == ("a person", "resends", "0")


def test_no_path_leads_a_message_to_a_second_copy_a_false_status_or_a_dead_end():
    found = search(Protocol(), ONE, most_resends=2)
    assert not found.wrong, str(found)
    assert found.states > 30_000  # far fewer would mean that a rule leads nowhere


def test_no_path_leads_two_messages_of_one_batch_to_a_violation():
    found = search(Protocol(), TWO, most_resends=0)
    assert not found.wrong, str(found)
    assert found.states > 5_000


def test_no_path_leads_a_batch_with_one_resent_message_to_a_violation():
    found = search(Protocol(), TWO, most_resends=1, allowed=of_batches_and_one_resent)
    assert not found.wrong, str(found)
    assert found.states > 15_000


@pytest.mark.parametrize("mistake", MISTAKES)
def test_broken_rule_leads_to_a_violation(mistake):
    found = search(Protocol(mistake), ONE, most_resends=2)
    print(found)
    assert found.wrong
    assert 1 <= len(found.path) <= 8  # short enough to read, because the search finds the nearest


def test_counterexample_lists_the_steps_that_lead_to_it():
    found = search(Protocol("lost goes back to pending"), ONE, most_resends=2)
    assert str(found).splitlines() == [
        "pending, and the gateway has it, after:",
        "A claims 0",
        "A posts: taken/accepted",
        "the lease is over of (0,)",
        "a sweep loses the batch of (0,)",
    ]


def test_counterexample_names_the_worker_that_really_took_each_step():
    found = search(Protocol("record without the token"), ONE, most_resends=2)
    assert found.path == (
        "A claims 0",
        "A hears that nothing was taken",
        "the lease is over of (0,)",
        "a sweep loses the batch of (0,)",
        "a person resends 0",
        "B claims 0",
        "A records",
        "B posts: taken/accepted",
    )
