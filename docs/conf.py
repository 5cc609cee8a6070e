"""Sphinx: `make docs`."""

project = "django-mobilon-sms"
author = "django-mobilon-sms contributors"
copyright = f"2026, {author}"
html_theme = "alabaster"
html_theme_options = {"page_width": "1200px", "body_max_width": "none"}  # wide tables
html_static_path: list[str] = []
html_extra_path = ["openapi.yaml"]
exclude_patterns = ["_build"]
