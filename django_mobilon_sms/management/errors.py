"""Errors that a command meets, in words and without a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError
from django.db import Error

from ..conf import database_trouble


@contextmanager
def errors_named() -> Iterator[None]:
    """Raise ``CommandError`` for a wrong setting, or for an error of the database without its text.

    The text of the database can quote a row.
    """
    try:
        yield
    except ImproperlyConfigured as error:
        raise CommandError(str(error)) from error
    except Error as error:
        raise CommandError(database_trouble(error)) from error
