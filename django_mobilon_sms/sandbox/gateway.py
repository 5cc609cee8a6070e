"""A local gateway to develop and test against: the vendor's endpoints, with latency and faults.

    with Sandbox() as sandbox:
        sandbox.fault("reset_after_read")
        ...  # something that posts to sandbox.url
        assert sandbox.copies(guid) == 1

Where the vendor's page is silent, the answers are our invention, and each docstring says so.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from types import EllipsisType
from typing import Any

from .broken_replies import FAULTS, Case, Function
from .faults import EXAMPLE, NO_FAULT, Fault, Rule, find
from .page import HEADERS, page
from .records import Exchange, Received
from .request_checks import (
    FIELDS,
    METHODS,
    SEND,
    basic_token,
    body_refusal,
    head_refusal,
    host_refusal,
    is_json,
    parsed_array,
    refusal,
)
from .right_replies import (
    Answer,
    acceptance,
    answered,
    is_accepted,
    new_messages,
    report,
    timestamp,
)
from .server import Reply, Request, Server, http_reply, json_reply

LOOPBACK = "127.0.0.1"


class Sandbox:
    """A gateway on 127.0.0.1 or `host` for one user, on `port` or on a free one.

    `latency` is the time in seconds between accepting messages and answering, `sent_after` the
    time until a message is reported as sent; both may change while the sandbox runs. `on_request`
    is called with every exchange before it is answered, in the thread of its connection. `faults`
    adds named functions to those in `broken_replies.FAULTS`. `random` decides about faults with a
    rate. A guid that comes again is accepted again under another id (our invention).
    """

    def __init__(
        self,
        *,
        host: str = LOOPBACK,
        port: int = 0,
        username: str = "sandbox",
        password: str = "sandbox",  # noqa: S107
        latency: float = 0.0,
        sent_after: float = 0.0,
        on_request: Callable[[Exchange], None] | None = None,
        faults: Mapping[str, Function] | None = None,
    ) -> None:
        self.latency = latency
        self.sent_after = sent_after
        self.on_request = on_request
        self.random = random.Random(0)  # noqa: S311
        self._host = host
        self._hosts = {LOOPBACK, "localhost", host.lower()}
        self._port = port
        self._token = basic_token(username, password)
        self._functions = {**FAULTS, **(faults or {})}
        self._server: Server | None = None
        self._lock = threading.Lock()
        self._rules: list[Rule] = []
        self._exchanges: list[Exchange] = []
        self._received: dict[str, Received] = {}
        self._statuses: dict[str, Answer] = {}

    # Listen

    def start(self) -> Sandbox:
        """Listen; after a stop, on the same port. OSError: the port is not available."""
        if self._server is not None:
            raise RuntimeError("This sandbox runs already.")
        self._server = Server(self._host, self._port, self._answer)
        self._port = self._server.server_address[1]
        return self

    def stop(self) -> None:
        """Stop listening and cut every connection. The records remain."""
        server, self._server = self._server, None
        if server is not None:
            server.stop()

    def __enter__(self) -> Sandbox:
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The base URL, with a final slash. It stays the same after a stop."""
        if not self._port:
            raise RuntimeError("This sandbox has no port yet: start it first.")
        return f"http://{self._host}:{self._port}/"

    # Ask what was received

    @property
    def exchanges(self) -> list[Exchange]:
        """Every request in order of arrival, except those to the sandbox's own pages."""
        with self._lock:
            return list(self._exchanges)

    @property
    def posts(self) -> list[Exchange]:
        """The requests to /send/."""
        return [exchange for exchange in self.exchanges if exchange.path == SEND]

    @property
    def messages(self) -> list[Received]:
        """Every accepted message in order of arrival."""
        with self._lock:
            return list(self._received.values())

    def copies(self, guid: object) -> int:
        """Return how often this guid was accepted."""
        return sum(message.guid == str(guid) for message in self.messages)

    def forget(self) -> None:
        """Forget every request, message and status."""
        with self._lock:
            self._exchanges.clear()
            self._received.clear()
            self._statuses.clear()

    # Set what is answered

    @property
    def faults(self) -> list[dict[str, Any]]:
        """The faults that may still strike: name, path, and times (left) or rate."""
        with self._lock:
            return [rule.as_json() for rule in self._rules if not rule.over]

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

        Every fault takes its own options and two more: `taken`, whether the messages are accepted
        nevertheless, and `ending`, the end of the connection: "keep", "close", "reset" or "hang".
        If several faults are set, the first one strikes. A wrong request is refused all the same.
        ValueError: no such fault or option.
        """
        if path not in FIELDS:
            raise ValueError(f"path must be one of {', '.join(FIELDS)}.")
        rule = Rule(find(self._functions, name, **options), path, times, rate)
        with self._lock:
            self._rules.append(rule)

    def clear_faults(self) -> None:
        """Answer correctly from now on."""
        with self._lock:
            self._rules.clear()

    def set_status(
        self,
        id: str,
        status: int,
        date: str | EllipsisType | None = ...,
        *,
        guid: str | None = None,
    ) -> None:
        """Let /status/ answer this for `id`, even if there is no such message.

        `date` is answered unchanged; by default it is now, and None leaves it out. `guid` is by
        default the message's.
        """
        with self._lock:
            message = self._received.get(id)
            answer = {
                "status": status,
                "guid": message.guid if guid is None and message is not None else guid,
                "dateTimeSent": timestamp(time.time()) if date is ... else date,
                "id": id,
            }
            self._statuses[id] = {key: answer[key] for key in answer if answer[key] is not None}

    # Hear a request, decide, record

    def _answer(self, request: Request) -> Reply:
        if request.path not in FIELDS and request.method in METHODS.get(request.path, ()):
            return host_refusal(request.headers, self._hosts) or _own_answer(self, request)
        exchange, reply = self._decide(request)
        self._record(exchange)
        if self.on_request is not None:
            self.on_request(exchange)
        return replace(reply, delay=reply.delay + self.latency)

    def _decide(self, request: Request) -> tuple[Exchange, Reply]:
        exchange = Exchange(request.method, request.path, request.headers)
        refused = host_refusal(request.headers, self._hosts)
        refused = refused or head_refusal(request, self._token)
        fault = NO_FAULT if refused else self._next_fault(request.path)
        if fault.unread:
            return replace(exchange, fault=fault.name), fault.reply(EXAMPLE)
        body = request.read()
        objects = parsed_array(body)
        exchange = replace(exchange, body=body, objects=objects)
        refused = refused or body_refusal(request.path, objects)
        if refused is not None:
            return replace(exchange, code=refused.code), refused
        return self._reply(exchange, objects or [], fault)

    def _next_fault(self, path: str) -> Fault:
        with self._lock:
            striking = (rule.fault for rule in self._rules if rule.strikes(path, self.random))
            return next(striking, NO_FAULT)

    def _reply(
        self, exchange: Exchange, objects: list[Any], fault: Fault
    ) -> tuple[Exchange, Reply]:
        received: tuple[Received, ...] = ()
        if exchange.path == SEND:
            received = new_messages(objects)
            mentioned = answered(received)
            case = Case([acceptance(message) for message in mentioned], [*mentioned])
        else:
            case = self._reports([asked["id"] for asked in objects])
        reply = fault.reply(case)
        accepted = tuple(filter(is_accepted, received)) if fault.taken else ()
        return replace(exchange, received=accepted, fault=fault.name, code=reply.code), reply

    def _reports(self, ids: list[str]) -> Case:
        with self._lock:
            answers = [answer for id in ids if (answer := self._report(id)) is not None]
            return Case(answers, [self._received.get(answer["id"]) for answer in answers])

    def _report(self, id: str) -> Answer | None:
        message = self._received.get(id)
        if id in self._statuses or message is None:  # no answer for an unknown id: our invention
            return self._statuses.get(id)
        return report(message, self.sent_after)

    def _record(self, exchange: Exchange) -> None:
        with self._lock:
            self._exchanges.append(exchange)
            self._received.update((message.id, message) for message in exchange.received)


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
    if not is_json(request.headers):  # a form of another site cannot declare JSON
        return refusal(415, "Content-Type must be application/json.")
    try:
        sandbox.fault(**json.loads(body))
    except (ValueError, TypeError, RecursionError) as error:
        return refusal(400, f"{error}")
    return json_reply(sandbox.faults)
