"""The exit code that a request calls for."""

from __future__ import annotations

from ..choices import ErrorCode, Outcome
from .proofs import Proof

OK, CANNOT_WORK, TROUBLE, UNKNOWN = 0, 1, 3, 4


#: HTTP codes that no waiting mends: the credentials or the address are wrong.
CONFIGURATION_HTTP_CODES = frozenset({401, 403, 404, 405, 407})


def exit_code(proof: Proof) -> int:
    """The exit code that one POST calls for, unknown messages aside."""
    code = ErrorCode(proof.error_code) if proof.error_code else None
    if proof.outcome == Outcome.NO_PROOF:
        return CANNOT_WORK if code == ErrorCode.REDIRECT else UNKNOWN
    if proof.outcome == Outcome.REFUSED:
        return CANNOT_WORK if proof.http_code in CONFIGURATION_HTTP_CODES else TROUBLE
    if proof.outcome == Outcome.NEVER_LEFT:
        if code in (ErrorCode.LEASE_SHORT, ErrorCode.INVALID):
            return OK
        return CANNOT_WORK if code in (ErrorCode.CERTIFICATE, ErrorCode.REQUEST) else TROUBLE
    return OK
