"""What a worker that waits asks each time: one query, answered by indexes alone."""

from __future__ import annotations

from .choices import Priority
from .models import GatewayState, SmsMessage
from .sweeping import leftovers


def anything_to_do() -> bool:
    """Whether a run would find anything to sweep, to send or to ask for."""
    messages = SmsMessage.objects.on_primary()
    # A priority at a time, as the index has them: it then reads no message of the future.
    due = messages.due().order_by("due_at")
    each = [due.filter(priority=priority) for priority in Priority]
    asked_for = messages.checkable().order_by("next_check_at")
    return GatewayState.objects.sees_any([*each, asked_for, *leftovers()])
