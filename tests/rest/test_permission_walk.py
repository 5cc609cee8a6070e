"""Every operation of REST, tried by people with one permission each.

No safe method changes a row, nobody is shown what their permission does not open, and a row is
changed for those alone whom the table names.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from django.core.cache import cache
from rest_framework.test import APIClient

from django_mobilon_sms.rest.urls import urlpatterns
from tests.support.permission_walk import (
    ASKED,
    FAILED,
    GUIDS,
    NUMBER,
    PENDING,
    RESEND,
    SECRETS,
    SEE,
    SEND,
    STOP,
    STOPPED_NUMBER,
    TEXT,
    UNKNOWN,
    UNSTOP,
    WORDS,
    WRITE,
    has_any,
    leaks,
    people,
    said,
    undone,
    write_rows,
)

pytestmark = pytest.mark.django_db

METHODS = ("get", "head", "options", "post", "put", "patch", "delete")
GOOD = {"number": "89135292926", "text": "x"}


#: An action answers with its message, so its number is shown to who may act. A text never is.
SHOWN = SECRETS | {NUMBER[2:]: ({SEE}, {SEND}, {RESEND}), "Zimorodok": ({SEE, TEXT},)}


class Body(NamedTuple):
    """What is posted, and the sets of permissions of which one is needed to change a row."""

    fields: Any
    needs: tuple[set[str], ...] = ()
    pk: int = PENDING
    key: str = ""


#: By the name of each address that takes a POST: who may change something there, and how.
BODIES: dict[str, list[Body]] = {
    "message-list": [
        Body(GOOD, ({WRITE},)),
        Body(GOOD, ({WRITE},), key="once"),
        Body({"number": NUMBER, "text": WORDS, "guid": str(GUIDS[PENDING])}),
        Body({"number": NUMBER, "text": "x", "guid": str(GUIDS[PENDING])}),
        Body([GOOD]),
    ],
    "message-create-many": [
        Body([GOOD], ({WRITE},), key="once"),
        Body([]),
        Body(GOOD),
    ],
    "message-search": [Body({"number": NUMBER}), Body({"guids": [str(g) for g in GUIDS.values()]})],
    "message-cancel": [Body({}, ({SEND},)), Body({}, pk=FAILED), Body({"x": 1})],
    "message-refresh": [Body({}, ({SEND},), ASKED), Body({}, pk=FAILED)],
    "message-resend": [
        Body({"accept_duplicate": True}, ({RESEND},), UNKNOWN),
        Body({"accept_duplicate": True}, pk=PENDING),
        Body({}, pk=UNKNOWN),
    ],
    "stopped-number-list": [
        Body({"numbers": ["89135292926"], "note": "x"}, ({STOP},)),
        Body({"numbers": [STOPPED_NUMBER]}),
    ],
    "stopped-number-search": [Body({"number": STOPPED_NUMBER})],
    "stopped-number-remove": [
        Body({"numbers": [STOPPED_NUMBER]}, ({UNSTOP},)),
        Body({"numbers": ["89135292926"]}),
    ],
}
#: What every other method is given, where it is allowed or not.
ANY = Body(GOOD | {"numbers": [STOPPED_NUMBER], "accept_duplicate": True})


def walk() -> Iterator[tuple[str, str, Body]]:
    """Yield every request: its method, its address, and what is sent."""
    for url in urlpatterns:
        for method in METHODS:
            bodies = BODIES.get(url.name, [ANY]) if method == "post" else [ANY]
            for body in bodies:
                path = str(url.pattern).replace("<str:guid>", str(GUIDS[body.pk]))
                yield method, f"/sms/{path}", body
        yield "browse", f"/sms/{path}", ANY


def ask(client: APIClient, method: str, address: str, body: Body) -> str:
    """Return all that is answered."""
    headers = {"HTTP_IDEMPOTENCY_KEY": body.key} if body.key else {}
    if method in ("get", "head"):
        return said(getattr(client, method)(address))
    if method == "browse":
        return said(client.get(address, HTTP_ACCEPT="text/html"))
    return said(getattr(client, method)(address, body.fields, format="json", **headers))


def test_everybody_sees_and_changes_what_their_permissions_open_and_nothing_else(settings):
    settings.MOBILON_SMS_EVENTS = "30d"
    write_rows()
    wrong, seen = [], set()
    for who, (user, permissions) in people().items():
        cache.clear()  # of the throttles
        client = APIClient()
        client.force_authenticate(user)  # how people log in is tested elsewhere
        for method, address, body in walk():
            with undone(lambda: None) as changed:
                words = ask(client, method, address, body)
                tables = changed()
            may = method == "post" and has_any(permissions, body.needs)
            found = leaks(words, permissions, SHOWN)
            if found or bool(tables) != may:
                wrong.append((who, method, address, body.fields, tables, found))
            seen |= {secret for secret in SECRETS if secret in words}
    assert not wrong, "\n".join(map(str, wrong))
    assert seen == {NUMBER[2:], STOPPED_NUMBER[2:], "Zimorodok", "Olusha"}


def test_table_names_every_address_that_takes_a_post():
    views = [url for url in urlpatterns if hasattr(url.callback, "actions")]
    assert {url.name for url in views if "post" in url.callback.actions} == {*BODIES}
