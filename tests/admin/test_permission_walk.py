"""Every address of the admin, walked by people with one permission each.

No GET changes a row, nobody is shown what their permission does not open, and a POST changes a row
for those alone whom the table names. ``test_permissions.py`` tries combinations.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client, RequestFactory
from django.urls import URLPattern, reverse

from django_mobilon_sms.admin import database_busy
from django_mobilon_sms.models import GatewayState, SmsMailing, WebhookConsumer, db_now
from tests.support.admin_door import text_of
from tests.support.permission_walk import (
    ASKED,
    BATCH,
    CONFIRMED,
    DELETE,
    FAILED,
    HOUR,
    PENDING,
    RESEND,
    SECRETS,
    SEE,
    SEE_STOPPED,
    SEND,
    START_WEBHOOK,
    STOP,
    STOPPED,
    TEXT,
    UNKNOWN,
    UNSTOP,
    WAITING,
    WEBHOOK,
    WORD,
    WRITE,
    dump,
    has_any,
    leaks,
    people,
    said,
    undone,
    write_rows,
)

pytestmark = pytest.mark.django_db

BUSY = "The database is busy. Nothing was changed; try again."
#: Where the messages were written already.
IN_QUEUE = "The database did not answer in time. The messages are in the queue"

NOBODY: tuple[set[str], ...] = ()


class Post(NamedTuple):
    """What is posted, and the sets of permissions of which one is needed to change a row."""

    fields: dict[str, Any]
    needs: tuple[set[str], ...] = NOBODY
    #: The values of the parts of the address.
    args: tuple[Any, ...] = ()
    #: Called with the person, to put the rows in the state that it is for.
    before: Callable[[Any], object] = lambda user: None


def act(action: str, pk: int, *needs: set[str], **fields: Any) -> Post:
    """Return the POST of an action of a list."""
    return Post({"action": action, "_selected_action": pk, "post": "yes"} | fields, needs)


def decide(choice: str, needed: str = SEND) -> Post:
    return Post({"choice": choice, "pks": UNKNOWN}, ({SEE, needed},))


def write(button: str, *needs: set[str], **fields: Any) -> Post:
    """Return the POST of the form that writes a message."""
    typed = {"numbers": "89135292926", "text": "x", "priority": 5, "source": "89234560000"}
    return Post(typed | {button: "yes", "submission_id": str(UUID(int=1))} | fields, needs)


def switch(name: str, **state: Any) -> Post:
    """Return the POST of a switch, where the gateway is in this state."""
    return Post({}, ({SEND},), (name,), lambda user: GatewayState.objects.update(**state))


def stopped_webhook(user: Any) -> None:
    WebhookConsumer.objects.update(stopped_at=db_now())


def own_mailing(user: Any) -> None:
    SmsMailing.objects.filter(pk=WAITING).update(created_by=user)


#: Posted to every address with everything that some page reads. Nobody changes anything by it
#: where ``POSTS`` has no better one.
EVERYTHING = {
    "action": "delete_selected", "_selected_action": PENDING, "post": "yes", "_save": "yes",
    "name": "x", "text": "x", "number": "89135292926", "note": "x", "status": "failed",
    "choice": "give_up", "pks": "x", "confirmed": "yes", "worker": "x", "typed": "89135292926",
    "numbers": "89135292926",
}  # fmt: skip
LIST_FILE = b"phone\n89135292926\n"

#: By the name of each address, whose first word is left out: who may change something there, how.
POSTS: dict[str, list[Post]] = {
    "recipients": [],
    "decide": [decide("resend", RESEND), decide("resolve_sent"), decide("give_up")],
    "export": [],
    "gateway": [
        switch("pause"),
        switch("resume", paused_at=db_now()),
        switch("try-now", blocked_until=db_now() + HOUR),
    ],
    "reports": [],
    "smsmessage_changelist": [
        act("send_now", PENDING, {SEE, SEND}),
        act("refresh", ASKED, {SEE, SEND}),
        act("cancel", PENDING, {SEE, SEND}),
        act("copy", FAILED),  # asks
        act("copy", FAILED, {SEE, RESEND, TEXT}, pks=FAILED),
        act("decide", UNKNOWN),  # asks
        act("delete_selected", FAILED, {SEE, DELETE}),
        act("delete_selected", PENDING),
    ],
    "smsmessage_add": [
        write("_save", {WRITE}),
        write("_addanother", {WRITE}),
        write("_send_now", {WRITE, SEND}),
        write("_save", {WRITE}, copy_of=FAILED),
        write("_check"),
        write("_no_such_button"),
    ],
    "smsmessage_history": [],
    "smsmessage_delete": [
        Post({"post": "yes"}, ({DELETE},), (FAILED,)),
        Post({"post": "yes"}, NOBODY, (PENDING,)),
    ],
    "smsmessage_change": [],
    "smsbatch_changelist": [],
    "smsbatch_add": [],
    "smsbatch_history": [],
    "smsbatch_delete": [],
    "smsbatch_change": [],
    "sample": [],
    "mailing_invalid": [],
    "mailing_confirm": [
        Post({}, ({WRITE, TEXT},), (WAITING,)),
        Post({}, ({WRITE},), (WAITING,), own_mailing),
        Post({}, NOBODY, (CONFIRMED,)),
    ],
    "mailing_cancel": [
        Post({}, NOBODY, (CONFIRMED,)),  # asks
        Post({"confirmed": "yes"}, ({SEND, SEE}, {SEND, WRITE}), (CONFIRMED,)),
    ],
    "smsmailing_changelist": [],
    "smsmailing_add": [
        Post({"name": "x", "text": "x", "priority": 5, "file": LIST_FILE}, ({WRITE},)),
        Post({"name": "x", "text": "x", "priority": 5, "corrects": WAITING}, ({WRITE, TEXT},)),
    ],
    "smsmailing_history": [],
    "smsmailing_delete": [],
    "smsmailing_change": [],
    "stoppednumber_changelist": [act("delete_selected", STOPPED, {SEE_STOPPED, UNSTOP})],
    "stoppednumber_add": [Post({"typed": "89135292926", "note": "x"}, ({STOP},))],
    "stoppednumber_history": [],
    "stoppednumber_delete": [Post({"post": "yes"}, ({UNSTOP},), (STOPPED,))],
    "stoppednumber_change": [],
    "webhookconsumer_changelist": [],
    "webhookconsumer_add": [],
    "webhookconsumer_history": [],
    "webhookconsumer_delete": [],
    "webhookconsumer_change": [],
    "webhook_again": [
        Post({"since": "2026-11-29T10:00"}, ({START_WEBHOOK},), (WEBHOOK,)),
        Post({"since": "yesterday"}, NOBODY, (WEBHOOK,)),
    ],
    "webhook_start": [
        Post({}, ({START_WEBHOOK},), (WEBHOOK,), stopped_webhook),
        Post({}, NOBODY, (WEBHOOK,)),  # it is not stopped
    ],
}

#: What else is asked by GET, beside the address alone.
QUERIES = {
    "smsmessage_changelist": [f"?q={WORD}", "?q=8913111", "?status__exact=unknown", "?e=1"],
    "smsmessage_add": [f"?copy={FAILED}", "?_popup=1"],
    "decide": [f"?batch={BATCH}"],
    "smsmailing_add": [f"?corrects={WAITING}"],
    "export": [f"?q={WORD}"],
    "reports": ["?period=month"],
    "stoppednumber_changelist": ["?q=8913"],
}
#: What stands for each part of an address: for ``object_id`` the rows of the model.
VALUES: dict[str, list[Any]] = {
    "pk": [WAITING, CONFIRMED],
    "kind": ["csv", "xlsx"],
    "name": ["pause", "resume", "try-now"],
    "smsmessage": [PENDING, FAILED, UNKNOWN],
    "smsbatch": [BATCH],
    "smsmailing": [WAITING, CONFIRMED],
    "stoppednumber": [STOPPED],
    "webhookconsumer": [WEBHOOK],
}


def addresses() -> Iterator[tuple[str, str, URLPattern]]:
    """Yield the name of each address of the app's pages, with its model and its pattern."""
    for model in apps.get_app_config("mobilon_sms").get_models():
        if model in admin.site._registry:
            for url in admin.site._registry[model].get_urls():
                # Django's own redirect from an older address has none.
                name = (url.name or f"_{model._meta.model_name}_change").replace("mobilon_sms", "")
                yield name[1:], str(model._meta.model_name), url


