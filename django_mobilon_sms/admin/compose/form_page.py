"""The admin's page with a form, for forms that the outbox validates and writes."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.contrib.admin import ModelAdmin
from django.contrib.admin.helpers import AdminErrorList, AdminForm
from django.contrib.admin.options import IS_POPUP_VAR, TO_FIELD_VAR
from django.http import HttpRequest, HttpResponse, QueryDict

from ...segments import plain_forms
from . import recipients, segment_counter

TEMPLATE = "admin/mobilon_sms/writing/form.html"

#: Buttons that show the page again, perhaps with edited values. They write nothing.
PREVIEW_BUTTONS = ("_check", "_remove", "_plain")


class Button(NamedTuple):
    """A submit button."""

    name: str
    label: Any


#: Buttons that write what is typed. Without one of them, nothing is written.
WRITING_BUTTONS = ("_save", "_send_now", "_addanother")


def is_popup(request: HttpRequest) -> bool:
    """Return whether another page opened this one to add a row for itself."""
    return IS_POPUP_VAR in request.GET or IS_POPUP_VAR in request.POST


def is_preview(data: QueryDict) -> bool:
    """Return whether the pressed button only shows the page again."""
    return any(button in data for button in PREVIEW_BUTTONS)


def writing_button(data: QueryDict) -> str:
    """Return the name of the pressed button that writes, or "" if there is none."""
    if is_preview(data):
        return ""
    return next((button for button in WRITING_BUTTONS if button in data), "")


def edited(data: QueryDict) -> QueryDict:
    """Return the typed values as the pressed button edits them."""
    data = data.copy()
    if "_remove" in data:
        data["numbers"] = recipients.remove(str(data.get("numbers", "")), str(data["_remove"]))
    if "_plain" in data:
        data["text"] = plain_forms(str(data.get("text", "")))
    return data


def render(
    model_admin: ModelAdmin[Any],
    request: HttpRequest,
    form: Any,
    fieldsets: Any,
    *,
    title: Any,
    buttons: list[Button],
    enter: Button | None = None,
    form_url: str,
    recipient_count: int | None = None,
    extra_context: dict[str, Any],
) -> HttpResponse:
    """Return the page. Without ``recipient_count``, no total of parts is shown.

    The Enter key presses ``enter``, or the first of the buttons if they write no message.
    """
    admin_form = AdminForm(form, list(fieldsets), {}, (), model_admin)
    text = str(form["text"].value() or "")
    context = {
        **model_admin.admin_site.each_context(request),
        "title": title,
        "adminform": admin_form,
        "errors": AdminErrorList(form, []),
        "inline_admin_formsets": [],
        "media": model_admin.media + admin_form.media,
        "is_popup": is_popup(request),
        "to_field": request.POST.get(TO_FIELD_VAR, request.GET.get(TO_FIELD_VAR)),
        "original": None,
        "buttons": buttons,
        "enter": enter or buttons[0],
        "counter": segment_counter.panel(text, recipient_count=recipient_count),
        **extra_context,
    }
    return model_admin.render_change_form(request, context, add=True, form_url=form_url)
