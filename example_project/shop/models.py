"""Orders, and the one way in which their status changes."""

from __future__ import annotations

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.validators import MinValueValidator, ProhibitNullCharactersValidator
from django.db import models, transaction
from django.utils.translation import gettext_lazy as _

from django_mobilon_sms.models import SmsMessage
from django_mobilon_sms.outbox import send_sms
from django_mobilon_sms.phone_numbers import normalize_number

from .texts import TEXTS


class Order(models.Model):
    """An order of the shop."""

    class Status(models.TextChoices):
        """How far an order is, in this sequence."""

        NEW = "new", _("new")
        PAID = "paid", _("paid")
        SHIPPED = "shipped", _("shipped")
        READY = "ready", _("ready for pickup")
        CLOSED = "closed", _("closed")

    number = models.CharField(
        _("number"), max_length=20, unique=True, validators=[ProhibitNullCharactersValidator()]
    )
    customer = models.CharField(
        _("customer"), max_length=100, validators=[ProhibitNullCharactersValidator()]
    )
    phone = models.CharField(
        _("phone"),
        max_length=40,
        validators=[normalize_number],
        help_text=_("A Russian mobile number, typed in any usual way."),
    )
    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.NEW
    )
    total = models.DecimalField(
        _("total"), max_digits=10, decimal_places=2, validators=[MinValueValidator(0)]
    )

    class Meta:
        verbose_name = _("order")
        verbose_name_plural = _("orders")

    def __str__(self) -> str:
        return self.number

    def change_status(
        self, new: Order.Status, *, by: AbstractBaseUser | None = None
    ) -> SmsMessage | None:
        """Move the order on and write the SMS about it: both or neither, nothing is sent yet.

        An order only moves forward: ``None`` if it is there already, or was faster. Raises
        ``ValidationError`` if the SMS cannot be written, and the order stays where it was.
        """
        statuses = list(Order.Status)
        earlier = statuses[: statuses.index(new)]
        with transaction.atomic():
            order = Order.objects.filter(pk=self.pk, status__in=earlier)
            if not order.update(status=new):
                return None
            text = TEXTS[new].format(order=self)
            message = send_sms(self.phone, text, tag=self.number, created_by=by)
        self.status = new
        return message
