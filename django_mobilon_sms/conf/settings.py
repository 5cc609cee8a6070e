"""The only reader of settings: each is read at the moment of use, its default beside its name."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Generic, TypeVar

from django.conf import settings

from ..exceptions import REFUSED_HTTP_CODES

PREFIX = "MOBILON_SMS_"


T = TypeVar("T")


class Setting(Generic[T]):
    """``MOBILON_SMS_<its name>``, or the default."""

    def __init__(self, default: T) -> None:
        self.default = default

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = PREFIX + name

    def __get__(self, instance: object, owner: type) -> T:
        value: T = getattr(settings, self.name, self.default)
        return value


class Conf:
    """The app's settings; times in seconds."""

    #: The gateway's address. ``http://`` only for loopback; no user name or password in it.
    BASE_URL = Setting("https://sms2g.services.mobilon.ru/")
    #: Basic auth, given by the vendor; UTF-8.
    USERNAME = Setting("")
    PASSWORD = Setting("")
    #: The sender's number as the vendor gave it, for messages that name none of their own.
    SOURCE = Setting("")
    #: Who speaks to the gateway: a dotted path to a class like ``gateway.MobilonGateway``.
    BACKEND = Setting("django_mobilon_sms.gateway.MobilonGateway")
    #: ``False`` on a staging copy: nothing leaves.
    ENABLED = Setting(True)
    #: For a whole request, from connecting to the last byte of the reply.
    TIMEOUT = Setting[float](20)
    #: Messages in one POST, 1 to 100.
    BATCH_SIZE = Setting(100)
    #: Requests under way at once in one process, 1 to 64.
    CONCURRENCY = Setting(4)
    #: After that a claimed batch without an outcome counts as lost; at least 3 x ``TIMEOUT``.
    LEASE = Setting[float](300)
    #: HTTP codes taken as "nothing of this request was accepted". The vendor documents none:
    #: an empty collection takes every refusal as "nobody knows".
    REFUSED_HTTP_CODES = Setting[Collection[int]](REFUSED_HTTP_CODES)
    #: The gateway's ``status`` in a send reply to ours: ``accepted`` or ``failed``.
    SEND_REPLIES = Setting[Mapping[int, str]]({0: "accepted"})
    #: Its ``status`` in a status reply to ours: ``sent``, ``delivered`` or ``failed``.
    STATUS_REPLIES = Setting[Mapping[int, str]]({1: "sent"})
    #: How long after ``accepted_at`` a message is still asked for.
    STATUS_MAX_AGE = Setting[float](259_200)
    #: Longer texts are an error, never cut.
    MAX_SEGMENTS = Setting(10)
    #: Allowed recipients: the whole E.164 number must match.
    NUMBER_PATTERN = Setting(r"\+79\d{9}")
    #: How long texts are kept once their messages went out, or will not any more; for ever.
    FORGET_TEXT_AFTER = Setting[float | None](None)
    #: The same text to the same number is refused as a duplicate within so long; off.
    DUPLICATE_WITHIN = Setting[float | None](None)
    #: Message parts that each sender may send: ``"20/m"``, or a mapping from senders to rates with
    #: ``"*"`` for the others; as fast as it goes.
    RATE = Setting[str | Mapping[str, str] | None](None)
    #: Message parts that each sender may send in a day of ``TIME_ZONE``: a number or a mapping.
    DAILY_LIMIT = Setting[int | Mapping[str, int] | None](None)
    #: When only urgent messages go out: ``"21:00-09:00 Europe/Moscow"``; never.
    QUIET_HOURS = Setting[str | None](None)
    #: After so long a message expires, unless it names when; never.
    LIFETIME = Setting[float | None](None)
    #: Over REST each user finds and acts on the messages they wrote themselves, and on no others.
    REST_OWN_MESSAGES_ONLY = Setting(False)
    #: Over REST no more messages are written to one number within an hour; no limit.
    REST_HOURLY_PER_NUMBER = Setting[int | None](None)
    #: What is called after each commit that wrote messages: the dotted path of a function; nothing.
    WAKE_UP = Setting[str | None](None)


conf = Conf()


def own_names() -> set[str]:
    """The names of the app's settings."""
    return {value.name for value in vars(Conf).values() if isinstance(value, Setting)}


def given_names() -> set[str]:
    """The names in the project's settings that begin like the app's."""
    return {name for name in dir(settings) if name.startswith(PREFIX)}


def uses_time_zones() -> bool:
    """Django's ``USE_TZ``."""
    return bool(settings.USE_TZ)
