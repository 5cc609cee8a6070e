"""Sphinx: `make docs`."""

import inspect
import os
import sys
from pathlib import Path

import django
from docutils import nodes
from sphinx.util.osutil import relative_uri

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
html_title = project
copybutton_prompt_text = "$ "
html_static_path = ["_static"]
html_css_files = ["site.css", "print.css"]
html_extra_path = ["openapi.yaml"]
exclude_patterns = ["_build"]

#: The words around a Russian page. Furo has no translations.
RUSSIAN = {
    "Back to top": "Наверх",
    "Home": "Начало",
    "Next": "Дальше",
    "On this page": "На этой странице",
    "Previous": "Назад",
    "Search": "Поиск",
}


def document_task(*arguments):
    """Show the docstring of a task's function; a task's own is that of its class."""
    *_, obj, _options, lines = arguments
    if function := getattr(obj, "func", None):
        lines[:] = (inspect.getdoc(function) or "").splitlines()


def name_language(_app, pagename, _template, context, _doctree):
    """Name the language of a Russian page, and write the words around it in Russian."""
    if pagename.startswith("ru/"):
        context["language"] = "ru"
        context["_"] = context["gettext"] = lambda text: RUSSIAN.get(text.strip(), text)


def suit_markdown(app, doctree, docname):
    """Keep captions, links within a page, images and a ``*`` among parameters in Markdown.

    Its builder loses them.
    """
    if app.builder.name != "markdown":
        return
    for mark in list(doctree.findall(nodes.abbreviation)):
        mark.replace_self(nodes.Text(mark.astext()))
    for caption in list(doctree.findall(nodes.caption)):
        caption.replace_self(nodes.paragraph("", "", *caption.children))
    for reference in doctree.findall(nodes.reference):
        if "refid" in reference:
            reference["internal"] = True
    for image in doctree.findall(nodes.image):
        _pages, name = app.env.images[image["uri"]]
        image["uri"] = relative_uri(docname, f"_images/{name}")


def drop_full_text(app, _error):
    """Delete llms-full.txt, which its builder writes although it is switched off.

    It has no signature and no docstring: those are in the Markdown copy of each page.
    """
    (Path(app.outdir) / "llms-full.txt").unlink(missing_ok=True)


def setup(app):
    """Let Sphinx call these functions."""
    app.connect("doctree-resolved", suit_markdown)
    app.connect("autodoc-process-docstring", document_task)
    app.connect("html-page-context", name_language)
    app.connect("build-finished", drop_full_text, priority=900)
