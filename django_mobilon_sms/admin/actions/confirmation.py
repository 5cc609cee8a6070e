"""A page that asks before an act that costs money, or that cannot be undone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib.admin import ModelAdmin
from django.http import HttpRequest
from django.template.response import TemplateResponse

#: Messages that one click may send or cancel without a question.
MAX_UNASKED = 20

TEMPLATE = "admin/mobilon_sms/confirmation.html"

_PKS = re.compile(r"\A[0-9]{1,18}(,[0-9]{1,18})*\Z")


class PksField(forms.RegexField):
    """Primary keys in one field, because Django accepts only a thousand fields."""

    def __init__(self) -> None:
        super().__init__(_PKS)

    def clean(self, value: Any) -> Any:
        """Return the primary keys."""
        return [int(pk) for pk in super().clean(value).split(",")]


def ask(
    model_admin: ModelAdmin[Any],
    request: HttpRequest,
    *,
    title: Any,
    button: tuple[str, Any] | None = None,
    fields: Sequence[tuple[str, Any]] = (),
    figures: Sequence[tuple[Any, int]] = (),
    lines: Sequence[Any] = (),
    back: str = "",
    back_button: tuple[str, Any] | None = None,
    **context: Any,
) -> TemplateResponse:
    """Return the page. Its button, a name and a label, posts ``fields`` to the same address.

    Without it there is only the way back: the address ``back``, or a button that posts the fields
    too.
    """
    context = {
        **model_admin.admin_site.each_context(request),
        "title": title,
        "opts": model_admin.opts,
        "media": model_admin.media,
        "button": button,
        "fields": fields,
        "figures": figures,
        "lines": lines,
        "back": back,
        "back_button": back_button,
        **context,
    }
    request.current_app = model_admin.admin_site.name
    return TemplateResponse(request, TEMPLATE, context)
