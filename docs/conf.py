"""Sphinx: `make docs`."""

project = "django-mobilon-sms"
author = "django-mobilon-sms contributors"
copyright = f"2026, {author}"
html_theme = "alabaster"
html_static_path: list[str] = []
exclude_patterns = ["_build"]
