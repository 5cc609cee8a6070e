"""Statuses, priorities, resolutions, outcomes and error codes."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Status(models.TextChoices):
    """The status of a message."""

    PENDING = "pending", _("pending")  # waits until it is due and a worker claims it
    SENDING = "sending", _("sending")  # claimed into a batch, whose request may be under way
    ACCEPTED = "accepted", _("accepted")  # the gateway accepted it and gave an id
    SENT = "sent", _("sent")  # the gateway reports that it was sent
    DELIVERED = "delivered", _("delivered")  # the gateway reports that it reached the phone
    FAILED = "failed", _("failed")  # refused by the gateway, or not fit to be sent
    UNKNOWN = "unknown", _("unknown")  # may have been sent; there is no proof either way
    EXPIRED = "expired", _("expired")  # its expiry passed before a worker claimed it
    CANCELLED = "cancelled", _("cancelled")  # cancelled while pending


#: Ended without being sent: these can be copied, and do not make a later message a duplicate.
NOT_SENT = (Status.FAILED, Status.EXPIRED, Status.CANCELLED)


class Priority(models.IntegerChoices):
    """The priority of a message. Lower numbers go first."""

    HIGH = 0, _("high")  # for what a person waits for, such as a login code
    NORMAL = 5, _("normal")  # the default
    LOW = 9, _("low")  # for what may wait, such as a mailing


class Resolution(models.TextChoices):
    """A person's decision about an unknown message."""

    SENT = "sent", _("it was sent")  # the recipient or the vendor confirmed it
    GIVEN_UP = "given_up", _("given up")  # not to be sent again


class Outcome(models.TextChoices):
    """What the request of a batch proved."""

    ANSWERED = "answered", _("answered")  # a JSON array came back, with a proof for each message
    REFUSED = "refused", _("refused")  # an HTTP code that means "nothing was accepted"
    NEVER_LEFT = "never_left", _("never left")  # nothing was written to the gateway
    NO_PROOF = "no_proof", _("no proof")  # the gateway may have processed it
    LOST = "lost", _("lost")  # nothing was recorded before its lease ended


class WorkerKind(models.TextChoices):
    """How a worker is run."""

    LOOP = "loop", _("service")  # manage.py send_sms --loop
    CRON = "cron", _("cron")  # one run of manage.py send_sms
    CELERY = "celery", _("Celery")  # contrib.celery
    TASKS = "tasks", _("Django Tasks")  # contrib.django_tasks


class ErrorCode(models.TextChoices):
    """Why a message or a batch has its status. Only the code is stored, never the sentence.

    ``WAYS_OUT`` has the next step for each.
    """

    # Nothing was written to the gateway.
    CONNECTION = "connection", _("No connection to the gateway could be made.")
    CERTIFICATE = "certificate", _("The gateway's TLS certificate is not trusted.")
    REQUEST = "request", _("The request could not be prepared.")
    LEASE_SHORT = "lease_short", _("There was too little time left to send it safely.")
    # The gateway refused the whole request.
    CREDENTIALS = "credentials", _("The gateway refused the user name or the password.")
    PAYMENT = "payment", _("The gateway asks for payment.")
    RATE_LIMITED = "rate_limited", _("The gateway asks for fewer requests.")
    HTTP_REFUSED = "http_refused", _("The gateway refused the whole request.")
    # The answer for this message, or the message itself, rules it out.
    REJECTED = "rejected", _("The gateway refused this message.")
    INVALID = "invalid", _("The message cannot be put into a request.")
    REPORTED_FAILED = "reported_failed", _("The gateway reports that it was not sent.")
    # Cancelled because of its number; a message that had been resent is unknown instead.
    STOP_LIST = "stop_list", _("The number is on the stop list.")
    # It may have been sent.
    TIMEOUT = "timeout", _("The gateway did not answer in time.")
    DEADLINE = "deadline", _("The request took too long and was abandoned.")
    BROKEN = "broken", _("The connection broke before the answer was complete.")
    HTTP_ERROR = "http_error", _("The gateway answered with an error, but may have sent it.")
    REDIRECT = "redirect", _("The gateway answered with a redirect.")
    BAD_REPLY = "bad_reply", _("The gateway's answer could not be read.")
    NO_ANSWER = "no_answer", _("The gateway's answer does not mention this message.")
    NO_ID = "no_id", _("The gateway's answer has no id for this message.")
    WRONG_TYPES = "wrong_types", _("The gateway's answer for this message is malformed.")
    CONTRADICTION = "contradiction", _("The gateway's answer for this message contradicts itself.")
    LOST = "lost", _("No outcome was recorded before the lease ended.")
    HELD = "held", _("Held back: another copy of it may have been sent.")
    UNFORESEEN = "unforeseen", _("An unexpected error occurred.")
    # It had been resent, so it went back to unknown.
    EXPIRED = "expired", _("It expired before it was sent again.")
    CANCELLED = "cancelled", _("It was cancelled before it was sent again.")


