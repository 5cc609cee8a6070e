#!/usr/bin/env python
"""Django's command line, for the example project."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main() -> None:
    """Run a command of the project, a clone's app included though it is not installed."""
    sys.path.append(str(Path(__file__).resolve().parents[1]))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        from django.core.management import execute_from_command_line  # noqa: PLC0415
    except ImportError:
        sys.exit("Django is not installed for this Python: use .venv/bin/python, or make demo.")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
