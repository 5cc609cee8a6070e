"""The backend that the settings name."""

from __future__ import annotations

from django.utils.module_loading import import_string

from ..conf import conf
from ..gateway import Backend


def get_backend() -> Backend:
    """A new instance of ``MOBILON_SMS_BACKEND``, with the settings as they are now."""
    backend: Backend = import_string(conf.BACKEND)(
        conf.BASE_URL,
        conf.USERNAME,
        conf.PASSWORD,
        conf.TIMEOUT,
        refused_http_codes=conf.REFUSED_HTTP_CODES,
    )
    return backend
