"""Template tags of the admin's pages."""

from __future__ import annotations

from typing import Any

from django import template

from ..conf import show_time
from ..models import SmsMessage
from ..phone_numbers import readable_number

register = template.Library()
register.filter("readable_number", readable_number)
register.filter("show_time", show_time)


@register.inclusion_tag("admin/mobilon_sms/status_line.html", takes_context=True)
def status_line(context: template.Context, *, switches: bool = True) -> dict[str, Any]:
    """Show whether messages go out, with the switches for a person who may send.

    A page where somebody types shows no switches, because they would lead away from it.
    """
    from ..admin import status_line as line  # noqa: PLC0415 (the reason is below)

    return line.status_line(context["request"], with_switches=switches)


@register.inclusion_tag("admin/mobilon_sms/undecided.html", takes_context=True)
def undecided_messages(context: template.Context, address: str) -> dict[str, Any]:
    """Show how many messages wait for a decision, with a link to them in the list."""
    # Django imports this module for every template, also in a project without the admin.
    from ..admin import bounded_paginator  # noqa: PLC0415
    from ..admin.actions import catalogue  # noqa: PLC0415

    undecided = catalogue.DECIDE.eligible(SmsMessage.objects.all()).order_by("-pk")
    return {
        "undecided": bounded_paginator.count_up_to(undecided, bounded_paginator.MAX_COUNTED),
        "most": bounded_paginator.MAX_COUNTED,
        "address": address,
        "may_decide": bool(catalogue.decisions_of(context["request"].user)),
    }
