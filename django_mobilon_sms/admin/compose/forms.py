"""The form that writes one text to one or more numbers."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4, uuid5

from django import forms
from django.contrib.admin.widgets import (
    AdminSplitDateTime,
    AdminTextareaWidget,
    AdminTextInputWidget,
)
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.utils.functional import cached_property
from django.utils.text import capfirst, format_lazy
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy
from django.views.decorators.debug import sensitive_variables

from ...choices import Priority
from ...conf import conf
from ...exceptions import InvalidRows
from ...models import GatewayState, SmsMessage
from ...outbox import clean, confined, refusals, write_many
from . import recipients
from .recipients import Fault, Recipients

FIELDSETS = (
    (_("To whom"), {"fields": ("numbers",)}),
    (_("What"), {"fields": ("text",)}),
    (_("When and how"), {"fields": ("send_at", "source", "submission_id", "copy_of")}),
    (_("More"), {"fields": ("expires_at", "priority", "tag"), "classes": ("collapse",)}),
)

#: With all fields in sight, for a form that is filled in already.
OPEN_FIELDSETS = tuple((title, {"fields": options["fields"]}) for title, options in FIELDSETS)

INVALID_NUMBERS = ngettext_lazy(
    "%(count)d entry is not a valid number. Correct or remove it.",
    "%(count)d entries are not valid numbers. Correct or remove them.",
    "count",
)
REFUSED = ngettext_lazy(
    "Nothing was sent: %(count)d recipient cannot be written to. Remove it, or change the message.",
    "Nothing was sent: %(count)d recipients cannot be written to. Remove them, or change the"
    " message.",
    "count",
)
TOO_MANY = _("There are more than %(limit)d recipients. Create a mailing instead.")
CONFLICT = _(
    "This form was already submitted with other values, and its messages were created. To send"
    " another message, open a new form."
)
SCHEDULED = _("To send now, leave this empty. To send later, choose “Send”.")


class CommonForm(forms.Form):
    """Fields of a message. They are plain ``forms.Field``, because the outbox validates them."""

    #: The fields that the outbox validates.
    outbox_fields: tuple[str, ...] = ()

    text = forms.Field(widget=AdminTextareaWidget(attrs={"rows": 6}))
    source = forms.Field(
        required=False,
        widget=AdminTextInputWidget,
        help_text=_(
            "The number that Mobilon assigned. Leave empty to use the sender from the settings."
        ),
    )
    send_at = forms.SplitDateTimeField(
        required=False, widget=AdminSplitDateTime, help_text=_("Leave empty to send immediately.")
    )
    expires_at = forms.SplitDateTimeField(
        required=False,
        widget=AdminSplitDateTime,
        help_text=_("A message that is not sent by this time will not be sent at all."),
    )
    priority = forms.TypedChoiceField(
        choices=Priority.choices, coerce=int, initial=Priority.NORMAL.value
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in self.fields.keys() & {"text", *self.outbox_fields}:
            label = SmsMessage._meta.get_field(name).verbose_name  # type: ignore[union-attr]
            self.fields[name].label = capfirst(label)
        self.fields["source"].initial = conf.SOURCE
        for name in ("send_at", "expires_at"):  # Django's label belongs to neither of the two boxes
            for box, word in zip(self.fields[name].widget.widgets, (_("date"), _("time"))):
                box.attrs["aria-label"] = format_lazy("{}, {}", self.fields[name].label, word)

    class Media:
        css = {"all": ("mobilon_sms/writing.css",)}
        js = ("mobilon_sms/segments.js", "mobilon_sms/writing.js")

    def values(self) -> dict[str, Any]:
        """Return the values of ``outbox_fields``, with ``None`` for an empty one."""
        typed = {name: self.cleaned_data.get(name) for name in self.outbox_fields}
        return {name: None if value == "" else value for name, value in typed.items()}

    @sensitive_variables()
    def clean(self) -> None:
        """Apply the rules of the outbox, also where another field is invalid."""
        names = self.outbox_fields
        try:
            clean(self.values(), lambda: GatewayState.objects.current().now, names=names)
        except ValidationError as error:
            for name in error.error_dict.keys() - self.errors.keys():
                self.add_error(name, error.error_dict[name])


class MessageForm(CommonForm):
    """One text to one or more numbers, of this writer. ``write()`` writes all, or none."""

    outbox_fields = ("text", "source", "send_at", "expires_at", "priority", "tag")

    numbers = forms.Field(
        label=_("Recipients"),
        widget=AdminTextareaWidget(attrs={"rows": 3, "autocomplete": "off", "spellcheck": "false"}),
        help_text=_(
            "One or more numbers in any usual format, such as 8 (913) 529-29-26. Separate them with"
            " line breaks, commas or semicolons, or paste a column of a spreadsheet."
        ),
    )
    tag = forms.Field(
        required=False,
        widget=AdminTextInputWidget,
        help_text=_("A label of your own, to find the message by."),
    )
    #: The guids derive from it, so that a form submitted twice writes each message once.
    submission_id = forms.UUIDField(required=False, initial=uuid4, widget=forms.HiddenInput)

    #: The message whose values the form was opened with.
    copy_of = forms.IntegerField(
        required=False, min_value=1, max_value=2**63 - 1, widget=forms.HiddenInput
    )

    field_order = ("numbers", "text", "source", "send_at", "expires_at", "priority", "tag")

    def __init__(self, *args: Any, writer: AbstractBaseUser, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._writer = writer
        self._refused_in_writing: dict[str, str] = {}

    @cached_property
    def recipients(self) -> Recipients:
        """The typed recipients, valid or not."""
        return recipients.read(str(self["numbers"].value() or ""))

    @cached_property
    def refused(self) -> tuple[Fault, ...]:
        """The recipients that the outbox refuses now, each with its row and the reason."""
        reasons = self._refusals() | self._refused_in_writing
        rows = self.recipients.rows
        return tuple(Fault(rows[one], one, reasons[one]) for one in rows if one in reasons)

    @property
    def faults(self) -> list[tuple[str, str]]:
        """The label and the error of each field that is filled in wrong, invalid numbers aside."""
        return [
            (str(field.label), error.messages[0])
            for name, field in self.fields.items()
            for error in self.errors.as_data().get(name, ())
            if error.code != "invalid_number" and not (field.required and error.code == "required")
        ]

    def clean_numbers(self) -> tuple[str, ...]:
        """Return the numbers. There must be at least one, and no invalid entry."""
        numbers, invalid = self.recipients.numbers, self.recipients.invalid
        limit = recipients.MAX_RECIPIENTS
        if len(numbers) > limit:
            raise ValidationError(TOO_MANY, code="too_many", params={"limit": limit})
        if len(invalid) == 1 and not numbers:
            raise ValidationError(invalid[0].reason, code="invalid_number")
        if invalid:
            params = {"count": len(invalid)}
            raise ValidationError(INVALID_NUMBERS, code="invalid_number", params=params)
        if not numbers:
            raise ValidationError(self.fields["numbers"].error_messages["required"], "required")
        return numbers

    def clean(self) -> None:
        """Apply the rules of the outbox. "Send now" takes no time."""
        super().clean()
        if "_send_now" in self.data and self.cleaned_data.get("send_at"):
            self.add_error("send_at", ValidationError(SCHEDULED, code="scheduled"))

    @sensitive_variables()
    def write(self) -> list[SmsMessage] | None:
        """Write the messages and return them in the order of the recipients.

        Return ``None``, with the errors in the form, if the outbox refuses one.
        """
        common = self.values() | {"created_by": self._writer}
        numbers = self.cleaned_data["numbers"]
        try:
            return write_many(
                [common | {"number": one, "guid": self._guid(one)} for one in numbers],
                confined_to=confined(self._writer),
                past="refuse",
            )
        except InvalidRows as error:
            self._add_row_errors(error)
            return None

    def _guid(self, number: str) -> UUID:
        return uuid5(self._submission_id, number)

    @cached_property
    def _submission_id(self) -> UUID:
        return getattr(self, "cleaned_data", {}).get("submission_id") or uuid4()

    @sensitive_variables()
    def _refusals(self) -> dict[str, str]:
        """Return the reason, by number, why the outbox would refuse a recipient. Writes nothing."""
        numbers = self.recipients.numbers[: recipients.MAX_RECIPIENTS]
        text = str(self["text"].value() or "").replace("\r\n", "\n")
        new = [SmsMessage(guid=self._guid(one), number=one, text=text) for one in numbers]
        found = refusals(new, confined(self._writer))
        reasons = {}
        for message in new:
            errors = found[message.guid].error_dict if message.guid in found else {}
            if not text.strip():  # it equals every text that has been forgotten
                errors = {name: error for name, error in errors.items() if name != "text"}
            if errors:
                reasons[message.number] = next(iter(errors.values()))[0].messages[0]
        return reasons

    def _add_row_errors(self, error: InvalidRows) -> None:
        """Add each error where it belongs: to its field, or else to its recipient.

        The rows share all fields but the number, and ``clean()`` has found no error in the text.
        So an error of the text is about the recipient too, as a duplicate is.
        """
        for fault in error.errors:
            if fault.field == "guid":
                self._add_once(None, ValidationError(CONFLICT, code="conflict"))
            elif fault.field in self.fields.keys() - {"text"}:
                self._add_once(fault.field, ValidationError(fault.message, code=fault.code))
            else:
                number = self.cleaned_data["numbers"][fault.index]
                self._refused_in_writing[number] = fault.message
        if self._refused_in_writing:
            self.__dict__.pop("refused", None)
            params = {"count": len(self.refused)}
            self._add_once("numbers", ValidationError(REFUSED, code="refused", params=params))

    def _add_once(self, field: str | None, error: ValidationError) -> None:
        if not self.has_error(field or NON_FIELD_ERRORS, error.code):
            self.add_error(field, error)
