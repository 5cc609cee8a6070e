"""docs/reference/commands.rst: the faults of the sandbox, and what each makes of a message."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from django.core.management import call_command

from django_mobilon_sms.sandbox import Sandbox
from django_mobilon_sms.sandbox.broken_replies import FAULTS
from tests.support.documents import DOCS, table
from tests.support.messages import write

#: By its name, what the table says of a fault.
MEANT = {
    name: cell
    for names, _what, cell in table(DOCS / "reference/commands.rst", "faults-table")
    for name in names.split(", ")
}


def test_every_fault_is_listed():
    assert {re.sub(r"_\d+$", "", name) for name in MEANT} == {*FAULTS}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", MEANT)
def test_a_fault_makes_of_a_message_what_the_table_says(name, settings):
    settings.MOBILON_SMS_TIMEOUT = 2
    settings.MOBILON_SMS_LEASE = 60
    with Sandbox() as gateway:
        settings.MOBILON_SMS_BASE_URL = gateway.url
        settings.MOBILON_SMS_USERNAME = settings.MOBILON_SMS_PASSWORD = "sandbox"
        gateway.fault(name)
        [message] = write()
        with suppress(SystemExit):
            call_command("send_sms", "--no-refresh")
    message.refresh_from_db()
    assert message.status == re.match(r"\w+", MEANT[name])[0]
