"""Parse and check the consumers of ``MOBILON_SMS_WEBHOOKS``."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Collection, Iterator, Mapping
from importlib.util import find_spec
from typing import Any, NamedTuple

from ..choices import Status, event_type
from .declaration import PREFIX, Problem
from .settings import conf
from .validators import is_base_url

WEBHOOKS = f"{PREFIX}WEBHOOKS"

#: The types of all events.
TYPES = tuple(event_type(status) for status in Status.values)

SECRET = re.compile(r"whsec_([A-Za-z0-9+/]+={0,2})")
#: The length of a secret, in bytes, by the Standard Webhooks specification.
SECRET_BYTES = range(24, 65)

URL_HINT = "Write an HTTPS address (HTTP only for loopback) without user name, password or query."
KEY_HINT = (
    "Write 'whsec_' and 24 to 64 random bytes in Base64. While the secret is replaced, write a"
    " list of the new and the old one."
)


class Webhook(NamedTuple):
    """A consumer: events of these types are delivered to this address, signed by each secret."""

    name: str
    url: str
    secrets: tuple[str, ...]
    types: frozenset[str]

    def __repr__(self) -> str:
        return f"<Webhook {self.name}>"


def configured_webhooks() -> dict[str, Webhook]:
    """Return the valid consumers of the setting by name; ``check`` reports the others."""
    if not isinstance(conf.WEBHOOKS, Mapping):
        return {}
    return {
        name: _webhook(name, values)
        for name, values in conf.WEBHOOKS.items()
        if isinstance(name, str) and isinstance(values, Mapping) and not [*_faults(values)]
    }


def webhook_problems(wrong: Collection[str]) -> Iterator[Problem]:
    """Yield what is wrong with each consumer; ``wrong`` names settings reported already."""
    if not conf.WEBHOOKS or WEBHOOKS in wrong:
        return
    for name, values in conf.WEBHOOKS.items():
        for message, hint in _faults(values):
            yield Problem("E041", WEBHOOKS, f"{WEBHOOKS}[{name!r}]{message}", hint)
    if conf.EVENTS is None:
        message = f"{WEBHOOKS} delivers events, and {PREFIX}EVENTS writes none."
        yield Problem("E043", WEBHOOKS, message, f"Set {PREFIX}EVENTS = '30d'.")
    if find_spec("standardwebhooks") is None:
        message = f"{WEBHOOKS} needs the package standardwebhooks."
        yield Problem("E042", WEBHOOKS, message, "Install django-mobilon-sms[webhooks].")


def _webhook(name: str, values: Mapping[str, Any]) -> Webhook:
    types = frozenset(values.get("EVENTS") or TYPES)
    return Webhook(name, values["URL"], _secrets(values["SECRET"]), types)


def _secrets(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)


def _faults(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the values of one consumer, and the way out; quote no secret."""
    if unknown := [key for key in values if key not in ("URL", "SECRET", "EVENTS")]:
        yield f" has the unknown key {unknown[0]!r}.", "The keys are URL, SECRET and EVENTS."
    if not is_base_url(values.get("URL")):
        yield "['URL'] is not an address that events can be sent to.", URL_HINT
    secrets = _secrets(values.get("SECRET"))
    if not secrets or not all(map(_is_secret, secrets)):
        yield "['SECRET'] is not a Standard Webhooks secret.", KEY_HINT
    yield from _type_faults(values.get("EVENTS", TYPES))


def _type_faults(types: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(types, (list, tuple, set, frozenset)) or not types:
        hint = "Write a list, or remove it for the events of all types."
        yield "['EVENTS'] is not a list of types.", hint
    elif unknown := [type_ for type_ in types if type_ not in TYPES]:
        yield f"['EVENTS'] has the unknown type {unknown[0]!r}.", f"Types: {', '.join(TYPES)}."


def _is_secret(value: Any) -> bool:
    found = SECRET.fullmatch(value) if isinstance(value, str) else None
    try:
        return found is not None and len(b64decode(found[1], validate=True)) in SECRET_BYTES
    except binascii.Error:
        return False
