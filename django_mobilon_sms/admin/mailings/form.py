"""The form that uploads a list: a name, a text with placeholders for columns, and a file."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminTextInputWidget
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.core.validators import ProhibitNullCharactersValidator
from django.db import router, transaction
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from ...mailings import COMMON, placeholders, preview, spreadsheets
from ...models import SmsMailing
from ...outbox import clean
from ..compose.forms import CommonForm

FIELDSETS = (
    (_("To whom"), {"fields": ("name", "file", "corrects")}),
    (_("What"), {"fields": ("text",)}),
    (_("When and how"), {"fields": ("send_at", "source")}),
    (_("More"), {"fields": ("expires_at", "priority"), "classes": ("collapse",)}),
)


class MailingForm(CommonForm):
    """A list to send to. ``save()`` stores it for confirmation and writes no message."""

    outbox_fields = COMMON

    name = forms.CharField(
        label=_("Name"),
        max_length=48,  # with the number of the mailing, it must fit into a tag
        widget=AdminTextInputWidget,
        help_text=_("Its messages get this name and the number of the mailing as their tag."),
    )
    file = forms.FileField(
        label=_("File"),
        required=False,
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,.tsv,.xlsx"}),
        help_text=_(
            "CSV or XLSX of at most 10 MB, with a column of phone numbers. The first row names the"
            " columns."
        ),
    )
    #: The mailing that this one replaces.
    corrects = forms.IntegerField(required=False, widget=forms.HiddenInput)

    field_order = ("name", "file", "text", "source", "send_at", "expires_at", "priority")

    def __init__(self, *args: Any, corrected: SmsMailing | None = None, **kwargs: Any) -> None:
        if corrected:
            values = {name: getattr(corrected, name) for name in ("name", "text", *COMMON)}
            kwargs["initial"] = values | {"corrects": corrected.pk}
        super().__init__(*args, **kwargs)
        self.corrected = corrected
        self.fields["text"].validators.append(ProhibitNullCharactersValidator())
        self.fields["text"].help_text = _(
            "{{NAME}}, {{DATA}} or the name of another column is replaced with the value of the"
            " row. {{NAME|customer}} becomes “customer” where the cell is empty."
        )
        if corrected:
            keep = _("Leave empty to keep the file “%(name)s”.")
            self.fields["file"].help_text = keep % {"name": corrected.file_name}

    def clean_name(self) -> str:
        """Return the name. It must be printable, as a tag must."""
        name: str = self.cleaned_data["name"]
        if not name.isprintable():
            raise ValidationError(_("Use only printable characters in the name."), code="invalid")
        return name

    def clean_file(self) -> tuple[str, bytes]:
        """Return the name and the contents of the uploaded file, or of the corrected mailing's."""
        upload = self.cleaned_data["file"]
        if upload is None and self.corrected:
            return self.corrected.file_name, bytes(self.corrected.file)
        if upload is None:
            raise ValidationError(self.fields["file"].error_messages["required"], "required")
        if upload.size > spreadsheets.MAX_FILE_BYTES:
            raise spreadsheets.refusal("too_big")
        return upload.name, upload.read()

    @sensitive_variables()
    def clean(self) -> None:
        """Apply the rules of the outbox, and check that the file has the columns of the text."""
        super().clean()
        if "send_at" not in self.errors:
            self._refuse_past()
        if "file" not in self.cleaned_data:
            return
        field = "file"
        try:
            columns = preview.find_columns(self.cleaned_data["file"][1])
            field = "text"
            placeholders.Template(self.cleaned_data.get("text") or "", columns)
        except ValidationError as error:
            self.add_error(field, error)

    def _refuse_past(self) -> None:
        """Refuse a time that has passed: an upload, unlike a message, is never a retry."""
        try:
            clean(self.values(), names=("send_at",), past="refuse")
        except ValidationError as error:
            self.add_error(None, error)

    def save(self, writer: AbstractBaseUser) -> SmsMailing:
        """Store the list for confirmation, and delete the mailing that it corrects."""
        values = {name: value for name, value in self.values().items() if value is not None}
        file_name, data = self.cleaned_data["file"]
        with transaction.atomic(using=router.db_for_write(SmsMailing)):
            SmsMailing.objects.forgotten().delete()
            mailing = SmsMailing.objects.create(
                name=self.cleaned_data["name"],
                text=self.cleaned_data["text"],
                file=data,
                file_name=file_name,
                created_by_id=writer.pk,
                **values,
            )
            if self.corrected:
                SmsMailing.objects.waiting().filter(pk=self.corrected.pk).delete()
        return mailing


_DATE: dict[str, Any] = {"type": "date", "aria-label": capfirst(_("date"))}
_TIME: dict[str, Any] = {"type": "time", "aria-label": capfirst(_("time"))}


class ConfirmForm(forms.Form):
    """When to send a list whose time passed before it was confirmed, and what to leave out."""

    NOW, LATER = "now", "later"

    leave_out_recent = forms.BooleanField(required=False)
    when = forms.ChoiceField(
        label=_("When"),
        choices=[(NOW, _("Send immediately")), (LATER, _("Send at:"))],
        required=False,
        widget=forms.RadioSelect,
    )
    send_at = forms.SplitDateTimeField(
        required=False,
        widget=forms.SplitDateTimeWidget(  # the browser's own boxes, which need no script
            date_attrs=_DATE,
            date_format="%Y-%m-%d",
            time_attrs=_TIME,
            time_format="%H:%M",
        ),
    )

    def clean(self) -> None:
        """Require the time that was chosen to be given."""
        is_later = self.cleaned_data.get("when") == self.LATER
        if is_later and not self.cleaned_data.get("send_at") and "send_at" not in self.errors:
            self.add_error("send_at", ValidationError(_("Give a date and a time."), "required"))

    def apply(self, mailing: SmsMailing) -> None:
        """Give the mailing the time that was chosen; without a choice it keeps its own."""
        if when := self.cleaned_data["when"]:
            mailing.send_at = self.cleaned_data["send_at"] if when == self.LATER else None
