"""Every setting, written once: its default, allowed values, check, hint and meaning.

``conf.TIMEOUT`` reads ``MOBILON_SMS_TIMEOUT`` at the moment of use. The settings of
docs/reference/settings.rst are rendered from these entries.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import validators
from .declaration import Setting
from .durations import parse_duration
from .gateway_settings import YEAR, GatewaySettings
from .quiet_hours import parse_quiet_hours
from .rates import parse_rate
from .validators import TRUE_OR_FALSE, Allowed


class Conf(GatewaySettings):
    """The app's settings; times are in seconds."""

    MAX_SEGMENTS = Setting(
        10,
        "E015",
        validators.whole_number(255),
        doc="Most segments of a text; a longer text is an error and is never cut.",
        more="A segment is one SMS on the line. The app counts them; the gateway may count"
        " differently.",
    )
    NUMBER_PATTERN = Setting(
        r"\+79\d{9}",
        "E016",
        Allowed(validators.is_pattern, "a regular expression"),
        doc="Allowed recipients: a regular expression that matches the whole E.164 number.",
        more="``\\d`` matches ASCII digits only. The default allows Russian mobile numbers. For"
        " other countries, widen it; their numbers are written with a ``+``.",
        hint=r"The default is r'\+79\d{9}'; the whole E.164 number must match.",
        use="policy",
    )
    FORGET_TEXT_AFTER = Setting[float | None](
        None,
        "E022",
        validators.seconds(YEAR),
        doc="Seconds to keep a text once its message went out or ended; ``None``: for ever.",
        more="It counts from the moment when a message is accepted, failed, expired, cancelled or"
        " decided about while this is set; ``manage.py purge_sms --only-text`` forgets older texts."
        " The text of a ``sensitive`` message is forgotten as soon as it is accepted or has ended.",
        hint="None keeps the texts; 3600 forgets each an hour after its message went out.",
        use="policy",
    )
    DUPLICATE_WITHIN = Setting[float | None](
        None,
        "E023",
        validators.seconds(YEAR),
        doc="Seconds in which the same text to the same number is refused as a duplicate;"
        " ``None``: duplicates are allowed.",
        more="Messages that failed, expired or were cancelled do not count, nor do those whose text"
        " was forgotten. By REST and in the admin, messages of others count only for a user who"
        " may see them and their texts, so that nobody can guess a text; from Python all count. Two"
        " callers at the same moment do not see each other: pass a ``guid``"
        " where a message must be written once.",
        hint="None allows duplicates; 60 refuses the same text to the same number for a minute.",
        use="policy",
    )
    RATE = Setting[str | Mapping[str, str] | None](
        None,
        "E024",
        validators.per_sender(validators.parsed_by(parse_rate, "a rate like '20/m' (s, m or h)")),
        doc="Most segments that each sender sends in a second, minute or hour, such as"
        ' ``"20/m"``; ``None``: no limit.',
        more='Or a rate for each sender: ``{"89234560000": "10/m", "*": "60/m"}``, in which ``*``'
        " stands for all others. A tenth of each window, rounded down, is kept for urgent messages."
        ' See "The pace of a line" in :doc:`/explanation/performance`.',
        hint="For the senders that a dict does not name, write '*'.",
        use="policy",
    )
    DAILY_LIMIT = Setting[int | Mapping[str, int] | None](
        None,
        "E025",
        validators.per_sender(validators.whole_number(999_999)),
        doc="Most segments that each sender sends in a day of ``TIME_ZONE``; ``None``: no limit.",
        more="A dict sets a limit for each sender, and a tenth is kept for urgent messages, as in"
        " the rate.",
        hint="It counts segments. For the senders that a dict does not name, write '*'.",
        use="policy",
    )
    QUIET_HOURS = Setting[str | None](
        None,
        "E026",
        validators.parsed_by(
            parse_quiet_hours,
            "two times of the day and a time zone, like '21:00-09:00 Europe/Moscow'",
        ),
        doc="Hours in which only messages of high priority go out, such as"
        ' ``"21:00-09:00 Europe/Moscow"``; ``None``: no such hours.',
        more="Others wait: no mailing leaves at night. Without a zone, the times are in"
        " ``TIME_ZONE``. On the night when clocks go back, it is quiet until they show the end for"
        " the second time.",
        hint="Without a zone, the times are in TIME_ZONE.",
        use="policy",
    )
    LIFETIME = Setting[float | None](
        None,
        "E027",
        validators.seconds(YEAR, shortest=60),
        doc="Seconds from its send time until a message without its own expiry expires;"
        " ``None``: never.",
        more="Time spent in quiet hours, in a pause or waiting for the rate counts too.",
        hint="None lets messages wait without limit; 86400 lets them expire after a day.",
        use="policy",
    )
    REST_OWN_MESSAGES_ONLY = Setting(
        False,
        "E028",
        TRUE_OR_FALSE,
        doc="``True``: over REST, users see only the messages that they wrote.",
        more="They find, count and act on no others, superusers included. The admin still shows all"
        " messages.",
        hint="Write True or False without quotes.",
        use="policy",
    )
    HOURLY_PER_NUMBER = Setting[int | None](
        None,
        "E029",
        validators.whole_number(1000),
        doc="Most messages that are written to one number within an hour, by all callers together;"
        " ``None``: no limit.",
        more="More are refused in Python, the admin, lists and REST. Messages that failed, expired"
        " or were cancelled do not count. This protects a number when strangers can make a form"
        " send it codes. A transaction that writes to a number makes others that write to it wait"
        " until it ends, so keep it short. Two that write to several numbers one by one can meet a"
        " deadlock, an ``OperationalError`` after which they may be repeated.",
        hint="None sets no limit; 10 refuses the eleventh message to a number within an hour.",
        use="policy",
    )
    REST_DAILY_SEGMENTS = Setting[int | None](
        None,
        "E037",
        validators.whole_number(999_999),
        doc="Most segments that each REST client may write in a day of ``TIME_ZONE``; ``None``: no"
        " limit.",
        more="More are refused until midnight. A segment counts when it is written, and none is"
        " given back: not for a message that is cancelled, fails or expires. A repeated request and"
        " a resend count nothing. A client is a user. See :doc:`rest`.",
        hint="Write None for no limit, or 5000 to refuse more than 5,000 segments a day.",
        use="policy",
    )
    WAKE_UP = Setting[str | None](
        None,
        "E032",
        Allowed(validators.is_dotted_path, "the dotted path of a function without arguments"),
        doc="Function called after each commit that wrote messages, such as"
        " ``django_mobilon_sms.contrib.celery.wake_up``; ``None``: nothing is called.",
        more="It runs once in the process that committed, also after messages were resent. Its"
        " exceptions are logged and change nothing. ``django_mobilon_sms.contrib`` has one for"
        " Celery and one for Django's Tasks: see :doc:`/howto/celery` and"
        " :doc:`/howto/django-tasks`.",
        hint="Write 'django_mobilon_sms.contrib.celery.wake_up' to start a Celery task that sends.",
    )
    EVENTS = Setting[str | None](
        None,
        "E034",
        validators.parsed_by(parse_duration, "a number and a unit, like '30d'"),
        doc='How long events are kept, such as ``"30d"``; ``None``: none are written.',
        more="Every change of a status then writes an event, and ``manage.py purge_sms`` deletes"
        " older ones. See :doc:`/howto/events`.",
        hint="None writes no events; '30d' keeps them for 30 days.",
        use="policy",
    )
    WEBHOOKS = Setting[Mapping[str, Mapping[str, Any]] | None](
        None,
        "E040",
        validators.named_dicts(32),
        doc="Consumers to which events are delivered: for each name a dict with ``URL``, ``SECRET``"
        " and ``EVENTS``; ``None``: none.",
        more="See :doc:`/howto/webhooks`. It needs ``MOBILON_SMS_EVENTS`` and the extra"
        " ``webhooks``.",
        hint="Write {'shop': {'URL': 'https://...', 'SECRET': 'whsec_...'}}.",
    )


conf = Conf()


def declared() -> list[Setting[Any]]:
    """Return the declarations of all settings, in order."""
    found = [value for part in (GatewaySettings, Conf) for value in vars(part).values()]
    return [value for value in found if isinstance(value, Setting)]
