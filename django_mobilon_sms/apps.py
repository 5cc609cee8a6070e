"""The app's config."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class MobilonSmsConfig(AppConfig):
    """The config of ``django_mobilon_sms`` in ``INSTALLED_APPS``; the label is ``mobilon_sms``."""

    name = "django_mobilon_sms"
    label = "mobilon_sms"
    verbose_name = _("SMS through Mobilon")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the system checks."""
        from .conf import checks  # noqa: F401, PLC0415  the import registers them
