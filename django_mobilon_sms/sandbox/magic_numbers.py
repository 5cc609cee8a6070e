"""Numbers whose messages always end in the same way, so that an integrator can try each status.

Only the sandbox knows them. To the app and to the real gateway they are numbers like any other;
lists of Russian mobile codes name no operator for 935.
"""

from __future__ import annotations

from typing import NamedTuple

#: Codes of replies. The vendor documents ``ACCEPTED`` and ``SENT``; the others are our invention.
ACCEPTED, SENT, DELIVERED, NOT_SENT, REFUSED = 0, 1, 2, 3, 4


class Course(NamedTuple):
    """The answers about one message.

    ``send`` is the code in the answer of ``/send/``; ``None`` leaves the message out of it.
    ``reports`` are the codes that ``/status/`` answers, one after another.
    """

    send: int | None = ACCEPTED
    reports: tuple[int, ...] = (SENT,)


USUAL = Course()

#: By the number as the gateway gets it; ``docs/reference/commands.rst`` lists them for people.
COURSES = {
    "89350000001": Course(reports=()),
    "89350000002": Course(reports=(NOT_SENT,)),
    "89350000003": Course(reports=(SENT, DELIVERED)),
    "89350000004": Course(send=REFUSED, reports=()),
    "89350000005": Course(send=None),
}


def course_of(number: str) -> Course:
    """Return the course of a message to this number."""
    return COURSES.get(number, USUAL)
