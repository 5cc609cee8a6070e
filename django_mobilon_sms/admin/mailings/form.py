"""The form that takes a list: a name, a text with the names of columns in it, a file."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminTextInputWidget
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from ...mailings import COMMON, placeholders, preview, spreadsheets
from ...models import GatewayState, SmsMailing
from ...outbox import clean
from ..compose.forms import CommonForm

FIELDSETS = (
    (_("To whom"), {"fields": ("name", "file", "earlier")}),
    (_("What"), {"fields": ("text",)}),
    (_("When and how"), {"fields": ("send_at", "source")}),
    (_("More"), {"fields": ("expires_at", "priority"), "classes": ("collapse",)}),
)


#: Letters of a name; the rest of a tag is the mailing's number.
MOST_NAME = 48


KEPT = _("Empty: the file “%(name)s” is kept.")


class MailingForm(CommonForm):
    """A list to send to. ``save()`` lets it wait to be confirmed; no message is written yet."""

    name = forms.CharField(
        label=_("Name"),
        max_length=MOST_NAME,
        widget=AdminTextInputWidget,
        help_text=_("Its messages carry it as their tag, with the number of the mailing."),
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
    #: The mailing that is corrected, whose file is kept if there is no other.
    earlier = forms.IntegerField(required=False, widget=forms.HiddenInput)

    field_order = ("name", "file", "text", "source", "send_at", "expires_at", "priority")

    def __init__(self, *args: Any, earlier: SmsMailing | None = None, **kwargs: Any) -> None:
        if earlier:
            given = {name: getattr(earlier, name) for name in ("name", "text", *COMMON)}
            kwargs["initial"] = given | {"earlier": earlier.pk}
        super().__init__(*args, **kwargs)
        self.kept = earlier
        self.fields["text"].help_text = _(
            "{{NAME}}, {{DATA}} and any other column by its name stand for what the row has there;"
            " {{NAME|customer}} also says what stands for an empty cell."
        )
        if earlier:
            self.fields["file"].help_text = KEPT % {"name": earlier.file_name}

    def clean_name(self) -> Any:
        """A name that the tag can hold."""
        name: str = self.cleaned_data["name"]
        if not name.isprintable():
            message = _("Write a name of printable characters.")
            raise ValidationError(message, code="invalid")
        return name

    def clean_file(self) -> Any:
        """The bytes of a list and its name: of the file that was chosen, or of the one kept."""
        chosen = self.cleaned_data["file"]
        if chosen is None and self.kept:
            return self.kept.file_name, bytes(self.kept.file)
        if chosen is None:
            raise ValidationError(self.fields["file"].error_messages["required"], "required")
        if chosen.size > spreadsheets.MAX_FILE_BYTES:
            raise spreadsheets.refusal("too_big")
        return chosen.name, chosen.read()

    @sensitive_variables()
    def clean(self) -> None:
        """The outbox's own rules, and whether the text names only columns that there are."""
        try:
            clean(self.row(COMMON), lambda: GatewayState.objects.current().now, names=COMMON)
        except ValidationError as error:
            self.tell(error)
        if "file" in self.cleaned_data:
            self._read(self.cleaned_data["file"][1])

    def _read(self, data: bytes) -> None:
        try:
            columns = preview.find_columns(data)
        except ValidationError as error:
            self.add_error("file", error)
            return
        try:
            placeholders.check(self.cleaned_data.get("text") or "", columns)
        except ValidationError as error:
            self.add_error("text", error)

    def save(self, writer: AbstractBaseUser) -> SmsMailing:
        """The list, which waits to be confirmed; the one that it corrects is forgotten."""
        common = {name: value for name, value in self.row(COMMON).items() if value is not None}
        file_name, data = self.cleaned_data["file"]
        SmsMailing.objects.forgotten().delete()
        mailing = SmsMailing.objects.create(
            name=self.cleaned_data["name"],
            text=self.cleaned_data["text"],
            file=data,
            file_name=file_name,
            created_by_id=writer.pk,
            **common,
        )
        if self.kept:
            SmsMailing.objects.waiting().filter(pk=self.kept.pk).delete()
        return mailing
