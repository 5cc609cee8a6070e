"""The line that says whether messages go out, in each state, for everybody."""

from __future__ import annotations

import pytest

from django_mobilon_sms.operations import observe_sending
from tests.support.admin_door import EVERYTHING, LIST, person
from tests.support.sending_states import STATES

LINE = ".mobilon-sms-status-line"


@pytest.mark.parametrize("name", STATES)
def test_line_is_for_everybody_in_each_state(visit, look, picture, settings, name):
    client = person(*EVERYTHING)
    STATES[name](settings)
    page = visit(client, LIST, look)
    assert page.violations() == []
    assert page.too_wide() == 0
    buttons = {"paused": ["resume"], "blocked": ["try-now", "pause"]}
    buttons["unreachable"] = buttons["blocked"]
    forms = page.locator(f"{LINE} form").evaluate_all("forms => forms.map(form => form.action)")
    assert [form.split("/")[-2] for form in forms] == buttons.get(name, ["pause"])
    assert page.locator(f"{LINE} a").count() == (observe_sending().word == "nobody")
    if name in ("paused", "blocked", "nobody"):  # those of the handbook
        picture(page, name)
