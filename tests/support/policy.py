"""The Content-Security-Policy of a careful project: scripts and styles only from its own files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
}
HEADER = "; ".join(f"{name} {value}" for name, value in POLICY.items())


def strict(get_response: Callable[..., Any]) -> Callable[..., Any]:
    """Middleware. A page that breaks the policy says so in the browser's console."""

    def middleware(request: Any) -> Any:
        response = get_response(request)
        response["Content-Security-Policy"] = HEADER
        return response

    return middleware