_DECIDE = _("Decide about the messages in the admin.")
_DECIDE_AND_ASK = _("Decide about the messages in the admin, and ask the vendor.")
_LATE = _(
    "Decide about the messages in the admin. If it repeats, ask the vendor or raise"
    " MOBILON_SMS_TIMEOUT."
)
_FIRST_REQUEST = _("Decide about the message: its first request may have sent it.")

#: The next step for a person, by error code; shown after the sentence of the code.
WAYS_OUT = {
    ErrorCode.CONNECTION: _(
        "The worker tries again. If it lasts, check the network and MOBILON_SMS_BASE_URL."
    ),
    ErrorCode.CERTIFICATE: _(
        "Check MOBILON_SMS_BASE_URL, the host's clock and its CA certificates."
    ),
    ErrorCode.REQUEST: _("Run manage.py check and check MOBILON_SMS_BASE_URL."),
    ErrorCode.LEASE_SHORT: _("Nothing to do. If it repeats, the worker's host is overloaded."),
    ErrorCode.CREDENTIALS: _(
        "Check MOBILON_SMS_USERNAME and MOBILON_SMS_PASSWORD, and restart the worker."
    ),
    ErrorCode.PAYMENT: _("Pay, then choose Try now in the admin."),
    ErrorCode.RATE_LIMITED: _(
        "The worker waits as long as the gateway asks for. If it repeats, lower"
        " MOBILON_SMS_CONCURRENCY."
    ),
    ErrorCode.HTTP_REFUSED: _(
        "Check MOBILON_SMS_BASE_URL, and ask the vendor about the HTTP code."
    ),
    ErrorCode.REJECTED: _(
        "Check the number and the text, and copy the message when the cause is gone."
    ),
    ErrorCode.INVALID: _("Check the text, the number and the sender, and write a new message."),
    ErrorCode.REPORTED_FAILED: _("Ask the vendor, then copy the message."),
    ErrorCode.STOP_LIST: _("Nothing to do."),
    ErrorCode.TIMEOUT: _LATE,
    ErrorCode.DEADLINE: _LATE,
    ErrorCode.BROKEN: _DECIDE,
    ErrorCode.HTTP_ERROR: _DECIDE_AND_ASK,
    ErrorCode.REDIRECT: _(
        "Correct MOBILON_SMS_BASE_URL. If messages became unknown, decide about them in the admin."
    ),
    ErrorCode.BAD_REPLY: _DECIDE_AND_ASK,
    ErrorCode.NO_ANSWER: _DECIDE_AND_ASK,
    ErrorCode.NO_ID: _(
        "Decide about the messages in the admin, and ask the vendor what the code means."
    ),
    ErrorCode.WRONG_TYPES: _DECIDE_AND_ASK,
    ErrorCode.CONTRADICTION: _DECIDE_AND_ASK,
    ErrorCode.LOST: _(
        "Decide about the messages in the admin, and find out what ended the worker."
    ),
    ErrorCode.HELD: _(
        "Look in the database that was in use whether the message was sent, then decide."
    ),
    ErrorCode.UNFORESEEN: _("Decide about the messages in the admin, and report the error."),
    ErrorCode.EXPIRED: _FIRST_REQUEST,
    ErrorCode.CANCELLED: _FIRST_REQUEST,
}


def explain(code: str, http_code: int | None = None) -> str:
    """Return the sentence of an error code, the HTTP code of the reply, and the next step."""
    error = ErrorCode(code)
    http = f"HTTP {http_code}." if http_code else ""
    return " ".join(filter(None, (str(error.label), http, str(WAYS_OUT[error]))))


def event_type(status: str) -> str:
    """Return the type of the event of a message that reached this status."""
    return f"message.{status}"


class WebhookError(models.TextChoices):
    """Why an event could not be delivered to a consumer of webhooks."""

    CONNECTION = "connection", _("No connection to the consumer could be made.")
    CERTIFICATE = "certificate", _("The consumer's TLS certificate is not trusted.")
    REQUEST = "request", _("The request to the consumer could not be prepared.")
    TIMEOUT = "timeout", _("The consumer did not answer in time.")
    BROKEN = "broken", _("The connection broke before the consumer answered.")
    HTTP_ERROR = "http_error", _("The consumer answered with an HTTP error.")
    REDIRECT = "redirect", _("The consumer answered with a redirect, which is not followed.")
    GONE = "gone", _("The consumer answered 410: it wants no more events.")
    EXPIRED = "expired", _("Events were deleted before they could be delivered.")
    UNFORESEEN = "unforeseen", _("An unexpected error occurred.")
