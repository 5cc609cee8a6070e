"""Write the good rows of a list, and name the bad ones: ``on_error=skip``."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ...exceptions import InvalidRows, RowError
from ...models import SmsMessage


class Written(NamedTuple):
    """The message of each good row, in order, and the errors of the bad rows."""

    messages: list[SmsMessage]
    errors: list[RowError]

    @property
    def is_new(self) -> bool:
        """Whether one of the messages did not exist before."""
        return any(message.was_written for message in self.messages)


#: Takes the places of the good rows and the errors of the bad ones. Writes all good rows, or raises
#: ``InvalidRows``, whose indexes count the good rows only.
Write = Callable[[Sequence[int], Sequence[RowError]], list[SmsMessage]]


def skip_bad_rows(count: int, write: Write) -> Written:
    """Write the rows that nothing refuses. Raise ``InvalidRows`` if there is none.

    Refused rows are left out, and the rest is tried again, because a later check may refuse more.
    Each attempt leaves out at least one row, and only the last attempt writes.
    """
    good, errors = list(range(count)), list[RowError]()
    while good:
        try:
            return Written(write(good, errors), errors)
        except InvalidRows as refused:
            errors = sorted(
                [*errors, *at_places(refused.errors, good)], key=lambda error: error.index
            )
            bad = {error.index for error in errors}
            good = [index for index in good if index not in bad]
    raise InvalidRows(errors, count)


def at_places(errors: Sequence[RowError], places: Sequence[int]) -> list[RowError]:
    """Return errors of the rows at these places, with their places in the whole list."""
    return [dataclasses.replace(error, index=places[error.index]) for error in errors]
