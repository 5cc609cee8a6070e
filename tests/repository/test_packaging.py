"""The distribution: built, installed into a clean environment, and used from there."""

from __future__ import annotations

import sys
import tarfile
import venv
import zipfile

import pytest

from tests.repository.conftest import FILES, FOLDERS, ROOT, SAMPLES, files, run

pytestmark = pytest.mark.packaging

# Settings of a new project.
SETTINGS = """
INSTALLED_APPS += ["rest_framework", "django_mobilon_sms"]
MOBILON_SMS_USERNAME = MOBILON_SMS_PASSWORD = "x"
MOBILON_SMS_SOURCE = "89234560000"
"""
URLS = """
from django.urls import include
urlpatterns += [path("sms/", include("django_mobilon_sms.rest.urls"))]
"""


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
