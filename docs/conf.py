"""Sphinx: `make docs`."""

import inspect
import os
import sys
from pathlib import Path

import django

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

project = "django-mobilon-sms"
author = "django-mobilon-sms contributors"
copyright = f"2026, {author}"
extensions = [
    "sphinx.ext.autodoc",
    "sphinx_copybutton",
    "sphinx_llms_txt",  # llms.txt, for programs that read
    "sphinx_markdown_builder",  # and a Markdown copy of each page, to which it leads
    "sphinxcontrib.openapi",
]
autodoc_member_order = "bysource"
autodoc_typehints = "description"
llms_txt_uri_template = "{docname}.md"
llms_txt_full_file = False
markdown_anchor_sections = True
html_theme = "furo"
copybutton_prompt_text = "$ "
html_static_path: list[str] = []
html_extra_path = ["openapi.yaml"]
exclude_patterns = ["_build"]


def document_task(*arguments):
    """Show the docstring of a task's function; a task's own is that of its class."""
    *_, obj, _options, lines = arguments
    if function := getattr(obj, "func", None):
        lines[:] = (inspect.getdoc(function) or "").splitlines()


def setup(app):
    """Let autodoc call ``document_task``."""
    app.connect("autodoc-process-docstring", document_task)
