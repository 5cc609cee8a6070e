"""Template tags of the admin's pages."""

from __future__ import annotations

from typing import Any

from django import template

from ..models import SmsMessage

register = template.Library()


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
        "may_decide": context["request"].user.has_perm("mobilon_sms.send_smsmessage"),
    }
