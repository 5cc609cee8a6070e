"""The project of docs/howto/metrics.rst: its files as modules, and its addresses."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest
from django.urls import clear_url_caches

from tests.support.documents import DOCS, blocks
from tests.support.new_project import file_of


@pytest.fixture
def shop(settings, monkeypatch):
    """Run the code of the page, and serve its addresses."""
    modules: dict[str, ModuleType] = {}
    for name in ("shop", "shop.settings", "shop.metrics", "shop.urls"):
        modules[name] = ModuleType(name)
        monkeypatch.setitem(sys.modules, name, modules[name])
    modules["shop.settings"].INSTALLED_APPS = [*settings.INSTALLED_APPS]
    modules["shop.urls"].urlpatterns = []
    for block in blocks(DOCS / "howto/metrics.rst", "Steps"):
        if file := file_of(block):
            name = file.removesuffix(".py").replace("/", ".")
            exec(compile(block.text, file, "exec"), vars(modules[name]))
    settings.INSTALLED_APPS = modules["shop.settings"].INSTALLED_APPS
    settings.ROOT_URLCONF = "shop.urls"
    clear_url_caches()
    yield modules
    clear_url_caches()
