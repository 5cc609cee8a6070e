"""Values that nobody can compute without the project's secret key."""

from __future__ import annotations

from collections.abc import Iterator

from django.conf import settings
from django.utils.crypto import salted_hmac


def keyed_digests(purpose: str, value: str) -> Iterator[bytes]:
    """Yield the digest of a value by the secret key, then by ``SECRET_KEY_FALLBACKS``."""
    for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        yield salted_hmac(purpose, value, secret=key, algorithm="sha256").digest()
