"""The tests' settings for a process that kills itself at the point that DIE names.

No signal from outside can come at an exact point: so the process itself sends it.
"""

from __future__ import annotations

import os
import signal

from django.apps import AppConfig

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS


def die(*args, **kwargs):
    """End as by ``kill -9``: nothing is flushed, closed or rolled back."""
    os.kill(os.getpid(), signal.SIGKILL)


class Deadly(AppConfig):
    """Puts the point into the app."""

    name = "tests.support.deadly"

    def ready(self):
        from django_mobilon_sms.worker import outcome_recording as recording

        record, apply, close = recording.record_all, recording.apply, recording.close

        def close_and_die(results):
            for result in results:
                close(result.batch, result.proof, result.pks)
            die()

        def apply_and_die(*args):
            apply(*args)
            die()

        def record_and_die(*args):
            record(*args)
            die()

        points = {
            # Before the outcome is written, in the middle of it, and just before its commit.
            "before_record": {"record_all": die},
            "in_record": {"apply": die},
            "before_commit": {"apply": apply_and_die},
            # What a worker does whose database takes the batch, and not its messages.
            "after_close": {"record_all": close_and_die},
            "after_record": {"record_all": record_and_die},
        }
        for name, function in points[os.environ["DIE"]].items():
            setattr(recording, name, function)


INSTALLED_APPS = [*INSTALLED_APPS, "tests.support.deadly.Deadly"]
