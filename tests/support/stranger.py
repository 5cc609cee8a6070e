"""A stranger who follows a page to the letter: types its commands, writes its files."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from tests.support.documents import Block, typed

#: Commands that run until Ctrl+C: each gets a terminal of its own.
ENDLESS = ("runserver", "sms_sandbox", "--loop")
#: The longest wait for a line: a minute after trouble the app tries the gateway again.
PROMPT = 200.0
DONE = "-- typed --"
#: Tests in the background ignore Ctrl+C, and so would everything that they start.
SHELL = """
import os, signal
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execvp("bash", ["bash", "--norc"])
"""
#: Nothing of the test's own environment leads the commands to this checkout.
LEAKS = ("DATABASE_URL", "DJANGO_", "MOBILON_", "PYTEST_", "PYTHON", "VIRTUAL_ENV")


class Terminal:
    """A shell; everything it printed is in ``lines``."""

    def __init__(self, folder: Path) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(LEAKS)}
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "encoding": "utf-8"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", SHELL],
            cwd=folder,
            env=kept | {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8", "LC_ALL": "C.UTF-8"},
            stdin=subprocess.PIPE,
            start_new_session=True,
            **options,
        )
        self.lines: list[str] = []
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self) -> None:
        """Keep what is printed, until the shell ends."""
        assert self.process.stdout
        with self.process.stdout as printed:
            for line in printed:
                self.lines.append(line.rstrip())

    def write(self, line: str) -> None:
        """Type one line."""
        assert self.process.stdin
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def type(self, command: str) -> str:
        """Type a command that ends, and return what it printed."""
        begin = len(self.lines)
        self.write(f"{{ {command}; }} </dev/null; echo; echo '{DONE}'")
        self.wait_for(DONE, begin)
        end = self.lines.index(DONE, begin)
        return "\n".join(self.lines[begin:end]).strip()

    def wait_for(self, expected: str, begin: int = 0) -> int:
        """Wait until these lines were printed; return the number of the line after them."""
        latest = time.monotonic() + PROMPT
        while not (found := matches(expected, "\n".join(self.lines[begin:]))):
            assert time.monotonic() < latest, f"{expected!r} is not in {self.lines[begin:]}"
            time.sleep(0.1)
        return begin + found.string.count("\n", 0, found.end()) + 1

    def stop(self) -> None:
        """Press Ctrl+C, and wait for the end."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
        if self.process.stdin:
            self.process.stdin.close()
        self.process.wait(PROMPT)
        self.reader.join(PROMPT)


class Stranger:
    """Someone with an empty folder, a page, and the built wheel in place of the clone."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        self.clone = folder / "clone"
        self.clone.mkdir()
        self.wheel = wheel
        self.open: dict[str, Terminal] = {}
        self.read = 0  # lines of the worker
        self.entered: list[str] = []  # what leads a new terminal to the project
        self.main = Terminal(self.clone)
        # The ports of the page may be taken on this machine.
        self.ports = {"8000": free_port(), "8030": free_port()}

    @property
    def project(self) -> Path:
        """The folder that the first terminal is in."""
        return Path(self.main.type("pwd"))

    def follow(self, blocks: list[Block]) -> None:
        """Do what the code blocks say, one after the other."""
        for block in blocks:
            if block.language == "console":
                self.type_in(block.text)
            elif block.language == "text":
                self.expect(block.text)
            else:
                self.write_file(block)

    def type_in(self, text: str) -> None:
        """Type the commands of a block, and compare what they print."""
        for words, output in typed(text):
            command = self.here(shlex.join(words)).replace("install .", f"install -q {self.wheel}")
            if endless := [word for word in ENDLESS if word in words]:
                self.start(endless[0], command, self.here(output))
                continue
            printed = self.main.type(command)
            assert matches(self.here(output), printed), (command, printed)
            if words[0] in ("cd", "."):
                self.entered.append(command)

    def start(self, name: str, command: str, output: str) -> None:
        """Start a command that does not end, in a new terminal."""
        port = {"runserver": " 8000", "sms_sandbox": " --port 8030"}.get(name, "")
        terminal = self.open[name] = Terminal(self.clone)
        for line in self.entered:
            terminal.type(line)
        begin = len(terminal.lines)
        noreload = " --noreload" if name == "runserver" else ""  # one process to stop
        terminal.write(f"exec {command}{self.here(port)}{noreload}")
        terminal.wait_for(output, begin)

    def stop(self, name: str) -> None:
        """Press Ctrl+C in the terminal of this command."""
        self.open.pop(name).stop()

    def expect(self, text: str) -> None:
        """Wait until the worker has printed these lines."""
        self.read = self.open["--loop"].wait_for(self.here(text), self.read)

    def write_file(self, block: Block) -> None:
        """Write the file that a block names in its caption or first line."""
        name, _comma, place = (block.caption or block.text.splitlines()[0][2:]).partition(", ")
        path = self.project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a" if place or not block.caption else "w", encoding="utf-8") as file:
            file.write(f"\n{self.here(block.text)}\n" if place else f"{self.here(block.text)}\n")

    def here(self, text: str) -> str:
        """Return a text of the page with the ports of this machine."""
        return re.sub(r"\b80[03]0\b", lambda port: self.ports[port[0]], text)

    def leave(self) -> None:
        """Stop everything that still runs."""
        for name in [*self.open]:
            self.stop(name)
        self.main.stop()


def matches(expected: str, printed: str) -> re.Match[str] | None:
    """Find lines that were printed as a page shows them; ``...`` stands for anything."""
    pattern = re.escape(expected.strip()).replace(r"\.\.\.", ".*?")
    return re.search(f"(?sm)^{pattern}$" if expected else "", printed)


def free_port() -> str:
    """Return a port that nothing listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return str(found.getsockname()[1])
