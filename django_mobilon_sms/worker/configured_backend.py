"""The backend named by ``MOBILON_SMS_BACKEND``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

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


@contextmanager
def open_backend() -> Iterator[Backend]:
    """Yield a new backend, and close what it keeps open, where it has a ``close()``."""
    backend = get_backend()
    try:
        yield backend
    finally:
        getattr(backend, "close", lambda: None)()
