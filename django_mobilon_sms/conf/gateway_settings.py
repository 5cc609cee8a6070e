"""The settings of the requests to the gateway, and of the worker that makes them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ..exceptions import REFUSED_HTTP_CODES
from . import validators
from .declaration import Setting
from .validators import DAY, TRUE_OR_FALSE, Allowed

GATEWAY = "django_mobilon_sms.gateway.MobilonGateway"
YEAR = 366 * DAY


class GatewaySettings:
    """The settings of requests; times are in seconds."""

    BASE_URL = Setting(
        "https://sms2g.services.mobilon.ru/",
        "E001",
        Allowed(
            validators.is_base_url,
            "an HTTPS address (HTTP only for loopback)"
            " without user name, password, query or fragment",
        ),
        doc="Address of the gateway.",
        more="``http://`` is for loopback only, because it shows the password to the network.",
        hint="Remove the setting to use the vendor's address.",
    )
    USERNAME = Setting(
        "",
        "E002",
        Allowed(validators.is_username, "a string without a colon or control characters"),
        doc="User name for basic auth, given by the vendor.",
        more="Sent as UTF-8. If it is empty, the real gateway cannot be used (E017).",
        hint="Basic auth cannot carry a colon in the user name.",
        use="must",
    )
    PASSWORD = Setting(
        "",
        "E003",
        Allowed(validators.is_text, "a string without control characters"),
        doc="Password for basic auth, given by the vendor.",
        more="Sent as UTF-8. If it is empty, the real gateway cannot be used (E018).",
        hint="Look for a line break at its end.",
        use="must",
    )
    SOURCE = Setting(
        "",
        "E004",
        Allowed(
            validators.is_source_or_empty,
            "empty, or 1 to 32 printable ASCII characters without spaces",
        ),
        doc="Sender's number as the vendor gave it; may be empty if every message names its own.",
        more="Sent unchanged. If it is empty, there is a warning (W001). Messages name their own"
        " sender in ``source``.",
        hint="Write the sender's number as the vendor gave it, for example '89234560000'.",
        use="must",
    )
    BACKEND = Setting(
        GATEWAY,
        "E005",
        Allowed(validators.is_dotted_path, "the dotted path of a backend class"),
        doc="Class that speaks to the gateway; ``django_mobilon_sms.testing`` has some for tests.",
        more='It follows the protocol ``django_mobilon_sms.gateway.Backend``: see "A backend of'
        ' your own" in :doc:`python`. Only the default needs credentials.',
        hint=f"Write '{GATEWAY}' or 'django_mobilon_sms.testing.MemoryBackend'.",
    )
    ENABLED = Setting(
        True,
        "E006",
        TRUE_OR_FALSE,
        doc="``False`` stops all requests to the gateway, for example on a staging copy.",
        more="Messages can still be written. ``manage.py send_sms`` says that sending is off.",
        hint="Write True or False without quotes.",
        use="must",
    )
    TIMEOUT = Setting[float](
        20,
        "E007",
        validators.seconds(600),
        doc="Seconds for a whole request, from the DNS lookup to the last byte of the reply.",
    )
    BATCH_SIZE = Setting(
        100,
        "E008",
        validators.whole_number(100),
        doc="Most messages in one request.",
        more="Smaller batches leave fewer messages ``unknown`` when a request breaks.",
        hint="The gateway takes at most 100 messages in a request.",
    )
    CONCURRENCY = Setting(
        5,
        "E009",
        validators.whole_number(64),
        doc="Most requests under way at once in one process. Above 1, one of them is kept for"
        " urgent messages.",
    )
    LEASE = Setting[float](
        300,
        "E010",
        validators.seconds(DAY),
        doc="Seconds after which a claimed batch without an outcome counts as lost;"
        " at least three times the timeout.",
        more="A shorter lease is E019.",
    )
    WORKER_SILENCE = Setting[float](
        300,
        "E036",
        validators.seconds(DAY, shortest=90),
        doc="Seconds without a heartbeat after which the app says that nobody sends.",
        more="``send_sms --loop`` writes a heartbeat every 30 to 60 seconds, a run of cron or a"
        " task when it begins. Set more than the time between two runs or tasks.",
        hint="The default is 300.",
    )
    REFUSED_HTTP_CODES = Setting[Collection[int]](
        REFUSED_HTTP_CODES,
        "E011",
        Allowed(validators.is_http_codes, "a collection of HTTP codes from 400 to 499"),
        doc="HTTP codes taken as proof that the gateway accepted nothing of the request.",
        more="The vendor documents none. If the collection is empty, no code proves a refusal:"
        " every HTTP error makes its messages ``unknown``.",
        hint="Write whole numbers, or an empty list if no code proves a refusal.",
    )
    SEND_REPLIES = Setting[Mapping[int, str]](
        {0: "accepted"},
        "E012",
        validators.code_map("accepted", "failed"),
        doc="Meaning of each ``status`` in a send reply: ``accepted`` or ``failed``.",
        more="An unmapped code that comes with an ``id`` means accepted. Map a code only when the"
        " vendor has explained it.",
    )
    STATUS_REPLIES = Setting[Mapping[int, str]](
        {1: "sent"},
        "E013",
        validators.code_map("sent", "delivered", "failed"),
        doc="Meaning of each ``status`` in a status reply: ``sent``, ``delivered`` or ``failed``.",
        more="An unmapped code is stored and changes nothing. While no code means ``delivered``,"
        " the status of a sent message is not queried again.",
    )
    STATUS_MAX_AGE = Setting[float](
        259_200,
        "E014",
        validators.seconds(YEAR),
        doc="Seconds after acceptance in which the status of a message is queried; three days.",
    )
