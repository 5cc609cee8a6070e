"""`make run`: the admin, REST and the sandbox's page, with a worker that sends, to look around.

All of it listens on this machine only, and stops with Ctrl+C or SIGTERM.
"""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import ExitStack
from urllib.parse import quote

from processes import HERE, ORDERS, Trouble, address, manage, sandbox_settings, start, stoppable

#: Never that of a .env: what waits in it may be meant for the real gateway.
DATABASE = HERE / "var" / "run.sqlite3"
PAGES = """
The admin                {site}admin/
REST                     {site}sms/messages/
What the gateway heard   {sandbox}
The login                {login}

Its database is {database}: delete it to begin anew.
Change an order's status in the admin, and watch its SMS arrive. Ctrl+C stops everything.
"""


def main() -> int:
    """Run until a signal asks to stop; return the exit code."""
    try:
        with stoppable(), ExitStack() as stack:
            watch(begin(stack))
    except Trouble as trouble:
        print(f"\nStopped: {trouble}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.")
    return 0


def begin(stack: ExitStack) -> dict[str, subprocess.Popen[str]]:
    """Prepare the database, start every process, and print the addresses. Raises ``Trouble``."""
    development = own_settings()
    print("Preparing the database ...", flush=True)
    manage("migrate", "--verbosity", "0", environment=development)
    sandbox = stack.enter_context(
        start("sms_sandbox", "--port", "0", "--sent-after", "5", environment=development)
    )
    gateway = address(sandbox, "The sandbox")
    environment = development | sandbox_settings(gateway)
    english = environment | {
        "DJANGO_LANGUAGE_CODE": "en"
    }  # a terminal in one language, as all of it
    login = manage("create_operator", environment=english).strip()
    manage("import_orders", str(ORDERS), "--if-empty", environment=english)
    options = ("127.0.0.1:0", "--noreload")
    server = stack.enter_context(start("runserver", *options, environment=environment))
    site = address(server, "The web server")
    loop = ("send_sms", "--loop", "--interval", "2")
    worker = stack.enter_context(start(*loop, environment=english, shown=True))
    print(
        PAGES.format(
            site=site, sandbox=gateway, login=login, database=DATABASE.relative_to(HERE.parent)
        ),
        flush=True,
    )
    return {"The sandbox": sandbox, "The web server": server, "The worker": worker}


def own_settings() -> dict[str, str]:
    """A database of its own, to look at from this machine."""
    return {
        "DATABASE_URL": f"sqlite:///{quote(DATABASE.as_posix())}",
        "DJANGO_ALLOWED_HOSTS": "127.0.0.1,localhost",
        "DJANGO_DEBUG": "True",
        "DJANGO_RUNSERVER_HIDE_WARNING": "true",
    }


def watch(processes: dict[str, subprocess.Popen[str]]) -> None:
    """Wait as long as all of them run. Raises ``Trouble``."""
    while True:
        for name, process in processes.items():
            if process.poll() is not None:
                raise Trouble(f"{name} ended with {process.returncode}.")
        time.sleep(0.5)


if __name__ == "__main__":
    sys.exit(main())
