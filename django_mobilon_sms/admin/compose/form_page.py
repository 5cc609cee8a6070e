"""Django's page with a form, for forms that are not a model's: the outbox judges and writes."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.contrib.admin import ModelAdmin
from django.contrib.admin.helpers import AdminErrorList, AdminForm
from django.contrib.admin.options import IS_POPUP_VAR, TO_FIELD_VAR
from django.http import HttpRequest

TEMPLATE = "admin/mobilon_sms/writing/form.html"


class Button(NamedTuple):
    """A submit button. The first of a page is what the Enter key presses."""

    name: str
    label: Any


def is_popup(request: HttpRequest) -> bool:
    """Whether another page has opened this one to add a row for itself."""
    return IS_POPUP_VAR in request.GET or IS_POPUP_VAR in request.POST


def context(
    model_admin: ModelAdmin[Any],
    request: HttpRequest,
    form: Any,
    fieldsets: Any,
    *,
    title: Any,
    buttons: list[Button],
) -> dict[str, Any]:
    """What ``render_change_form()`` shows of the form."""
    fields = AdminForm(form, list(fieldsets), {}, (), model_admin)
    return {
        **model_admin.admin_site.each_context(request),
        "title": title,
        "adminform": fields,
        "errors": AdminErrorList(form, []),
        "inline_admin_formsets": [],
        "media": model_admin.media + fields.media,
        "is_popup": is_popup(request),
        "to_field": request.POST.get(TO_FIELD_VAR, request.GET.get(TO_FIELD_VAR)),
        "original": None,
        "buttons": buttons,
    }