def filled(name: str, model: str, url: URLPattern) -> Iterator[str]:
    """Yield the addresses of a pattern, for every value of its part."""
    parts = list(url.pattern.converters)
    if not parts:
        yield reverse(f"admin:mobilon_sms_{name}")
        return
    for value in VALUES[model if parts == ["object_id"] else parts[0]]:
        address = reverse(f"admin:mobilon_sms_{name}", args=[value])
        yield address if url.name else address.removesuffix("change/")


def walk() -> Iterator[tuple[str, Post | None]]:
    """Yield every request: its address, and what is posted to it, if anything."""
    yield reverse("admin:index"), None
    yield reverse("admin:app_list", args=["mobilon_sms"]), None
    for name, model, url in addresses():
        for address in filled(name, model, url):
            yield from ((address + query, None) for query in ("", *QUERIES.get(name, [])))
            if not POSTS[name]:
                yield address, Post(EVERYTHING)
        for post in POSTS[name]:
            yield reverse(f"admin:mobilon_sms_{name}", args=post.args), post


def send(client: Client, address: str, post: Post) -> Any:
    """Post it and return the answer."""
    fields = {
        name: SimpleUploadedFile("list.csv", value) if isinstance(value, bytes) else value
        for name, value in post.fields.items()
    }
    return client.post(address, fields)


