"""Requests for several events at once, and for the events of one message one after another."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from uuid import UUID

from ..gateway import Call
from ..models import WebhookDelivery
from ..worker import RequestThreads
from .answers import Answer, answer_of_error

#: Answers by the id of the event, in the order in which they came.
Answers = dict[int, Answer]


def request_in_order(
    deliveries: Sequence[WebhookDelivery],
    prepare: Callable[[WebhookDelivery], tuple[Call, Callable[[], Answer]]],
    *,
    may_start: Callable[[Sequence[Answer], int], bool],
    after_each: Callable[[], object],
) -> Answers:
    """Make the requests and return their answers.

    An event that the consumer did not accept holds back the later events of its message: no request
    is made for these. ``may_start`` is called before each request, with the answers and the number
    of requests under way; if it returns false, the remaining events get no request either.
    ``after_each`` is called after each answer.
    """
    of_message: dict[UUID, deque[WebhookDelivery]] = {}
    for delivery in deliveries:
        of_message.setdefault(delivery.guid, deque()).append(delivery)
    ready = deque(queue.popleft() for queue in of_message.values())
    guids = {delivery.event: delivery.guid for delivery in deliveries}
    requests: RequestThreads[int, Answer] = RequestThreads()
    answers: Answers = {}
    while True:
        while ready and may_start([*answers.values()], len(requests)):
            delivery = ready.popleft()
            requests.start(delivery.event, *prepare(delivery))
        if not len(requests):
            return answers
        for event, result in requests.wait():
            answer = answer_of_error(result) if isinstance(result, BaseException) else result
            if answer is None:
                continue
            answers[event] = answer
            if not answer.error and (queue := of_message[guids[event]]):
                ready.append(queue.popleft())
        after_each()
