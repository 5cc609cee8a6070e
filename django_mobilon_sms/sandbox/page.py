"""The sandbox's own page: the messages it received and the faults that are set, as HTML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from html import escape
from typing import Any

from .records import Received

SHOWN = 500  # messages
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
}
FRAME = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="2">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --line: #8884; --quiet: #777; --mark: #c2410c; }}
@media (prefers-color-scheme: dark) {{ :root {{ --quiet: #9a9a9a; --mark: #fb923c; }} }}
body {{ font: 15px/1.45 system-ui, sans-serif; }}
body {{ max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }}
h1 {{ font-size: 1.35rem; margin: 0; }}
p {{ margin: .25rem 0 1rem; color: var(--quiet); }}
strong {{ color: var(--mark); font-weight: 600; }}
.scroll {{ overflow-x: auto; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ text-align: left; vertical-align: top; padding: .45rem .9rem .45rem 0; }}
td {{ border-top: 1px solid var(--line); }}
th {{ color: var(--quiet); font-weight: 500; }}
td.text {{ white-space: pre-wrap; overflow-wrap: anywhere; min-width: 18rem; }}
td.plain {{ white-space: nowrap; font-variant-numeric: tabular-nums; }}
code {{ font-size: .8rem; color: var(--quiet); }}
</style>
</head>
<body>
<h1>Sandbox gateway</h1>
<p>{counts}</p>
{content}
</body>
</html>
"""
EMPTY = """<p>Nothing has come in yet. Point <code>MOBILON_SMS_BASE_URL</code> at this address,
write a message and run <code>manage.py send_sms</code>: it appears on this page, and nothing is
really sent.</p>"""
TABLE = """<div class="scroll"><table>
<thead><tr><th>Time</th><th>To</th><th>From</th><th>Text</th><th>Guid and id</th></tr></thead>
<tbody>
{rows}
</tbody>
</table></div>"""
ROW = (
    '<tr><td class="plain"><time datetime="{iso}">{clock}</time></td>'
    '<td class="plain">{number}</td>'
    '<td class="plain">{source}</td><td class="text" dir="auto">{text}</td>'
    '<td class="plain"><code>{guid}</code><br><code>{id}</code>{again}</td></tr>'
)


def page(messages: Sequence[Received], heard: int, faults: Sequence[dict[str, Any]]) -> bytes:
    """Return the page. `messages` are the oldest first, `heard` is the number of requests."""
    copies = Counter(message.guid for message in messages)
    rows = [_row(message, copies[message.guid]) for message in messages[: -SHOWN - 1 : -1]]
    content = TABLE.format(rows="\n".join(rows)) if rows else EMPTY
    title = f"({len(messages)}) Sandbox gateway"
    return FRAME.format(
        title=title, counts=_counts(messages, heard, faults), content=content
    ).encode()


def _counts(messages: Sequence[Received], heard: int, faults: Sequence[dict[str, Any]]) -> str:
    parts = [_plural(len(messages), "message"), _plural(heard, "request")]
    if len(messages) > SHOWN:
        parts.insert(1, f"the newest {SHOWN} shown")
    names = ", ".join(_fault(fault) for fault in faults)
    return " · ".join(parts) + (f" · <strong>faults: {escape(names)}</strong>" if names else "")


def _plural(count: int, word: str) -> str:
    return f"{count:,} {word}" + ("" if count == 1 else "s")


def _fault(fault: dict[str, Any]) -> str:
    often = f"{fault['rate']:.0%}" if fault["times"] is None else f"{fault['times']} times"
    return f"{fault['name']} on {fault['path']} ({often})"


def _row(message: Received, copies: int) -> str:
    moment = datetime.fromtimestamp(message.at).astimezone()
    again = f"<br><strong>accepted {copies} times</strong>" if copies > 1 else ""
    fields = ("number", "source", "text", "guid", "id")
    values = {name: escape(getattr(message, name)) for name in fields}
    return ROW.format(
        iso=moment.isoformat(), clock=moment.strftime("%H:%M:%S"), again=again, **values
    )
