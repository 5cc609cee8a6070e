"""Sphinx: `make docs`."""

import inspect
import os
import sys
from pathlib import Path

import django
from docutils import nodes

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
html_static_path = ["_static"]
html_css_files = ["print.css"]
html_extra_path = ["openapi.yaml"]
exclude_patterns = ["_build"]


def document_task(*arguments):
    """Show the docstring of a task's function; a task's own is that of its class."""
    *_, obj, _options, lines = arguments
    if function := getattr(obj, "func", None):
        lines[:] = (inspect.getdoc(function) or "").splitlines()


def name_language(_app, pagename, _template, context, _doctree):
    """Name the language of a Russian page, for screen readers and hyphenation."""
    if pagename.startswith("ru/"):
        context["language"] = "ru"


def keep_captions(app, doctree, _docname):
    """Turn the captions of code blocks into paragraphs for Markdown, which has no captions."""
    if app.builder.name == "markdown":
        for caption in list(doctree.findall(nodes.caption)):
            caption.replace_self(nodes.paragraph("", "", *caption.children))


def setup(app):
    """Let Sphinx call these functions."""
    app.connect("doctree-resolved", keep_captions)
    app.connect("autodoc-process-docstring", document_task)
    app.connect("html-page-context", name_language)
