"""Credentials, texts and numbers do not leak: every output is searched for canaries."""

from __future__ import annotations

import base64
import logging
import socket
import ssl
import threading
import traceback
from contextlib import closing, contextmanager, suppress

import django
import pytest
import trustme
from django.core import mail
from django.core.cache import cache
from django.core.management import CommandError
from django.db import IntegrityError, connection
from django.test import Client
from django.utils.log import AdminEmailHandler

from django_mobilon_sms.choices import ErrorCode, Status
from django_mobilon_sms.gateway import Call, MobilonGateway, OutgoingMessage
from django_mobilon_sms.models import SmsBatch, SmsMailing, SmsMessage
from django_mobilon_sms.outbox import send_many, send_sms
from django_mobilon_sms.sandbox import Sandbox
from django_mobilon_sms.sandbox.broken_replies import FAULTS
from django_mobilon_sms.worker.candidates import Candidate
from django_mobilon_sms.worker.request_threads import RequestThreads
from django_mobilon_sms.worker.run import Claim
from tests.support.admin_door import ADD, DECIDE, EVERYTHING, LIST, person
from tests.support.broken_replies import BROKEN_REPLIES
from tests.support.messages import write
from tests.support.rest_door import ALL, login

pytestmark = pytest.mark.django_db(transaction=True)

CREDENTIALS = {"login": "Zq7login", "password": "Zq7password"}
CREDENTIALS["token"] = base64.b64encode(b"Zq7login:Zq7password").decode()
#: Django shows settings whose names look harmless, such as USERNAME.
HIDDEN = {name: CREDENTIALS[name] for name in ("password", "token")}
#: The number, in digits that every notation contains.
CONTENTS = {"text": "Zq7text", "number": "9135550199", "source": "Zq7source"}
MESSAGE = {"number": "+79135550199", "text": "Zq7text", "source": "Zq7source"}


def found(*shown, of=CREDENTIALS | CONTENTS):
    """Return the canaries in the output."""
    everything = "\n".join(map(str, shown))
    return [name for name, canary in of.items() if canary in everything]


@pytest.fixture(autouse=True)
def _canaries(settings):
    cache.clear()  # the throttles of REST
    settings.MOBILON_SMS_USERNAME = CREDENTIALS["login"]
    settings.MOBILON_SMS_PASSWORD = CREDENTIALS["password"]


@pytest.fixture
def sandbox(settings):
    login, password = CREDENTIALS["login"], CREDENTIALS["password"]
    with Sandbox(username=login, password=password, faults=BROKEN_REPLIES) as server:
        settings.MOBILON_SMS_BASE_URL = server.url
        yield server


