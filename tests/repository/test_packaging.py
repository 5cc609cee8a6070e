"""The distribution: built, installed into a clean environment, and used from there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.packaging

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

# What the README asks a newcomer to add to a new project.
SETTINGS = """
INSTALLED_APPS += ["rest_framework", "django_mobilon_sms"]
MOBILON_SMS_USERNAME = MOBILON_SMS_PASSWORD = "x"
MOBILON_SMS_SOURCE = "89234560000"
"""
URLS = """
from django.urls import include
urlpatterns += [path("sms/", include("django_mobilon_sms.rest.urls"))]
"""


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


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
def dist(tree: Path) -> Path:
    """The sdist, and the wheel that was built from it."""
    run(sys.executable, "-m", "build", tree, cwd=tree)
    return tree / "dist"


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    [built] = dist.glob("*.whl")
    return built


def test_wheel_holds_the_whole_package_and_nothing_else(wheel, tree):
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == files(tree / "django_mobilon_sms")
    assert names >= {
        "django_mobilon_sms/py.typed",
        "django_mobilon_sms/migrations/0001_initial.py",
        "django_mobilon_sms/locale/ru/LC_MESSAGES/django.mo",
        *(f"django_mobilon_sms/{name}" for name in SAMPLES if not name.endswith(".pyc")),
    }


def test_sdist_holds_what_the_repository_is_worked_on_with(dist, tree):
    [built] = dist.glob("*.tar.gz")
    with tarfile.open(built) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = set(FILES).union(*(files(tree / name) for name in FOLDERS))
    assert wanted - names == set()
    assert not [name for name in names if name.endswith((".pyc", ".env", ".sqlite3"))]


def test_wheel_works_in_a_new_project(wheel, tmp_path):
    venv.create(tmp_path / "env", with_pip=False)
    python = tmp_path / "env/bin/python"
    pip = (sys.executable, "-m", "pip", "--python", python)
    run(*pip, "install", "-qq", "--no-compile", wheel, cwd=tmp_path)
    run(python, "-m", "django", "startproject", "shop", ".", cwd=tmp_path)
    with (tmp_path / "shop/settings.py").open("a") as settings:
        settings.write(SETTINGS)
    if (ROOT / "django_mobilon_sms/rest").exists():
        with (tmp_path / "shop/urls.py").open("a") as urls:
            urls.write(URLS)

    def manage(*words: str) -> str:
        return run(python, "manage.py", *words, cwd=tmp_path)

    place = "import django_mobilon_sms.conf.settings as conf; print(conf.__file__)"
    assert str(tmp_path / "env") in run(python, "-c", place, cwd=tmp_path)
    assert manage("check", "--fail-level=WARNING") == (
        "System check identified no issues (0 silenced).\n"
    )
    assert "Applying mobilon_sms.0001_initial... OK" in manage("migrate")
    assert "--refresh-only" in manage("send_sms", "--help")
