"""The distribution: built, installed into a clean environment, and used from there."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

SETTINGS = """
SECRET_KEY = "only for tests"
USE_TZ = True
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}
INSTALLED_APPS = [
    "django.contrib.auth", "django.contrib.contenttypes", "rest_framework", "django_mobilon_sms",
]
MOBILON_SMS_USERNAME = MOBILON_SMS_PASSWORD = "x"
MOBILON_SMS_SOURCE = "89234560000"
"""

pytestmark = pytest.mark.packaging


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--wheel", "--outdir", folder, ROOT, cwd=folder)
    [built] = folder.glob("*.whl")
    return built


def test_wheel_holds_the_whole_package_and_nothing_else(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    package = ROOT / "django_mobilon_sms"
    wanted = {
        str(path.relative_to(ROOT))
        for path in package.rglob("*")
        if path.is_file() and path.suffix not in {".pyc", ".pyo"}
    }
    assert {name for name in names if ".dist-info/" not in name} == wanted


def test_installed_wheel_checks_migrates_and_helps(wheel, tmp_path):
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env/bin/python"
    (tmp_path / "project_settings.py").write_text(SETTINGS)
    run(
        python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        wheel,
        cwd=tmp_path,
    )

    def manage(*words: str) -> str:
        settings = ("--settings=project_settings", "--pythonpath=.")
        return run(python, "-m", "django", *words, *settings, cwd=tmp_path)

    assert "no issues" in manage("check")
    assert "mobilon_sms.0001_initial" in manage("migrate")
    assert "--refresh-only" in manage("send_sms", "--help")
