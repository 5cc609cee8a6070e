"""The backend named by ``MOBILON_SMS_BACKEND``."""

from __future__ import annotations

from django.utils.module_loading import import_string

from ..conf import conf
from ..gateway import Backend


def get_backend() -> Backend:
    """Return a new backend with the settings as they are now."""
    backend: Backend = import_string(conf.BACKEND)(
        conf.BASE_URL,
        conf.USERNAME,
        conf.PASSWORD,
        conf.TIMEOUT,
        refused_http_codes=conf.REFUSED_HTTP_CODES,
    )
    return backend
