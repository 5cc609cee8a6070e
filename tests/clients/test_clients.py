"""Clients that others generate from docs/openapi.yaml, against the example project; and linters.

``make clients`` runs them. They need npm and a generator, and no part of the suite waits for them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.documents import DOCS

pytestmark = pytest.mark.skipif("CLIENTS" not in os.environ, reason="only by `make clients`")

HERE = Path(__file__).parent
BIN, NODE = Path(sys.executable).parent, HERE / "node_modules" / ".bin"
SCHEMA = DOCS / "openapi.yaml"


def run(*command: str | Path, cwd: Path = HERE) -> str:
    """Run a program, which must succeed, and return what it printed."""
    path = os.pathsep.join([str(BIN), os.environ["PATH"]])
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**os.environ, "PATH": path, "REDOCLY_TELEMETRY": "off"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def operations() -> dict[str, str]:
    """The names of the operations, by method and path."""
    paths = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))["paths"]
    return {
        f"{method.upper()} {path}": operation["operationId"]
        for path, methods in paths.items()
        for method, operation in methods.items()
    }


@pytest.mark.parametrize(
    "linter",
    [
        ("redocly", "lint", "--config", "redocly.yaml"),
        ("spectral", "lint", "--fail-severity", "hint", "--ruleset", "spectral.yaml"),
    ],
    ids=["redocly", "spectral"],
)
def test_description_is_clean(linter: tuple[str, ...], tmp_path: Path) -> None:
    run(NODE / linter[0], *linter[1:], SCHEMA)
    broken = tmp_path / "openapi.yaml"
    text = SCHEMA.read_text(encoding="utf-8")
    broken.write_text(text.replace("operationId: sms_messages_list", "x-nothing: 1"))
    with pytest.raises(AssertionError, match="operation"):
        run(NODE / linter[0], *linter[1:], broken)


def test_client_for_python_calls_every_operation(shop: str, tmp_path: Path) -> None:
    package = ("--meta", "none", "--output-path", tmp_path / "sms_client")
    printed = run(BIN / "openapi-python-client", "generate", "--path", SCHEMA, *package)
    assert "Warning" not in printed
    shutil.copy(HERE / "walk.py", tmp_path)
    called = run(sys.executable, tmp_path / "walk.py", shop, cwd=tmp_path).split()
    assert set(called) == set(operations().values())


def test_client_for_typescript_calls_every_operation(shop: str, tmp_path: Path) -> None:
    run(NODE / "openapi-typescript", SCHEMA, "--output", tmp_path / "schema.ts")
    for name in ("walk.ts", "tsconfig.json", "package.json"):
        shutil.copy(HERE / name, tmp_path)
    (tmp_path / "node_modules").symlink_to(HERE / "node_modules")
    run(NODE / "tsc", "--project", tmp_path)
    called = run("node", tmp_path / "built" / "walk.js", shop).splitlines()
    assert set(called) == set(operations())