@pytest.fixture
def logs(caplog):
    """Return everything that any logger logs, from DEBUG, with all attributes of the records."""
    caplog.set_level(logging.DEBUG)
    known = logging.root.manager.loggerDict.values()
    loggers = [logger for logger in known if hasattr(logger, "level")]
    before = [(logger, logger.level, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.NOTSET)
        logger.propagate = True
    yield lambda: [caplog.text, *(vars(record) for record in caplog.records)]
    for logger, level, propagate in before:
        logger.setLevel(level)
        logger.propagate = propagate


class Witness(MobilonGateway):
    """The gateway client, which keeps the errors that it raised."""

    raised: list[BaseException]

    def send(self, messages, **options):
        try:
            return super().send(messages, **options)
        except BaseException as error:
            self.raised.append(error)
            raise


@pytest.fixture
def raised(settings, monkeypatch):
    """Return every text of the errors that the client raised."""
    settings.MOBILON_SMS_BACKEND = "tests.public.test_secrets.Witness"
    errors: list[BaseException] = []
    monkeypatch.setattr(Witness, "raised", errors, raising=False)
    return lambda: [text for error in errors for text in texts(error)]


def texts(error):
    return [str(error), repr(error), str(vars(error)), *traceback.format_exception(error)]


def journal():
    """Return all rows, without the three columns that hold the contents of a message."""
    fields = [field.name for field in SmsMessage._meta.concrete_fields]
    others = [name for name in fields if name not in CONTENTS]
    return [*SmsBatch.objects.values(), *SmsMessage.objects.values(*others)]


# The worker


@pytest.fixture
def run(worker, logs, raised, capfd, settings, monkeypatch):
    """Send one message, and return all output and rows."""
    settings.MOBILON_SMS_TIMEOUT = 0.5

    def run():
        write(**MESSAGE)
        output = worker()
        assert SmsBatch.objects.exclude(outcome="").count() == 1
        return [output, *capfd.readouterr(), *logs(), *raised(), *journal()]

    return run


@pytest.mark.parametrize("fault", [None, *FAULTS, *BROKEN_REPLIES])
def test_run_shows_nothing_whatever_the_gateway_does(sandbox, run, fault):
    options = {"status": {"value": 5}}.get(fault, {})
    if fault:
        sandbox.fault(fault, **options)
    assert found(*run()) == []


@pytest.mark.parametrize("code", [301, 400, 401, 402, 403, 413, 429, 500, 503])
def test_run_shows_nothing_even_if_a_refusal_repeats_the_request(sandbox, run, code):
    echo = str(MESSAGE | CREDENTIALS)
    headers = {"X-Echo": echo, "Location": f"http://{echo}/", "Retry-After": echo}
    sandbox.fault("http", code=code, headers=headers, body=echo)
    assert found(*run()) == []


@contextmanager
def server(answer):
    """Yield a port whose first connection is passed to ``answer``."""

    def serve():
        with suppress(OSError):
            visitor, _address = listener.accept()
            with visitor:
                answer(visitor)

    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        listener.settimeout(60)
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def untrusted(visitor):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    context.wrap_socket(visitor, server_side=True).close()


@pytest.mark.parametrize(
    "answer",
    [untrusted, lambda visitor: None, lambda visitor: visitor.recv(65536)],
    ids=["untrusted certificate", "closed at once", "closed in the handshake"],
)
def test_run_shows_nothing_when_tls_fails(run, settings, answer):
    with server(answer) as port:
        settings.MOBILON_SMS_BASE_URL = f"https://127.0.0.1:{port}/"
        assert found(*run()) == []


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/", "https://gateway.invalid/"])
def test_run_shows_nothing_when_no_connection_is_made(run, settings, address):
    settings.MOBILON_SMS_BASE_URL = address
    assert found(*run()) == []


ECHO = " ".join((MESSAGE | CREDENTIALS).values()).encode()


@pytest.mark.parametrize(
    "reply",
    [
        ECHO,
        b"HTTP/1.1 " + ECHO,
        b"HTTP/1.1 200 " + ECHO,
        b"HTTP/1.1 200 OK\r\nContent-Length: " + ECHO + b"\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + ECHO,
        b"HTTP/1.1 200 OK\r\nContent-Encoding: " + ECHO + b"\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\n\r\n" + ECHO,
    ],
    ids=["line", "code", "reason", "length", "chunk", "encoding", "body"],
)
def test_run_shows_nothing_even_if_a_broken_reply_repeats_the_request(run, settings, reply):
    def answer(visitor):
        visitor.recv(65536)
        visitor.sendall(reply + b"\r\n\r\n")

    with server(answer) as port:
        settings.MOBILON_SMS_BASE_URL = f"http://127.0.0.1:{port}/"
        assert found(*run()) == []


# Errors of the database


@pytest.fixture
def refuse():
    """Let the database refuse messages with this status."""
    statements = []

    def execute(statement):
        with connection.cursor() as cursor:
            cursor.execute(statement)

    def refuse(status):
        table = SmsMessage._meta.db_table
        if connection.vendor != "sqlite":
            execute(f"ALTER TABLE {table} ADD CONSTRAINT refusal CHECK (status <> '{status}')")
            statements.append(f"ALTER TABLE {table} DROP CONSTRAINT refusal")
            return
        for word in ("INSERT", "UPDATE"):  # SQLite cannot add a constraint to a table
            execute(
                f"CREATE TRIGGER refuse_{word} BEFORE {word} ON {table}"
                f" WHEN new.status = '{status}'"
                " BEGIN SELECT RAISE(ABORT, 'CHECK constraint failed: refusal'); END"
            )
            statements.append(f"DROP TRIGGER refuse_{word}")

    yield refuse
    for statement in statements:
        execute(statement)


@pytest.mark.databases
def test_run_shows_nothing_when_the_database_refuses_the_work(sandbox, refuse, worker, logs):
    refuse(Status.SENDING)
    write(**MESSAGE)
    with pytest.raises(CommandError) as error:
        worker()
    assert found(*texts(error.value), *logs(), *journal()) == []


@pytest.mark.databases
@pytest.mark.parametrize(
    "write",
    [
        lambda: send_sms(**MESSAGE),
        lambda: send_many([MESSAGE, MESSAGE]),
        lambda: SmsMessage.objects.resend(by=None),
    ],
    ids=["send_sms", "send_many", "resend"],
)
def test_error_of_the_database_names_the_constraint_and_repeats_no_row(refuse, write):
    send_sms(**MESSAGE)
    SmsMessage.objects.all().hold(ErrorCode.TIMEOUT)
    refuse(Status.PENDING)
    with pytest.raises(IntegrityError, match="refusal") as error:
        write()
    assert found(*texts(error.value)) == []


# The 500 page, and the mail about it


@pytest.fixture
def mails(settings):
    """Send mails about errors, and return everything that Django puts into them."""
    admin = "admin@shop.example"
    settings.ADMINS = [("Admin", admin)] if django.VERSION < (6, 0) else [admin]
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
    logger, handler = logging.getLogger("django.request"), AdminEmailHandler(include_html=True)
    logger.addHandler(handler)
    yield lambda: [
        part
        for message in mail.outbox
        for part in (message.subject, message.body, *map(str, message.alternatives))
    ]
    logger.removeHandler(handler)


def lenient(client: Client):
    client.raise_request_exception = False
    return client


def rest():
    return lenient(login(*ALL))


def admin():
    return lenient(person(*EVERYTHING))


def one():
    return SmsMessage.objects.get()


def waiting():
    write(**MESSAGE)


def held():
    write(**MESSAGE)
    SmsMessage.objects.all().hold(ErrorCode.TIMEOUT)


def failed():
    write(**MESSAGE)
    SmsMessage.objects.all().change(status=Status.FAILED)


def listed():
    file = f"phone;name\n{MESSAGE['number']};{MESSAGE['text']}\n".encode()
    common = {"text": MESSAGE["text"] + "{{NAME}}", "source": MESSAGE["source"]}
    SmsMailing.objects.create(name="list", file=file, file_name="list.csv", **common)


def nothing():
    pass


def choose(client, action, **fields):
    data = {"action": action, "_selected_action": one().pk, "index": 0} | fields
    return client.post(LIST, data)


def resend():
    return {"choice": "resend", "pks": one().pk}


def on(path=""):
    return f"/sms/messages/{one().guid}/{path}"


LISTS = "/admin/mobilon_sms/smsmailing/"
FORM = {"numbers": MESSAGE["number"], "priority": 5, "_save": "yes"} | {
    name: MESSAGE[name] for name in ("text", "source")
}

#: By door: a function that prepares, the status refused by the database, the action.
WRITING = {
    "admin add": (nothing, "pending", lambda: admin().post(ADD, FORM)),
    "admin list": (
        listed,
        "pending",
        lambda: admin().post(f"{LISTS}{SmsMailing.objects.get().pk}/confirm/"),
    ),
    "admin copy": (failed, "pending", lambda: choose(admin(), "copy", pks=one().pk)),
    "REST": (nothing, "pending", lambda: rest().post("/sms/messages/", MESSAGE, format="json")),
    "REST list": (
        nothing,
        "pending",
        lambda: rest().post("/sms/messages/many/", [MESSAGE] * 2, format="json"),
    ),
}
ACTING = {
    "admin cancel": (waiting, "cancelled", lambda: choose(admin(), "cancel")),
    "admin resend": (held, "pending", lambda: admin().post(DECIDE, resend())),
    "REST cancel": (waiting, "cancelled", lambda: rest().post(on("cancel/"))),
    "REST resend": (
        held,
        "pending",
        lambda: rest().post(on("resend/"), {"accept_duplicate": True}, format="json"),
    ),
}


@pytest.mark.databases
@pytest.mark.parametrize("door", [*WRITING, *ACTING])
def test_page_mail_and_log_of_an_error_show_nothing(refuse, mails, logs, door):
    before, refused, do = (WRITING | ACTING)[door]
    before()
    refuse(refused)
    response = do()
    assert response.status_code == 500
    assert len(mail.outbox) == 2  # Django's own, and the one with HTML
    shown = [response.content.decode(), *mails(), *logs()]
    assert found(*shown, of=HIDDEN | CONTENTS) == []


STOP_LIST = "/admin/mobilon_sms/stoppednumber/add/"
#: By door: a function that prepares, words of the statement that fails, the action.
LOOKING_UP = {
    "preview: stop list": (listed, "stoppednumber", lambda: admin().get(page_of_list())),
    "preview: duplicates": (listed, "SELECT", lambda: admin().get(page_of_list())),
    "preview: limit": (listed, "BETWEEN", lambda: admin().get(page_of_list())),
    "stop list": (
        nothing,
        "stoppednumber",
        lambda: stopping().post(STOP_LIST, {"typed": MESSAGE["number"], "note": "Zq7text"}),
    ),
    "stop list: cancel": (
        waiting,
        "UPDATE",
        lambda: stopping().post(STOP_LIST, {"typed": MESSAGE["number"], "note": "Zq7text"}),
    ),
    "REST: duplicates": (
        nothing,
        '"status" IN',
        lambda: rest().post("/sms/messages/", MESSAGE, format="json"),
    ),
    "REST: limit": (
        nothing,
        "BETWEEN",
        lambda: rest().post("/sms/messages/", MESSAGE, format="json"),
    ),
}


def stopping():
    return lenient(person("add_stoppednumber"))


def page_of_list():
    return f"{LISTS}{SmsMailing.objects.get().pk}/change/"


@pytest.mark.parametrize("door", LOOKING_UP)
def test_mail_about_an_error_shows_nothing_that_was_looked_up(settings, mails, logs, door):
    settings.MOBILON_SMS_DUPLICATE_WITHIN, settings.MOBILON_SMS_HOURLY_PER_NUMBER = 60, 5
    before, words, do = LOOKING_UP[door]
    before()
    failed = []

    def fail(execute, sql, parameters, *args):
        if words in sql and CONTENTS["number"] in str(parameters):
            failed.append(sql)
            raise RuntimeError("the program")
        return execute(sql, parameters, *args)

    with connection.execute_wrapper(fail):
        response = do()
    assert failed
    assert response.status_code == 500
    shown = [response.content.decode(), *mails(), *logs()]
    assert found(*shown, of=HIDDEN | CONTENTS) == []


@pytest.mark.databases
@pytest.mark.parametrize("door", [*WRITING, *ACTING])
def test_debug_page_shows_no_credential_and_no_contents_except_those_just_entered(
    settings, refuse, door
):
    settings.DEBUG = True
    before, refused, do = (WRITING | ACTING)[door]
    before()
    refuse(refused)
    response = do()
    assert response.status_code == 500
    page = response.content.decode()
    is_problem = door.startswith("REST")  # which has no cause in any case
    assert ("Traceback" in page) != is_problem
    hides = CONTENTS if is_problem or door in ACTING else {}
    assert found(page, of=HIDDEN | hides) == []


# Representations of objects


def test_representations_show_nothing(sandbox):
    [message], batch = write(**MESSAGE), SmsBatch(worker="w:1")
    outgoing = OutgoingMessage(message.guid, "89135550199", message.text, message.source)
    gateway = MobilonGateway(sandbox.url, CREDENTIALS["login"], CREDENTIALS["password"], 5)
    candidate = Candidate(message.pk, message.guid, message.number, message.text, message.source, 1)
    threads, call = RequestThreads(), Call(60)
    threads.start(batch, call, lambda: gateway.send([outgoing], call=call))
    [(key, result)] = threads.wait()
    claim = Claim(batch, [candidate], 0.0, False)
    messages = SmsMessage.objects.all()
    objects = [message, messages, batch, outgoing, gateway, claim, threads, call, key, result]
    assert found(*(f"{each!r} {each!s} {[each]!r} {each}" for each in objects)) == []
