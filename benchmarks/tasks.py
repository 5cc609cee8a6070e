"""The task of Procrastinate that sends one message."""

from __future__ import annotations

from procrastinate.contrib.django import app

from .rivals import TEXT, post_one


@app.task(queue="bench")
def send() -> None:
    """Send one message."""
    post_one(TEXT)
