"""The form that writes a message into the outbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from django import forms
from django.contrib.admin.widgets import (
    AdminSplitDateTime,
    AdminTextareaWidget,
    AdminTextInputWidget,
)
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from ..conf import conf
from ..exceptions import GuidConflict
from ..models import GatewayState, SmsMessage
from ..outbox import send_sms
from ..validation import clean

if TYPE_CHECKING:
    MessageModelForm = forms.ModelForm[SmsMessage]
else:
    MessageModelForm = forms.ModelForm

FIELDS = ("number", "text", "source", "send_at", "expires_at", "priority", "tag")
FIELDSETS = (
    (None, {"fields": ("number", "text", "source", "send_at", "once")}),
    (_("More"), {"fields": ("expires_at", "priority", "tag"), "classes": ("collapse",)}),
)


class MessageForm(MessageModelForm):
    """Hands what was typed to the outbox as it is. ``forms.Field`` neither strips nor judges."""

    #: Who fills the form in.
    writer: AbstractBaseUser

    number = forms.Field(
        widget=AdminTextInputWidget(attrs={"inputmode": "tel", "autocomplete": "off"}),
        help_text=_("As people write it: 8 (913) 529-29-26"),
    )
    text = forms.Field(widget=AdminTextareaWidget)
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
    tag = forms.Field(
        required=False,
        widget=AdminTextInputWidget,
        help_text=_("A word of your own to find the message by."),
    )
    #: Becomes the guid, so that a form that is sent twice writes one message.
    once = forms.UUIDField(required=False, initial=uuid4, widget=forms.HiddenInput)

    class Meta:
        model = SmsMessage
        fields = FIELDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in FIELDS:
            label = SmsMessage._meta.get_field(name).verbose_name  # type: ignore[union-attr]
            self.fields[name].label = capfirst(label)
        self.fields["source"].initial = conf.SOURCE

    @sensitive_variables("row", "typed")
    def _post_clean(self) -> None:
        """Where Django lets the model judge. Here the outbox does, and writes if all is well.

        It is one step, because what is right a moment ago may have expired by the next.
        """
        typed = {name: self.cleaned_data.get(name) for name in FIELDS}
        row: dict[str, Any] = {
            name: None if value == "" else value for name, value in typed.items()
        }
        try:
            if self.errors:  # tell the other faults, too
                clean(row, lambda: GatewayState.objects.current().now)
            else:
                guid = self.cleaned_data["once"]
                self.instance = send_sms(**row, guid=guid, created_by=self.writer)
        except ValidationError as error:
            for name in error.error_dict.keys() - self.errors.keys():
                self.add_error(name, error.error_dict[name])
        except GuidConflict:
            text = _("This form has written a message already. Open a new one for another.")
            self.add_error(None, ValidationError(text, code="conflict"))
