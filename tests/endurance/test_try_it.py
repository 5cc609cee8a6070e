"""README.rst: its first steps, followed with the built wheel and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from docutils import nodes

from tests.support.documents import README, blocks, document
from tests.support.stranger import Stranger

pytestmark = [pytest.mark.packaging, pytest.mark.timeout(600)]
EXECUTED = [("README.rst", "Try it in two minutes"), ("README.rst", "In your project")]

WRITE = blocks(README, "In your project")[3].text.splitlines()[0].removeprefix("$ ")
SEND = "python manage.py send_sms"
STATUS = "python manage.py sms_status"


def symptoms() -> list[list[str]]:
    """Return what is printed, by each row of the table of troubles."""
    [table] = [t for t in document(README).findall(nodes.table) if "trouble-table" in t["names"]]
    [body] = table.findall(nodes.tbody)
    printed = [[word.astext() for word in row[0].findall(nodes.literal)] for row in body]
    return [[word for word in words if word != "sms_status"] for words in printed]


def troubles(stranger: Stranger) -> Iterator[str]:
    """Make each trouble of the table, in its order; yield what is printed."""
    stranger.stop("sms_sandbox")
    stranger.main.type(WRITE)
    waiting = stranger.main.type(STATUS)
    no_gateway = stranger.main.type(SEND) + stranger.main.type(STATUS)
    too_early = stranger.main.type(SEND)
    stranger.main.type("rm db.sqlite3; python manage.py migrate --verbosity 0")
    stranger.type_in("$ python manage.py sms_sandbox --password another")
    stranger.main.type(WRITE)
    wrong_password = stranger.main.type(SEND) + stranger.main.type(STATUS)
    with (stranger.project / "own/settings.py").open("a") as settings:
        settings.write('MOBILON_SMS_USERNAME = ""\n')
    yield from (no_gateway, wrong_password, too_early, waiting, stranger.main.type(SEND))


def test_readme_leads_a_stranger_from_nothing_to_sent(wheel: Path, tmp_path: Path) -> None:
    stranger = Stranger(tmp_path, wheel)
    try:
        stranger.follow(blocks(README, "Try it in two minutes"))
        for command in ("mkdir ../own", "cd ../own", "python -m django startproject own ."):
            stranger.type_in(f"$ {command}")
        settings, *rest = blocks(README, "In your project")
        stranger.write_file(settings._replace(caption="own/settings.py, at the end"))
        stranger.follow(rest)
        for words, printed in zip(symptoms(), troubles(stranger), strict=True):
            assert [word for word in words if word not in printed] == [], printed
    finally:
        stranger.leave()
