"""A local gateway to develop and test against: the vendor's endpoints, with latency and faults.

    with Sandbox() as sandbox:
        sandbox.fault("reset_after_read")
        ...  # something that posts to sandbox.url
        assert sandbox.copies(guid) == 1

It knows no Django. Where the vendor's page is silent, its answers are our invention, and each
docstring says so.
"""

from __future__ import annotations

import json
import random
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import datetime, timezone
from types import EllipsisType, TracebackType
from typing import Any

from .broken_replies import Answer, Case, json_reply
from .faults import EXAMPLE, Fault, Rule, find
from .page import HEADERS, page
from .records import Exchange, Received
from .request_checks import (
    FIELDS,
    METHODS,
    SEND,
    basic_token,
    body_refusal,
    head_refusal,
    is_json,
    parsed_array,
    refusal,
)
from .server import Reply, Request, Server, http_reply


class Sandbox:
    """A gateway on 127.0.0.1, on `port` or a free one, for one user.

    `latency` is how many seconds an answer waits after its messages were taken in, `sent_after`
    how many pass until a message is reported as sent; both may be changed while it runs.
    `on_request` is called with every exchange before it is answered, in its connection's thread.
    `random` decides for faults with a rate. A guid that comes again is taken in again, under
    another id (our invention).
    """

    def __init__(
        self,
        *,
        port: int = 0,
        username: str = "sandbox",
        password: str = "sandbox",  # noqa: S107
        latency: float = 0.0,
        sent_after: float = 0.0,
        on_request: Callable[[Exchange], None] | None = None,
    ) -> None:
        self.latency = latency
        self.sent_after = sent_after
        self.on_request = on_request
        self.random = random.Random(0)  # noqa: S311
        self.statuses: dict[str, Answer] = {}
        self._port = port
        self._token = basic_token(username, password)
        self._server: Server | None = None
        self._lock = threading.Lock()
        self._rules: list[Rule] = []
        self._exchanges: list[Exchange] = []
        self._taken: dict[str, Received] = {}
        self._copies: Counter[str] = Counter()

    def start(self) -> Sandbox:
        """Listen, after a stop on the same port. OSError: the port can not be had."""
        if self._server is not None:
            raise RuntimeError("This sandbox runs already.")
        self._server = Server(self._port, self._answer)
        self._port = self._server.server_address[1]
        return self

    def stop(self) -> None:
        """Stop listening and cut every connection; what was received stays to be asked for."""
        server, self._server = self._server, None
        if server is not None:
            server.stop()

    def __enter__(self) -> Sandbox:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The base URL, with a slash at its end; after a stop it is where nobody listens."""
        if not self._port:
            raise RuntimeError("This sandbox has no port yet: start it first.")
        return f"http://127.0.0.1:{self._port}/"

    @property
    def exchanges(self) -> list[Exchange]:
        """Every request heard, in order of arrival, but for those to the sandbox's own pages."""
        with self._lock:
            return list(self._exchanges)

    @property
    def posts(self) -> list[Exchange]:
        """The requests to /send/."""
        return [exchange for exchange in self.exchanges if exchange.path == SEND]

    @property
    def messages(self) -> list[Received]:
        """Every message taken in, in order of arrival."""
        return [message for exchange in self.exchanges for message in exchange.received]

    @property
    def faults(self) -> list[dict[str, Any]]:
        """The faults that may still strike: name, path, and times (left) or rate."""
        with self._lock:
            return [rule.told() for rule in self._rules if not rule.over]

    def copies(self, guid: object) -> int:
        """Return how often this guid was taken in."""
        with self._lock:
            return self._copies[str(guid)]

    def fault(
        self,
        name: str,
        *,
        times: int | None = None,
        rate: float | None = None,
        path: str = SEND,
        **options: Any,
    ) -> None:
        """Let a fault strike the next `times` requests to `path` (default 1), or a share of them.

        Options are those of the fault (see `sandbox_faults.FAULTS`), and for each of them `taken`,
        whether the messages are taken in all the same, and `ending`, what becomes of the
        connection: "keep", "close", "reset" or "hang". Of several faults the one set first strikes;
        what would be refused anyway is refused. ValueError: no such fault or option.
        """
        if path not in FIELDS:
            raise ValueError(f"path must be one of {', '.join(FIELDS)}.")
        rule = Rule(find(name, **options), path, times, rate)
        with self._lock:
            self._rules.append(rule)

    def clear_faults(self) -> None:
        """Behave well from now on."""
        with self._lock:
            self._rules.clear()

    def forget(self) -> None:
        """Forget every request, message and status."""
        with self._lock:
            self._exchanges.clear()
            self._taken.clear()
            self._copies.clear()
            self.statuses.clear()

    def set_status(
        self,
        id: str,
        status: int,
        date: str | EllipsisType | None = ...,
        *,
        guid: str | None = None,
    ) -> None:
        """Let /status/ answer this for `id`, also where no such message was received.

        `date` is given as it is; None leaves it out, and the default is now. `guid` is the
        message's, unless told.
        """
        with self._lock:
            known = self._taken.get(id)
            answer = {
                "status": status,
                "guid": known.guid if guid is None and known is not None else guid,
                "dateTimeSent": _timestamp(time.time()) if date is ... else date,
                "id": id,
            }
            self.statuses[id] = {key: told for key, told in answer.items() if told is not None}

    def _answer(self, request: Request) -> Reply:
        if request.path not in FIELDS and request.method in METHODS.get(request.path, ()):
            return _own_answer(self, request)
        exchange, reply = self._decide(request)
        with self._lock:
            self._exchanges.append(exchange)
            self._taken.update((message.id, message) for message in exchange.received)
            self._copies.update(message.guid for message in exchange.received)
        if self.on_request is not None:
            self.on_request(exchange)
        return replace(reply, delay=reply.delay + self.latency)

    def _decide(self, request: Request) -> tuple[Exchange, Reply]:
        heard = Exchange(request.method, request.path, request.headers, b"", None, "", None)
        refused = head_refusal(request, self._token)
        fault = None if refused else self._draw(request.path)
        if fault is not None and fault.unread:
            return replace(heard, fault=fault.name), fault.reply(EXAMPLE)
        body = request.read()
        heard = replace(heard, body=body, objects=parsed_array(body))
        refused = refused or body_refusal(request.path, heard.objects)
        if refused is not None:
            return replace(heard, code=refused.code), refused
        return self._answered(heard, heard.objects or [], fault)

    def _draw(self, path: str) -> Fault | None:
        with self._lock:
            striking = (rule.fault for rule in self._rules if rule.strikes(path, self.random))
            return next(striking, None)

    def _answered(
        self, heard: Exchange, objects: list[Answer], fault: Fault | None
    ) -> tuple[Exchange, Reply]:
        received = _received(objects) if heard.path == SEND else ()
        case = _send_case(received) if heard.path == SEND else self._status_case(objects)
        if fault is None:
            reply = json_reply(case.answers)
            return replace(heard, received=received, code=reply.code), reply
        reply = fault.reply(case)
        taken = received if fault.taken else ()
        return replace(heard, received=taken, fault=fault.name, code=reply.code), reply

    def _status_case(self, objects: list[Answer]) -> Case:
        with self._lock:
            pairs = [(self._report(asked["id"]), self._taken.get(asked["id"])) for asked in objects]
        told = [(answer, message) for answer, message in pairs if answer is not None]
        return Case([answer for answer, _ in told], [_echo(message) for _, message in told])

    def _report(self, id: str) -> Answer | None:
        # Status 0 without a date until it is sent, no answer for an unknown id: our inventions.
        message = self._taken.get(id)
        if id in self.statuses or message is None:
            return self.statuses.get(id)
        if max(0.0, time.time() - message.at) < self.sent_after:
            return {"status": 0, "guid": message.guid, "id": id}
        sent_at = _timestamp(message.at + self.sent_after)
        return {"status": 1, "guid": message.guid, "dateTimeSent": sent_at, "id": id}


