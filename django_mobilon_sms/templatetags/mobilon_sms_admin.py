"""Template tags of the admin's pages."""

from __future__ import annotations

from typing import Any

from django import template

from ..admin import bounded_paginator
from ..admin.actions import catalogue
from ..models import SmsMessage

register = template.Library()


@register.inclusion_tag("admin/mobilon_sms/undecided.html", takes_context=True)
def undecided_messages(context: template.Context, address: str) -> dict[str, Any]:
    """Show how many messages wait for a decision, with a link to them in the list."""
    undecided = catalogue.DECIDE.eligible(SmsMessage.objects.all()).order_by("-pk")
    return {
        "undecided": bounded_paginator.count_up_to(undecided, bounded_paginator.MAX_COUNTED),
        "most": bounded_paginator.MAX_COUNTED,
        "address": address,
        "may_decide": context["request"].user.has_perm("mobilon_sms.send_smsmessage"),
    }
