"""The exit codes of a run, and the one that a request calls for."""

from __future__ import annotations

from ..choices import ErrorCode, Outcome
from .proofs import Proof

OK = 0  # everything due was sent, or there was nothing to do
CANNOT_WORK = 1  # a setting, the credentials or the database must be mended first
# 2 is wrong usage of the command: argparse's own.
TROUBLE = 3  # the gateway is in trouble; messages wait, and later runs try again
UNKNOWN = 4  # messages may have gone out, and nobody can prove it


#: HTTP codes that retrying will not fix: the credentials or the address are wrong.
CONFIGURATION_HTTP_CODES = frozenset({401, 403, 404, 405, 407})


def exit_code(proof: Proof) -> int:
    """Return the exit code that one POST calls for; ``RunReport`` adds that of unknown messages."""
    code = ErrorCode(proof.error_code) if proof.error_code else None
    if proof.outcome == Outcome.NO_PROOF:
        return CANNOT_WORK if code == ErrorCode.REDIRECT else UNKNOWN
    if proof.outcome == Outcome.REFUSED:
        return CANNOT_WORK if proof.http_code in CONFIGURATION_HTTP_CODES else TROUBLE
    if proof.outcome == Outcome.NEVER_LEFT:
        if code in (ErrorCode.LEASE_SHORT, ErrorCode.INVALID):
            return OK
        return CANNOT_WORK if code in (ErrorCode.CERTIFICATE, ErrorCode.REQUEST) else TROUBLE
    return UNKNOWN if proof.outcome == Outcome.LOST else OK
