"""Output that no work depends on.

A full disk or a reader that is gone must not end a command, nor change its exit code.
"""

from __future__ import annotations

import os
import sys
from contextlib import redirect_stderr, redirect_stdout, suppress
from typing import Any, TextIO

from django.core.management.base import BaseCommand


class Output:
    """A stream, or none, whose writes never fail; text that cannot be written is dropped."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write the text at once; characters that the stream cannot encode are escaped."""
        if self._stream is not None:
            encoding = getattr(self._stream, "encoding", None) or "utf-8"
            with suppress(OSError, ValueError):  # ValueError: the stream is closed
                self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
                self._stream.flush()
        return len(text)

    def isatty(self) -> bool:
        """Return whether a person may be looking."""
        return self._stream is not None and not self._stream.closed and self._stream.isatty()

    def flush(self) -> None:
        """Do nothing, because ``write()`` has flushed."""


class WorkingCommand(BaseCommand):
    """A command whose work and exit code do not depend on its output."""

    #: Whether the process runs this command alone; else code of the process called it.
    is_process = False

    def __init__(self, stdout: Any = None, stderr: Any = None, **options: Any) -> None:
        streams = Output(stdout or sys.stdout), Output(stderr or sys.stderr)
        super().__init__(*streams, **options)  # type: ignore[arg-type]

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run the command, and write to streams that never fail."""
        for name in ("stdout", "stderr"):
            if options.get(name):
                options[name] = Output(options[name])
        return super().execute(*args, **options)

    def run_from_argv(self, argv: list[str]) -> None:
        """Run the command for a process of its own, which ends with the command's exit code."""
        self.is_process = True
        # A process may have none. The parser writes to them, and in old Pythons, such as 3.11.2,
        # fails where it cannot.
        out: Any = sys.stdout and Output(sys.stdout)
        err: Any = sys.stderr and Output(sys.stderr)
        try:
            with redirect_stdout(out), redirect_stderr(err):
                super().run_from_argv(argv)
        finally:
            drop_unwritten()


def drop_unwritten() -> None:
    """Point a standard stream that cannot be flushed to the null device.

    Python flushes both when it ends, and would exit with 120 if that failed.
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is None or stream.closed:
            continue
        try:
            stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            with suppress(OSError):  # no stream of the process, but one that replaces it
                os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
