"""The daily budget of segments of each client, ``REST_DAILY_SEGMENTS``.

It is charged in the transaction that writes the messages, so two requests at once never write more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from ...conf import conf
from ...models import DailyBudget, SmsMessage, day_of

USED_UP = _("Only %(most)d segments are written for you on one day. Try again tomorrow.")
TOO_MANY = _("Only %(most)d segments are written for you on one day, and here are more.")


def make_budget(user_pk: object) -> None:
    """Make the row that ``charge_to()`` locks, if there is a budget; before the transaction."""
    if conf.REST_DAILY_SEGMENTS is not None:
        DailyBudget.objects.for_write().make(user_pk)


def charge_to(user_pk: object) -> Callable[[Sequence[SmsMessage]], Mapping[UUID, ValidationError]]:
    """Return the ``last_check`` of ``write_many()`` that charges this user for new messages."""

    def charge(new: Sequence[SmsMessage]) -> Mapping[UUID, ValidationError]:
        most = conf.REST_DAILY_SEGMENTS
        if most is None:
            return {}
        budget = DailyBudget.objects.for_write().lock(user_pk)
        today = day_of(budget.now)
        used = budget.segments if budget.day == today else 0
        errors = _beyond(new, used, most)
        if not errors:
            used += sum(message.segments for message in new)
            DailyBudget.objects.for_write().filter(pk=user_pk).update(day=today, segments=used)
        return errors

    return charge


def _beyond(new: Sequence[SmsMessage], used: int, most: int) -> dict[UUID, ValidationError]:
    """Return an error, by guid, for each message that does not fit into the rest of the budget."""
    errors, params = {}, {"most": most}
    total = 0
    for message in new:
        total += message.segments
        if used + message.segments <= most:
            used += message.segments
            continue
        if total > most:  # even a whole budget does not hold them
            error = ValidationError(TOO_MANY, code="over_daily_budget", params=params)
        else:
            error = ValidationError(USED_UP, code="daily_budget", params=params)
        errors[message.guid] = ValidationError({"non_field_errors": error})
    return errors
