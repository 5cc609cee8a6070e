"""The words of the outbox: statuses, priorities, outcomes and error codes."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Status(models.TextChoices):
    """Where a message is on its way."""

    PENDING = "pending", _("pending")  # waits for its time and a worker
    SENDING = "sending", _("sending")  # belongs to a batch whose POST may be under way
    ACCEPTED = "accepted", _("accepted")  # the gateway took it and gave an id
    SENT = "sent", _("sent")  # the gateway reports it sent
    DELIVERED = "delivered", _("delivered")  # the gateway reports it on the device
    FAILED = "failed", _("failed")  # refused by its own answer, or not fit for the wire
    UNKNOWN = "unknown", _("unknown")  # it may have gone out; nobody can prove it
    EXPIRED = "expired", _("expired")  # its time passed before it was claimed
    CANCELLED = "cancelled", _("cancelled")  # taken back while pending


#: Ended without being sent: these can be copied, and do not make a later message a duplicate.
NOT_SENT = (Status.FAILED, Status.EXPIRED, Status.CANCELLED)


class Priority(models.IntegerChoices):
    """Which message goes first; the lower number wins."""

    HIGH = 0, _("high")
    NORMAL = 5, _("normal")
    LOW = 9, _("low")


class Resolution(models.TextChoices):
    """What a person decided about an unknown message."""

    SENT = "sent", _("it was sent")
    GIVEN_UP = "given_up", _("given up")


class Outcome(models.TextChoices):
    """What a batch's POST proved."""

    ANSWERED = "answered", _("answered")  # a JSON array came back; each message has its own proof
    REFUSED = "refused", _("refused")  # an HTTP code taken as "nothing was accepted"
    NEVER_LEFT = "never_left", _("never left")  # nothing was written to the gateway
    NO_PROOF = "no_proof", _("no proof")  # it may have been processed
    LOST = "lost", _("lost")  # the worker vanished with it; its lease is over


class ErrorCode(models.TextChoices):
    """Why a message or a batch is where it is. The sentence is rendered, never stored."""

    # Nothing was written to the gateway.
    CONNECTION = "connection", _("No connection to the gateway could be made.")
    CERTIFICATE = "certificate", _("The gateway's TLS certificate is not trusted.")
    REQUEST = "request", _("The request could not be prepared; check the settings.")
    LEASE_SHORT = "lease_short", _("Too little of the lease was left to send it safely.")
    # The gateway refused the whole request.
    CREDENTIALS = "credentials", _("The gateway refused the user name or the password.")
    PAYMENT = "payment", _("The gateway asks for payment.")
    RATE_LIMITED = "rate_limited", _("The gateway asks to send more slowly.")
    HTTP_REFUSED = "http_refused", _("The gateway refused the whole request.")
    # Its own answer.
    REJECTED = "rejected", _("The gateway refused this message.")
    INVALID = "invalid", _("The message can not be put on the wire.")
    REPORTED_FAILED = "reported_failed", _("The gateway reports that it was not sent.")
    # A number that nothing may be sent to; a message that had been resent went back to unknown.
    STOP_LIST = "stop_list", _("The number is on the stop list.")
    # It may have gone out.
    TIMEOUT = "timeout", _("The gateway did not answer in time.")
    DEADLINE = "deadline", _("The request outlived its time and was abandoned.")
    BROKEN = "broken", _("The connection broke before the answer was complete.")
    HTTP_ERROR = "http_error", _("The gateway answered with an error that proves nothing.")
    REDIRECT = "redirect", _("The gateway answered with a redirect; check the address.")
    BAD_REPLY = "bad_reply", _("The gateway's answer could not be read.")
    NO_ANSWER = "no_answer", _("The gateway's answer does not mention this message.")
    NO_ID = "no_id", _("The gateway's answer has no id for this message.")
    WRONG_TYPES = "wrong_types", _("The gateway's answer for this message is malformed.")
    CONTRADICTION = "contradiction", _("The gateway's answer for this message contradicts itself.")
    LOST = "lost", _("The worker vanished before it recorded the outcome.")
    HELD = "held", _("Held back, because a copy of it may have been sent elsewhere.")
    UNFORESEEN = "unforeseen", _("An unforeseen error; see the worker's log.")
    # What happened to a message that had been resent, and so went back to unknown.
    EXPIRED = "expired", _("It expired before it was sent again.")
    CANCELLED = "cancelled", _("It was cancelled before it was sent again.")
