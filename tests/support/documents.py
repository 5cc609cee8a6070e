"""What README.rst and docs/ hold: code blocks, commands, tables; and which tests execute them."""

from __future__ import annotations

import ast
import re
import shlex
from functools import cache
from pathlib import Path
from typing import NamedTuple

from docutils import nodes
from docutils.core import publish_doctree
from docutils.parsers.rst import directives, roles
from docutils.parsers.rst.directives.body import CodeBlock

ROOT = Path(__file__).parents[2]
README = ROOT / "README.rst"
DOCS = ROOT / "docs"
# Rendered as they are by others than Sphinx, whose own build fails on its warnings.
PLAIN = [
    ROOT / f"{name}.rst"
    for name in ("README", "README.ru", "CHANGELOG", "CONTRIBUTING", "SECURITY")
]
DOCUMENTS = [*PLAIN, *sorted(p for p in DOCS.rglob("*.rst") if "_build" not in p.parts)]

roles.register_generic_role("doc", nodes.literal)


#: Languages of code that a reader may copy and run; so are commands after a `$` in any block.
RUNNABLE = {"console", "ini", "json", "python", "sh", "shell", "toml", "yaml"}


class Block(NamedTuple):
    """A code block; its caption names the file that holds it."""

    language: str
    text: str
    caption: str = ""


class Typed(NamedTuple):
    """A command after a `$`, and what is printed under it."""

    words: list[str]
    output: str


class CaptionedCode(CodeBlock):
    """Sphinx's code block with its caption, for plain docutils."""

    option_spec = {**CodeBlock.option_spec, "caption": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        """Keep the caption at the node."""
        found = super().run()
        found[0]["caption"] = self.options.get("caption", "")
        return found


directives.register_directive("code-block", CaptionedCode)


@cache
def document(path: Path, level: int = 5) -> nodes.document:
    """The document; messages from `level` on are raised (2: warnings, 5: none)."""
    return publish_doctree(
        path.read_text(encoding="utf-8"),
        source_path=str(path),
        settings_overrides={
            "_disable_config": True,
            "syntax_highlight": "none",
            "report_level": level,
            "halt_level": level,
        },
    )


def blocks(path: Path, section: str = "") -> list[Block]:
    """The code blocks of a document, or of one of its sections."""
    part: nodes.Element = document(path)
    if section:
        [part] = [s for s in part.findall(nodes.section) if s[0].astext() == section]
    found = part.findall(nodes.literal_block)
    return [
        Block(b["classes"][-1], b.astext(), b.get("caption", ""))
        for b in found
        if "code" in b["classes"]
    ]


def headings(block: nodes.Node) -> set[str]:
    """Return the titles of the sections around a block."""
    found, node = set(), block
    while node := node.parent:
        if isinstance(node, nodes.section):
            found.add(node[0].astext())
    return found


def runnable(path: Path) -> list[nodes.literal_block]:
    """Return the blocks of a document that a reader may copy and run."""
    return [
        block
        for block in document(path).findall(nodes.literal_block)
        if RUNNABLE & {*block["classes"]} or re.search(r"^\$ ", block.astext(), re.MULTILINE)
    ]


def claims() -> dict[Path, set[str]]:
    """Return the pages that tests execute, each with its sections; "" stands for the whole page.

    A test module says so in its constant ``EXECUTED``: a list of pages, such as
    ``"docs/howto/celery.rst"``, and of sections, such as ``("README.rst", "Python")``.
    """
    found: dict[Path, set[str]] = {}
    for module in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.parse(module.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "EXECUTED":
                for claim in ast.literal_eval(node.value):
                    page, section = (claim, "") if isinstance(claim, str) else claim
                    found.setdefault(ROOT / page, set()).add(section)
    return found


def unclaimed(path: Path, sections: set[str]) -> list[str]:
    """Return the runnable blocks outside of these sections."""
    return [
        f"{path.relative_to(ROOT)}:{block.line}: {block.astext().splitlines()[0]}"
        for block in runnable(path)
        if not ({"", *headings(block)} & sections)
    ]


def typed(text: str) -> list[Typed]:
    """The commands of a console block."""
    parts = re.split(r"^\$ ", text, flags=re.MULTILINE)
    assert parts[0] == "", text
    lines = [part.partition("\n") for part in parts[1:]]
    return [Typed(shlex.split(command), output.strip()) for command, _, output in lines]


def table(path: Path, name: str) -> list[list[str]]:
    """The cells of a table's rows, without its header."""
    [found] = [t for t in document(path).findall(nodes.table) if name in t["names"]]
    [body] = found.findall(nodes.tbody)
    return [[cell.astext() for cell in row] for row in body]


def column(path: Path, name: str, number: int = 0) -> list[str]:
    return [row[number] for row in table(path, name)]
