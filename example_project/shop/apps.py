"""The shop, for INSTALLED_APPS."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ShopConfig(AppConfig):
    """Orders whose customers get an SMS about every step."""

    name = "shop"
    verbose_name = _("Shop")
