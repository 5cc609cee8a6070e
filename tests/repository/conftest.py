"""The distribution, built from a copy of the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from django_mobilon_sms.signals import status_changed

ROOT = Path(__file__).parents[2]
FILES = (
    *("AGENTS.md", "CHANGELOG.rst", "LICENSE", "MANIFEST.in", "README.rst", "SECURITY.rst"),
    *("pyproject.toml", "setup.cfg"),
)
FOLDERS = ("django_mobilon_sms", "docs", "example_project", "prose", "tests")
JUNK = shutil.ignore_patterns("_build", "node_modules", "*.sqlite3*", ".env", ".*_cache")

# Put into the copy before it is built: where the app's files of each kind may come to lie.
SAMPLES = (
    "locale/kk/LC_MESSAGES/django.mo",
    "static/mobilon_sms/deep/style.css",
    "templates/admin/mobilon_sms/smsmessage/deep/page.html",
    "__pycache__/conf.cpython-310.pyc",
)


def run(*command: str | Path, cwd: Path) -> str:
    """What it printed. Nothing that would lead it to this checkout is handed on."""
    leads_here = ("DJANGO_SETTINGS_MODULE", "PYTHONPATH", "DATABASE_URL", "VIRTUAL_ENV")
    environment = {name: value for name, value in os.environ.items() if name not in leads_here}
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def files(folder: Path) -> set[str]:
    found = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {str(path.relative_to(folder.parent)) for path in found}


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy, so that what an earlier build left in the checkout is not built again."""
    tree = tmp_path_factory.mktemp("tree")
    for name in FILES:
        shutil.copy(ROOT / name, tree)
    for name in FOLDERS:
        shutil.copytree(ROOT / name, tree / name, ignore=JUNK)
    for name in SAMPLES:
        sample = tree / "django_mobilon_sms" / name
        sample.parent.mkdir(parents=True, exist_ok=True)
        sample.write_text("sample")
    return tree


@pytest.fixture(scope="session")
def dist(tree: Path) -> Path:
    """The sdist, and the wheel that was built from it."""
    run(sys.executable, "-m", "build", tree, cwd=tree)
    return tree / "dist"


@pytest.fixture(scope="session")
def wheel(dist: Path) -> Path:
    [built] = dist.glob("*.whl")
    return built


@pytest.fixture
def kept_receivers() -> Iterator[None]:
    """The receivers of ``status_changed`` as before, after examples that connect their own."""
    before = list(status_changed.receivers)
    yield
    status_changed.receivers = before
    status_changed.sender_receivers_cache.clear()
