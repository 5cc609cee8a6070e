"""A project as `startproject` makes it, in which a page of the documentation is followed."""

from __future__ import annotations

import doctest
import os
import re
import shlex
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.documents import ROOT, Block, Typed, blocks, typed

SETTINGS = """
INSTALLED_APPS += ["django_mobilon_sms"]
MOBILON_SMS_USERNAME = "sandbox"
MOBILON_SMS_PASSWORD = "sandbox"
MOBILON_SMS_SOURCE = "89234560000"
"""


def environment() -> dict[str, str]:
    """Return the environment of a project that knows only its own settings."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("DJANGO_", "MOBILON_"))}
    paths = filter(None, [str(ROOT), inherited.get("PYTHONPATH")])
    return inherited | {"PYTHONPATH": os.pathsep.join(paths), "PYTHONIOENCODING": "utf-8"}


@cache
def template() -> TemporaryDirectory[str]:
    """Return a folder with the project and its tables, which each test copies."""
    folder = TemporaryDirectory(prefix="shop")
    command = [sys.executable, "-m", "django", "startproject", "shop", folder.name]
    subprocess.run(command, check=True)
    with (Path(folder.name) / "shop/settings.py").open("a", encoding="utf-8") as file:
        file.write(SETTINGS)
    migrate = [sys.executable, "manage.py", "migrate", "--verbosity=0"]
    subprocess.run(migrate, cwd=folder.name, env=environment(), check=True)
    return folder


class NewProject:
    """A Django project named ``shop``, whose gateway is at ``url``."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.code = 0
        self.env = environment()
        shutil.copytree(template().name, folder, dirs_exist_ok=True)
        self.write("shop/settings.py", f"MOBILON_SMS_BASE_URL = {url!r}")

    def write(self, name: str, text: str) -> None:
        """Add the text to a file, in a package of its own if it is new."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        (path.parent / "__init__.py").touch()
        with path.open("a", encoding="utf-8") as file:
            file.write(f"\n{text}\n")

    def write_files(self, page: Path, section: str = "Steps") -> None:
        """Write the files whose names the code blocks of the section begin with."""
        for block in blocks(page, section):
            if name := file_of(block):
                self.write(name, block.text)

    def type_in(self, page: Path, section: str) -> int:
        """Run the Python and type the commands of a section; return how many blocks."""
        followed = 0
        for block in blocks(page, section):
            if block.language == "python" and not file_of(block):
                self.manage("shell", stdin=block.text)
                assert self.code == 0
            elif block.language == "console":
                for command in typed(block.text):
                    self._type(command)
            else:
                continue
            followed += 1
        return followed

    def manage(self, *words: str, stdin: str = "") -> str:
        """Run `manage.py` and return what it prints; ``code`` is its exit code."""
        done = subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=self.folder,
            env=self.env,
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        self.code = done.returncode
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout.strip()

    def run_for_a_line(self, *words: str) -> str:
        """Start a `manage.py` that goes on for ever; return its first line and stop it."""
        command = [sys.executable, "-u", "manage.py", *words]
        options = {"stdout": subprocess.PIPE, "encoding": "utf-8"}
        with subprocess.Popen(command, cwd=self.folder, env=self.env, **options) as process:
            line = process.stdout.readline()
            process.terminate()
            assert process.wait() == 0
        return line.strip()

    def value(self, code: str) -> str:
        """Run Python in the project and return what it prints in its last line."""
        output = self.manage("shell", "--no-imports", stdin=code)
        assert self.code == 0
        return output.rpartition("\n")[2]

    def _type(self, command: Typed) -> None:
        if command.words == ["echo", "$?"]:
            output = str(self.code)
        else:
            assert command.words[:2] == ["python", "manage.py"], command
            output = self.manage(*command.words[2:])
        if command.output:
            shown = doctest.OutputChecker().check_output(
                command.output + "\n", output + "\n", doctest.ELLIPSIS
            )
            assert shown, (shlex.join(command.words), command.output, output)


def file_of(block: Block) -> str:
    """The name of the file that a block of Python is for, from its first line."""
    found = re.match(r"# (\w+/\w+\.py)\n", block.text) if block.language == "python" else None
    return found[1] if found else ""