def notices(client: Client, response: Any) -> str:
    """Return the notices that the next page would show, and drop them."""
    client.cookies.pop("messages", None)
    return "\n".join(str(line) for line in getattr(response.wsgi_request, "_messages", ()))


def ask(client: Client, address: str, post: Post | None) -> str:
    """Return all that is answered."""
    response = send(client, address, post) if post else client.get(address)
    return said(response) + notices(client, response)


@pytest.fixture
def persons(sandbox: Any) -> dict[str, tuple[User, set[str]]]:
    write_rows()
    found = people()
    # Outside the staff no permission counts.
    outsider = User.objects.create_user("outsider")
    outsider.user_permissions.set(Permission.objects.all())
    return found | {"outsider": (outsider, set())}


def test_everybody_sees_and_changes_what_their_permissions_open_and_nothing_else(persons):
    wrong, seen = [], set()
    for who, (user, permissions) in persons.items():
        client = Client()
        client.force_login(user)
        for address, post in walk():
            with undone(partial(post.before, user) if post else lambda: None) as changed:
                words = ask(client, address, post)
                tables = changed()
            may = post is not None and has_any(permissions, post.needs)
            found = leaks(words, permissions)
            if found or bool(tables) != may:
                wrong.append((who, address, post and post.fields, tables, found))
            seen |= {secret for secret in SECRETS if secret in words}
    assert not wrong, "\n".join(map(str, wrong))
    assert seen == {*SECRETS}  # or nobody could have been shown one


def test_table_names_every_address_and_every_action():
    assert {name for name, _model, _url in addresses()} == {*POSTS}
    request = RequestFactory().get("/")
    request.user = User(is_superuser=True)
    for model, page in admin.site._registry.items():
        if model._meta.app_label == "mobilon_sms":
            posts = POSTS[f"{model._meta.model_name}_changelist"]
            assert {*page.get_actions(request)} == {post.fields["action"] for post in posts}


@pytest.mark.django_db(transaction=True)
def test_locked_database_leaves_every_button_undone_and_says_so(persons, monkeypatch):
    """SQLite, where a writer locks the whole database and another can be refused at once."""
    monkeypatch.setattr(database_busy, "PATIENCE", -1)  # seconds: there is no second attempt
    user, _permissions = persons["all"]
    client = Client()
    client.force_login(user)
    writing = [(address, post) for address, post in walk() if post and post.needs]
    for address, post in writing:
        post.before(user)
        rows = dump()
        with closing(sqlite3.connect(connection.settings_dict["NAME"])) as other:
            other.execute("BEGIN IMMEDIATE")
            connection.cursor().execute("PRAGMA busy_timeout = 0")
            response = send(client, address, post)
        words = text_of(response) + notices(client, response)
        assert BUSY in words or IN_QUEUE in words, (address, post.fields, words)
        assert dump() == rows
