"""``manage.py create_operator``."""

from __future__ import annotations

import secrets
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand
from django.utils.translation import gettext as _

USERNAME = "operator"


class Command(BaseCommand):
    """Makes a login to explore the example with."""

    help = "Creates the login operator, with a random password that is printed, if it is not there."

    def handle(self, *args: Any, **options: Any) -> None:
        """Create it or leave it alone, and say which."""
        users = get_user_model().objects
        if users.filter(username=USERNAME).exists():
            sentence = _("%(name)s, with the password that was shown when it was made")
            self.stdout.write(sentence % {"name": USERNAME})
            return
        password = secrets.token_urlsafe(9)
        users.create_superuser(USERNAME, password=password)
        login = {"name": USERNAME, "password": password}
        self.stdout.write(_("%(name)s, password %(password)s") % login)
