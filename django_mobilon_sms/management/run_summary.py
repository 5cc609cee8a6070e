"""A run of the worker in sentences."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ..choices import Status
from ..conf import show_time
from ..worker import RunReport


def summary(report: RunReport) -> str:
    """Return what a run did, in a few lines."""
    lines = [_halted(report)] if report.halted else []
    if report.statuses:
        lines.append(_("Messages: %s") % _counts(report.statuses))
    if report.checked:
        checked = ngettext(
            "Checked %(count)d status: %(counts)s",
            "Checked %(count)d statuses: %(counts)s",
            report.checked,
        )
        lines.append(checked % {"count": report.checked, "counts": _counts(report.reported)})
    lines += [str(error) for error in report.errors.values()]
    return "\n".join(lines or [_("Nothing to do.")])


def _counts(statuses: Mapping[str, int]) -> str:
    """Return ``298 accepted, 2 failed``."""
    labels = dict(Status.choices) | {"": _("unchanged")}
    return ", ".join(f"{n} {labels[status]}" for status, n in sorted(statuses.items()) if n)


def _halted(report: RunReport) -> str:
    """Return why no more messages were sent."""
    until = show_time(report.resumes_at)
    return {
        "paused": _("Sending is paused. Resume it in the admin."),
        "disabled": _("Sending is switched off: MOBILON_SMS_ENABLED is False."),
        "quiet": _("Quiet hours: until %s only urgent messages go out."),
        "pace": _("The pace of the line is reached; sending continues at %s."),
        "blocked": _("The gateway had trouble; the next try is at %s."),
    }[report.halted].replace("%s", until)
