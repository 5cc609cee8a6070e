"""The start page of the admin: how many messages wait for a decision."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest

from ...models import SmsMessage
from .. import bounded_paginator
from ..actions import catalogue
from ..actions.mixin import MessageActions

#: Django's own page, with a line above it.
TEMPLATE = "admin/mobilon_sms/index.html"


def undecided() -> int:
    """How many messages may have gone out, and nobody has decided about."""
    return bounded_paginator.count_up_to_most(
        catalogue.undecided(SmsMessage.objects.all()).order_by("-pk")
    )


class OnIndex(MessageActions):
    """Shows it there, unless the project has a start page of its own."""

    def __init__(self, model: type[SmsMessage], admin_site: AdminSite) -> None:
        super().__init__(model, admin_site)
        admin_site.index_template = admin_site.index_template or TEMPLATE

    def get_model_perms(self, request: HttpRequest) -> dict[str, Any]:
        """All that the start page is told of a model; it alone counts, by calling ``undecided``."""
        told: dict[str, Any] = dict(super().get_model_perms(request))
        if not told["view"]:
            return told
        send = self.has_send_permission(request)
        return told | {"undecided": undecided, "most": bounded_paginator.MOST, "send": send}
