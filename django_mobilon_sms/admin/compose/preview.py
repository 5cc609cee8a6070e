"""The question before one text goes to many: how many messages, and how many parts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib.admin.options import IS_POPUP_VAR, TO_FIELD_VAR
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy
from django.views.decorators.debug import sensitive_variables

from ...choices import Priority
from ...conf import show_time
from ...segments import count_segments
from ..actions.confirmation import MAX_UNASKED
from .form_page import Button
from .forms import MessageForm

#: The field that names what was confirmed, so that nothing else is written.
CONFIRMED = "confirmed"

TITLE = ngettext_lazy("Send %(count)s message", "Send %(count)s messages", "count")
CONFIRM = ngettext_lazy(
    "Confirm: send %(messages)s message", "Confirm: send %(messages)s messages", "messages"
)
NOTHING_SENT = _("Nothing has been sent yet. Check the message, then confirm it or go back.")
FACTS = ("source", "send_at", "expires_at", "priority", "tag")


@sensitive_variables()
def question(form: MessageForm, data: QueryDict, pressed: str) -> dict[str, Any] | None:
    """Return the page that asks about a valid form, or ``None`` if it needs no answer."""
    numbers, text = form.cleaned_data["numbers"], form.cleaned_data["text"].replace("\r\n", "\n")
    count, parts = len(numbers), count_segments(text).count
    counted = f"{count}/{count * parts}"
    if count <= MAX_UNASKED or data.get(CONFIRMED) == counted:
        return None
    return {
        "title": TITLE % {"count": count},
        "lines": [NOTHING_SENT],
        "figures": [
            (_("Messages"), count),
            (_("Parts in each"), parts),
            (_("Total parts"), count * parts),
        ],
        "facts": list(_facts(form)),
        "text": text,
        "numbers": numbers,
        "fields": [*_typed(form, data), (CONFIRMED, counted)],
        "button": Button(pressed, CONFIRM % {"messages": count}),
        "back_button": Button("_check", _("Go back and correct")),
    }


def _facts(form: MessageForm) -> Iterator[tuple[Any, Any]]:
    """Yield the label and the value of each other field that says something."""
    for name in FACTS:
        value = form.cleaned_data[name]
        if name.endswith("_at"):
            value = show_time(value)
        if name == "priority":
            value = None if value == Priority.NORMAL else Priority(value).label
        if value:
            yield form.fields[name].label, value


def _typed(form: MessageForm, data: QueryDict) -> Iterator[tuple[str, str]]:
    """Yield the fields of the form as they were sent, and those of a popup."""
    boxes = {f"{name}{box}" for name in form.fields for box in ("", "_0", "_1")}
    for name, values in data.lists():
        if name in boxes or name in (IS_POPUP_VAR, TO_FIELD_VAR):
            yield from ((name, value) for value in values)
