"""``manage.py sms_sandbox``: a local gateway that sends nothing."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError
from django.utils.translation import gettext as _

from ...conf import conf, is_loopback
from ...sandbox import Exchange, Sandbox
from ..arguments import port, seconds
from ..output import WorkingCommand
from ..stop_signals import stop_on_signals


class Command(WorkingCommand):
    """Runs a sandbox gateway and prints what it receives, until a signal."""

    help = "Runs a local gateway for development. It prints the messages and sends none."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        add = parser.add_argument
        add(
            "--host",
            default="127.0.0.1",
            help="Name or address to listen on and to answer to (default: 127.0.0.1). Any other"
            " one lets the network read all messages; in docker compose, name the service.",
        )
        add("--port", type=port, default=8030, help="Port, 0 for a free one (default: 8030).")
        add("--username", help="User name to require (default: MOBILON_SMS_USERNAME, or sandbox).")
        add("--password", help="Password to require (default: MOBILON_SMS_PASSWORD, or sandbox).")
        add("--latency", type=seconds, default=0.0, help="Seconds before each answer.")
        add(
            "--sent-after",
            type=seconds,
            default=0.0,
            help="Seconds until a message is reported as sent.",
        )
        add(
            "--fault",
            action="append",
            default=[],
            metavar="NAME[:RATE]",
            help="Fault of all requests to /send/, or of this share of them; may be repeated.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Listen until a signal."""
        sandbox = sandbox_from(options)
        sandbox.on_request = lambda exchange: self.say(lines(exchange))
        with stop_on_signals() as stop:
            try:
                listen(sandbox)
                self.say([f"Sandbox gateway on {sandbox.url}"])
                if not is_loopback(options["host"]):
                    self.say([_("Warning: whoever reaches this address can read the messages.")])
                stop.wait(None)
            finally:
                sandbox.stop()

    def say(self, lines: Iterable[str]) -> None:
        """Print lines at once. If nobody reads them any more, run on in silence."""
        self.stdout.write("".join(f"{line}\n" for line in lines), ending="")


def sandbox_from(options: dict[str, Any]) -> Sandbox:
    """Return the sandbox of these options. Raise ``CommandError`` with the name of a wrong one."""
    username = str(options["username"] or conf.USERNAME or "sandbox")
    if ":" in username:
        raise CommandError(_("--username: basic authentication cannot carry a “:” in it."))
    sandbox = Sandbox(
        host=options["host"],
        port=options["port"],
        username=username,
        password=options["password"] or conf.PASSWORD or "sandbox",
        latency=options["latency"],
        sent_after=options["sent_after"],
    )
    for fault in options["fault"]:
        name, _colon, rate = fault.partition(":")
        try:
            sandbox.fault(name, rate=float(rate or 1))
        except ValueError as error:
            raise CommandError(f"--fault {fault}: {error}") from error
    return sandbox


def listen(sandbox: Sandbox) -> None:
    """Start the sandbox. Raise ``CommandError`` if its address is not available."""
    try:
        sandbox.start()
    except OSError as error:
        raise CommandError(
            _(
                "--host, --port: not available (%(reason)s). Choose other ones, or port 0 for any,"
                " and set MOBILON_SMS_BASE_URL to the same."
            )
            % {"reason": error.strerror}
        ) from error


def lines(exchange: Exchange) -> Iterator[str]:
    """Yield a line for each received message, and one for a request that failed."""
    for message in exchange.received:
        clock = datetime.fromtimestamp(message.at).strftime("%H:%M:%S")
        yield printable(f"{clock} {message.guid} {message.number} {message.text}")
    if exchange.fault or exchange.code != 200:
        clock = datetime.now().strftime("%H:%M:%S")
        answer = f"answered {exchange.code}" if exchange.code else "not answered"
        fault = f" (fault {exchange.fault})" if exchange.fault else ""
        yield printable(f"{clock} {exchange.method} {exchange.path} {answer}{fault}")


def printable(text: str) -> str:
    """Escape line breaks and other characters that could control a terminal."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
