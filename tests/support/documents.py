"""What README.rst and docs/ hold: code blocks, commands, tables; and which tests execute them."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "README.rst"
DOCS = ROOT / "docs"
# Rendered as they are by others than Sphinx, whose own build fails on its warnings.
PLAIN = [
    ROOT / f"{name}.rst"
    for name in ("README", "README.ru", "CHANGELOG", "CONTRIBUTING", "SECURITY")
]