def _received(objects: list[Answer]) -> tuple[Received, ...]:
    at = time.time()
    fields = ({name: asked[name] for name in FIELDS[SEND]} for asked in objects)
    return tuple(Received(**told, id=secrets.token_hex(12), at=at) for told in fields)


def _send_case(received: tuple[Received, ...]) -> Case:
    answers = [{"status": 0, "guid": message.guid, "id": message.id} for message in received]
    return Case(answers, [_echo(message) for message in received])


def _echo(message: Received | None) -> Answer:
    names = ("text", "number", "source") if message else ()
    return {name: getattr(message, name) for name in names}


def _timestamp(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _own_answer(sandbox: Sandbox, request: Request) -> Reply:
    """Answer `GET /`, `GET /messages.json`, and `POST` and `DELETE /faults/`."""
    body = request.read()
    match request.method, request.path:
        case "POST", _:
            return _set_fault(sandbox, request, body)
        case "DELETE", _:
            sandbox.clear_faults()
            return json_reply(sandbox.faults)
        case _, "/messages.json":
            return json_reply([asdict(message) for message in sandbox.messages])
    html = page(sandbox.messages, len(sandbox.exchanges), sandbox.faults)
    return http_reply(200, html, "text/html; charset=utf-8", HEADERS)


def _set_fault(sandbox: Sandbox, request: Request, body: bytes) -> Reply:
    if not is_json(request.headers):  # also keeps other sites' forms from reaching this door
        return refusal(415, "Content-Type must be application/json.")
    try:
        sandbox.fault(**json.loads(body))
    except (ValueError, TypeError, RecursionError) as error:
        return refusal(400, f"{error}")
    return json_reply(sandbox.faults)
