"""The form that writes one text to one or many into the outbox."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID, uuid4, uuid5

from django import forms
from django.contrib.admin.widgets import (
    AdminSplitDateTime,
    AdminTextareaWidget,
    AdminTextInputWidget,
)
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.utils.functional import cached_property
from django.utils.text import capfirst, format_lazy
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy
from django.views.decorators.debug import sensitive_variables

from ...choices import Priority
from ...conf import conf
from ...exceptions import InvalidRows
from ...models import GatewayState, SmsMessage
from ...outbox import clean, write_many
from . import recipients
from .recipients import Recipients

#: What every message of the form has in common.
COMMON = ("text", "source", "send_at", "expires_at", "priority", "tag")


FIELDSETS = (
    (_("To whom"), {"fields": ("numbers",)}),
    (_("What"), {"fields": ("text",)}),
    (_("When and how"), {"fields": ("send_at", "source", "once")}),
    (_("More"), {"fields": ("expires_at", "priority", "tag"), "classes": ("collapse",)}),
)


BAD_NUMBERS = ngettext_lazy(
    "%(count)d of these can not be used as a number. Correct it, or take it out.",
    "%(count)d of these can not be used as numbers. Correct them, or take them out.",
    "count",
)


TOO_MANY = _("These are more than %(most)d recipients. Send to a list in a file instead.")


CONFLICT = _("This form has written a message already. Open a new one for another.")


NOT_NOW = _("Leave the time empty to send now, or choose “Send”.")


class CommonForm(forms.Form):
    """How a message is to be sent. ``forms.Field`` neither strips nor judges: the outbox does."""

    text = forms.Field(widget=AdminTextareaWidget(attrs={"rows": 6}))
    source = forms.Field(
        required=False,
        widget=AdminTextInputWidget,
        help_text=_("As the vendor gave it. Empty: the sender of the settings."),
    )
    send_at = forms.SplitDateTimeField(
        required=False, widget=AdminSplitDateTime, help_text=_("Empty: at once.")
    )
    expires_at = forms.SplitDateTimeField(
        required=False,
        widget=AdminSplitDateTime,
        help_text=_("A message that has not gone out by then will not go out any more."),
    )
    priority = forms.TypedChoiceField(
        choices=Priority.choices, coerce=int, initial=Priority.NORMAL.value
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in self.fields.keys() & set(COMMON):
            label = SmsMessage._meta.get_field(name).verbose_name  # type: ignore[union-attr]
            self.fields[name].label = capfirst(label)
        self.fields["source"].initial = conf.SOURCE
        for name in ("send_at", "expires_at"):  # two boxes, and Django's label is that of neither
            for box, word in zip(self.fields[name].widget.widgets, (_("date"), _("time"))):
                box.attrs["aria-label"] = format_lazy("{}, {}", self.fields[name].label, word)

    class Media:
        css = {"all": ("mobilon_sms/writing.css",)}
        js = ("mobilon_sms/segments.js", "mobilon_sms/writing.js")

    def row(self, names: Iterable[str]) -> dict[str, Any]:
        """What was typed, as the outbox takes it: an empty field names nothing."""
        typed = {name: self.cleaned_data.get(name) for name in names}
        return {name: None if value == "" else value for name, value in typed.items()}

    def tell(self, error: ValidationError) -> None:
        """Add these errors to their fields, where none is told yet."""
        for name in error.error_dict.keys() - self.errors.keys():
            self.add_error(name, error.error_dict[name])


class MessageForm(CommonForm):
    """One text to one or many. ``write()`` hands it to the outbox, all or nothing."""

    numbers = forms.Field(
        label=_("Recipients"),
        widget=AdminTextareaWidget(attrs={"rows": 3, "autocomplete": "off", "spellcheck": "false"}),
        help_text=_(
            "One or many, as people write them: 8 (913) 529-29-26. One per line, or with commas or"
            " semicolons between them, or a column of a spreadsheet."
        ),
    )
    tag = forms.Field(
        required=False,
        widget=AdminTextInputWidget,
        help_text=_("A word of your own to find the message by."),
    )
    #: The guids are made of it, so that a form that is sent twice writes each message once.
    once = forms.UUIDField(required=False, initial=uuid4, widget=forms.HiddenInput)

    field_order = ("numbers", "text", "source", "send_at", "expires_at", "priority", "tag")

    @cached_property
    def recipients(self) -> Recipients:
        """What was typed as recipients, whether it is right or not."""
        return recipients.read(self.data.get("numbers", ""))

    def clean_numbers(self) -> Any:
        """At least one number, and nothing else."""
        found, bad = self.recipients, self.recipients.bad
        if len(found.numbers) > recipients.MOST:
            raise ValidationError(TOO_MANY, code="too_many", params={"most": recipients.MOST})
        if len(bad) == 1 and not found.numbers:
            raise ValidationError(bad[0].reason, code="bad")
        if bad:
            raise ValidationError(BAD_NUMBERS, code="bad", params={"count": len(bad)})
        if not found.numbers:
            raise ValidationError(self.fields["numbers"].error_messages["required"], "required")
        return found.numbers

    @sensitive_variables()
    def clean(self) -> None:
        """The outbox's own rules, all at once; what is wrong with no field yet."""
        try:
            clean(self.row(COMMON), lambda: GatewayState.objects.current().now, names=COMMON)
        except ValidationError as error:
            self.tell(error)
        if "_send_now" in self.data and self.cleaned_data.get("send_at"):
            self.add_error("send_at", ValidationError(NOT_NOW, code="later"))

    @sensitive_variables()
    def write(self, writer: AbstractBaseUser) -> list[SmsMessage] | None:
        """The messages, in the order of the recipients; ``None`` if something is wrong by now.

        What is right a moment ago may have expired by the next: then the form has the error.
        """
        once: UUID = self.cleaned_data["once"] or uuid4()
        common = self.row(COMMON) | {"created_by": writer}
        numbers = self.cleaned_data["numbers"]
        rows = [common | {"number": each, "guid": uuid5(once, each)} for each in numbers]
        try:
            return write_many(rows)
        except InvalidRows as error:
            for fault in {fault.field: fault for fault in error.errors}.values():
                if fault.field == "guid":
                    self.add_error(None, ValidationError(CONFLICT, code="conflict"))
                else:
                    field = "numbers" if fault.field == "number" else fault.field
                    self.add_error(field, ValidationError(fault.message, code=fault.code))
            return None
