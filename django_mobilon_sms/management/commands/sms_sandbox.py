from __future__ import annotations

import math
import os
import signal
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from ...conf import conf
from ...sandbox import Exchange, Sandbox

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Command(BaseCommand):
    help = "Runs a local gateway to develop against: it shows what it is sent, and sends nothing."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        add = parser.add_argument
        add(
            "--port",
            type=int,
            default=8030,
            help="port on 127.0.0.1, 0 for a free one (default: 8030)",
        )
        add("--username", help="user name to ask for (default: MOBILON_SMS_USERNAME, or sandbox)")
        add("--password", help="password to ask for (default: MOBILON_SMS_PASSWORD, or sandbox)")
        add("--latency", type=float, default=0.0, help="seconds that every answer takes")
        add(
            "--sent-after",
            type=float,
            default=0.0,
            help="seconds until a message is reported as sent",
        )
        add(
            "--fault",
            action="append",
            default=[],
            metavar="NAME[:RATE]",
            help="fault that requests to /send/ meet, all or this share of them; may be repeated",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        sandbox = sandbox_from(options)
        sandbox.on_request = self.tell
        with until_told_to_stop():
            try:
                listen(sandbox)
                self.say([f"Sandbox gateway on {sandbox.url}"])
                while True:  # a signal just before a sleep does not end it: sleep shortly
                    time.sleep(0.1)
            finally:
                sandbox.stop()

    def tell(self, exchange: Exchange) -> None:
        """Print what a request brought."""
        self.say(lines(exchange))

    def say(self, lines: Iterable[str]) -> None:
        """Print lines at once; without a reader the gateway goes on in silence."""
        encoding = getattr(self.stdout, "encoding", None) or "utf-8"
        text = "".join(f"{line}\n" for line in lines)
        try:
            self.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding), ending="")
            self.stdout.flush()
        except OSError:
            # What stays in the buffer would fail once more at the exit, and change its code.
            with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
                os.dup2(nowhere.fileno(), sys.stdout.fileno())


def sandbox_from(options: dict[str, Any]) -> Sandbox:
    """Return the sandbox that the options describe. CommandError: it names the wrong option."""
    if not 0 <= options["port"] <= 65535:
        raise CommandError(_("--port: it must be between 0 and 65535."))
    username = str(options["username"] or conf.USERNAME or "sandbox")
    if ":" in username:
        raise CommandError(_("--username: basic authentication can not carry a “:” in it."))
    sandbox = Sandbox(
        port=options["port"],
        username=username,
        password=options["password"] or conf.PASSWORD or "sandbox",
        latency=seconds(options, "latency"),
        sent_after=seconds(options, "sent_after"),
    )
    for fault in options["fault"]:
        set_fault(sandbox, fault)
    return sandbox


def seconds(options: dict[str, Any], name: str) -> float:
    value = float(options[name])
    if not 0 <= value < math.inf:
        option = "--" + name.replace("_", "-")
        raise CommandError(_("%(option)s: it must be 0 seconds or more.") % {"option": option})
    return value


def set_fault(sandbox: Sandbox, told: str) -> None:
    name, _colon, rate = told.partition(":")
    try:
        sandbox.fault(name, rate=float(rate or 1))
    except ValueError as error:
        raise CommandError(f"--fault {told}: {error}") from error


def listen(sandbox: Sandbox) -> None:
    try:
        sandbox.start()
    except OSError as error:
        raise CommandError(
            _("--port: it can not be had (%(reason)s). Name another, or 0 for a free one.")
            % {"reason": error.strerror}
        ) from error


@contextmanager
def until_told_to_stop() -> Iterator[None]:
    """Leave the block at the first SIGINT or SIGTERM, and put their former handlers back."""

    def leave(*_: object) -> None:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    former = {number: signal.signal(number, leave) for number in SIGNALS}
    try:
        with suppress(KeyboardInterrupt):
            yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def lines(exchange: Exchange) -> Iterator[str]:
    """Yield a line for each message taken in, and one for a request that did not go well."""
    for message in exchange.received:
        clock = datetime.fromtimestamp(message.at).strftime("%H:%M:%S")
        yield printable(f"{clock} {message.guid} {message.number} {message.text}")
    if exchange.fault or exchange.code != 200:
        clock = datetime.now().strftime("%H:%M:%S")
        answer = f"answered {exchange.code}" if exchange.code else "not answered"
        fault = f" (fault {exchange.fault})" if exchange.fault else ""
        yield printable(f"{clock} {exchange.method} {exchange.path} {answer}{fault}")


def printable(text: str) -> str:
    """Escape line breaks and what else could play with a terminal."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
