"""Plants mistakes in a copy of the app, one at a time, and shows that a named test fails.

``make mistakes`` runs it. It ends with 0 only if the tests pass without a mistake and each
mistake is caught.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
APP = "django_mobilon_sms"
COPIED = (APP, "tests", "pyproject.toml", "setup.cfg")
AT_ONCE = 2
NO_CODE = "(Type|Name|UnboundLocal|Attribute|Import|ModuleNotFound|Syntax|Indentation)Error"
#: A test that waits for ever is no test that fails.
PATIENCE = 180  # seconds


class Mistake(NamedTuple):
    """In ``file``, ``new`` instead of the one ``old``, is to make ``test`` fail."""

    name: str
    file: str
    old: str
    new: str
    test: str


LATE = "worker/test_abandoned_requests.py::"
MISTAKES = [
    Mistake(
        "abandoned, and written all the same",
        "gateway/calls.py",
        """\
        if self._state == State.ABANDONED:
            raise NeverLeft("connection")
""",
        "",
        "gateway/test_calls.py::test_call_abandoned_in_the_name_server_writes_nothing",
    ),
    Mistake(
        "written, and abandoned as never left",
        "gateway/calls.py",
        """\
            if self._state == State.WRITING:
                return OutcomeUnknown("deadline")
""",
        "",
        "gateway/test_calls.py::test_call_abandoned_while_it_writes_may_have_left_and_its_socket_is_shut",
    ),
    Mistake(
        "socket of an abandoned call left open",
        "gateway/calls.py",
        "self._socket.shutdown(socket.SHUT_RDWR)",
        "pass",
        "gateway/test_calls.py::test_call_abandoned_while_it_connects_ends_at_once_and_never_left",
    ),
    Mistake(
        "lease not checked before the write",
        "gateway/calls.py",
        "if uptime() > self._write_until:",
        "if False:",
        "gateway/test_calls.py::test_lease_that_ends_in_the_name_server_lets_nothing_leave",
    ),
    Mistake(
        "all the time for the first address",
        "gateway/calls.py",
        "return left / addresses",
        "return left",
        LATE + "test_dead_addresses_before_the_live_one_cost_no_second_copy",
    ),
    Mistake(
        "own backend abandoned at its timeout",
        "gateway/calls.py",
        "if self._state == State.HANDED_OVER and uptime() < self.lease_end:",
        "if False:",
        LATE + "test_own_backend_keeps_its_batch_and_stops_no_other",
    ),
    Mistake(
        "resend of a lost batch without a margin",
        "models/batches.py",
        "lease_until__gt=db_now() - RESEND_MARGIN",
        "lease_until__gt=db_now()",
        "models/test_message_changes.py::test_resend_waits_for_the_lease_and_a_margin",
    ),
    Mistake(
        "lost batch counted as closed",
        "models/batches.py",
        'outcome__in=["", Outcome.LOST]',
        'outcome__in=[""]',
        "admin/test_decisions.py::test_resend_waits_for_a_post_that_may_be_under_way",
    ),
    Mistake(
        "missing CA certificates unknown",
        "gateway/connections.py",
        """\
        except OSError:
            raise NeverLeft("certificate") from None
""",
        """\
        except ZeroDivisionError:
            raise
""",
        "gateway/test_calls.py::test_missing_bundle_of_authorities_proves_that_nothing_left",
    ),
    Mistake(
        "thread that cannot start ends the run",
        "worker/request_threads.py",
        "except (RuntimeError, MemoryError):",
        "except ZeroDivisionError:",
        LATE + "test_thread_that_cannot_start_leaves_its_messages_pending",
    ),
    Mistake(
        "interim reply read as the reply",
        "gateway/connections.py",
        "or not 100 <= status < 200:",
        "or status != 100:",
        "gateway/test_calls.py::test_good_reply_after_interim_ones_is_read",
    ),
    Mistake(
        "lost back to pending",
        "worker/outcome_recording.py",
        "if batch.outcome in (Outcome.NO_PROOF, Outcome.LOST):",
        "if batch.outcome == Outcome.NO_PROOF:",
        "worker/test_run.py::test_lost_batch_leaves_its_messages_unknown",
    ),
    Mistake(
        "no proof back to pending",
        "worker/outcome_recording.py",
        "if batch.outcome in (Outcome.NO_PROOF, Outcome.LOST):",
        "if batch.outcome == Outcome.LOST:",
        "worker/test_run.py::test_blocked_gateway_is_left_alone_and_messages_wait",
    ),
    Mistake(
        "token dropped from the record",
        "worker/outcome_recording.py",
        "SmsMessage.objects.for_write().filter(batch=batch)",
        "SmsMessage.objects.for_write()",
        "worker/test_run.py::test_late_never_left_does_not_touch_a_resend_in_another_batch",
    ),
    Mistake(
        "status dropped from the claim",
        "models/messages/changes.py",
        "unexpired().without_indexes().filter(PkIn(pks), status_now=Status.PENDING)",
        "unexpired().filter(PkIn(pks))",
        "models/test_message_changes.py::test_message_that_is_not_pending_is_not_cancelled_or_claimed",
    ),
    Mistake(
        "expiry dropped from the claim",
        "models/messages/changes.py",
        "unexpired().without_indexes().filter(PkIn(pks), status_now=Status.PENDING)",
        "without_indexes().filter(PkIn(pks), status_now=Status.PENDING)",
        "models/test_message_changes.py::test_claim_takes_pending_messages_that_have_not_expired",
    ),
    Mistake(
        "POST before the claim's commit",
        "worker/claims.py",
        "        return [claim for claim in claims if claim.messages]",
        """\
        from . import run as delivery

        worker = delivery._Run(delivery.RunReport(), 1, 100)
        worker._post(claims[0])
        worker._finished()
        return [claim for claim in claims if claim.messages]""",
        "worker/test_run.py::test_gateway_hears_of_a_message_only_after_its_claim_was_committed",
    ),
    Mistake(
        "every exception to pending",
        "worker/run.py",
        "proof = proofs.of_error(answer)",
        "proof = Proof(Outcome.NEVER_LEFT, ErrorCode.CONNECTION)",
        "worker/test_run.py::test_unforeseen_error_proves_nothing",
    ),
    Mistake(
        "transport retries 3",
        "gateway/connections.py",
        "super().__init__(max_retries=0,",
        "super().__init__(max_retries=requests.adapters.Retry(3, allowed_methods=None),",
        "gateway/test_client.py::test_broken_connection_is_not_tried_again",
    ),
    Mistake(
        "redirects on",
        "gateway/client.py",
        "connections.post(request, call)",
        "requests.Session().send(request, stream=True)",
        "gateway/test_client.py::test_redirect_is_not_followed",
    ),
    Mistake(
        "environment proxies on",
        "gateway/client.py",
        "connections.post(request, call)",
        "requests.Session().send(request, allow_redirects=False, stream=True)",
        "gateway/test_client.py::test_environment_is_ignored",
    ),
    Mistake(
        "reply matched by position",
        "gateway/client.py",
        "return list(send_results(reply, [message.guid for message in messages]))",
        "return [result._replace(guid=message.guid) for message, result in"
        " zip(messages, send_results(reply, [message.guid for message in messages]))]",
        "worker/test_run.py::test_answer_is_matched_by_guid_and_not_by_position",
    ),
    Mistake(
        "resend claimed while its late reply waits",
        "worker/claims.py",
        "if batch[0].pk not in without]",
        "]",
        "worker/test_outcome_recording.py::test_reply_after_its_batch_was_given_up_still_counts",
    ),
    Mistake(
        "save() of an existing row allowed",
        "models/messages/sms_message.py",
        "        if not self._state.adding:\n            raise MessageIsWritten\n",
        "",
        "models/test_messages.py::test_existing_row_is_not_saved_again",
    ),
    Mistake(
        "status == 1 without type check",
        "gateway/reply_parser.py",
        "type(value) is int and",
        "isinstance(value, int) and",
        "worker/test_status_queries.py::test_report_whose_status_is_true_changes_nothing",
    ),
    Mistake(
        "record without deadlock repeat",
        "worker/outcome_recording.py",
        "return retry_on_lock(write, using=_alias(), seconds=seconds, reply_is_held=True)",
        "return write()",
        "worker/test_outcome_recording.py::test_database_that_was_away_when_the_reply_came_gets_the_truth"
        "_when_it_is_back",
    ),
    Mistake(
        "reply held as if it could be had again",
        "worker/outcome_recording.py",
        "return retry_on_lock(write, using=_alias(), seconds=seconds, reply_is_held=True)",
        "return retry_on_lock(write, using=_alias(), seconds=seconds)",
        "worker/test_outcome_recording.py::test_reply_outlives_every_error_that_is_not_about_its_rows",
    ),
    Mistake(
        "session of a replaced server kept",
        "database/retry_on_lock.py",
        "connections[using].close()",
        "connections[using].close_if_unusable_or_obsolete()",
        "worker/test_outcome_recording.py::test_session_that_became_useless_while_the_reply_was_awaited"
        "_is_replaced",
    ),
    Mistake(
        "left behind for ever",
        "worker/sweep.py",
        "        SmsMessage.objects.left_behind(),\n",
        "",
        "worker/test_run.py::test_message_that_an_applied_batch_left_behind_gets_what_its_outcome_proves",
    ),
    Mistake(
        "left behind and back to pending without proof",
        "worker/outcome_recording.py",
        "carried = batch.guids if batch.outcome else []",
        'carried = list(sending.values_list("guid", flat=True))',
        "worker/test_run.py::test_message_that_an_applied_batch_left_behind_gets_what_its_outcome_proves",
    ),
    Mistake(
        "resent row cancelled for good",
        "models/messages/changes.py",
        "return sum(pending.end(Status.CANCELLED, error_code, **who).values())",
        'return pending.change(status=Status.CANCELLED, error_code="")',
        "models/test_message_changes.py::test_cancelled_resend_may_have_gone_out_and_is_unknown",
    ),
    Mistake(
        "no deadline beyond the socket's",
        "worker/request_threads.py",
        "self._done.get(timeout=max(0.0, end - uptime()))",
        "self._done.get()",
        "worker/test_request_threads.py::test_call_that_outlives_its_time_is_abandoned",
    ),
    Mistake(
        "no slot kept for urgent messages",
        "worker/run.py",
        "kept = 1 if slots > 1 and not urgent else 0",
        "kept = 0",
        "worker/test_urgent.py::test_urgent_message_leaves_while_every_other_request_waits",
    ),
    Mistake(
        "urgent message not looked for during requests",
        "worker/run.py",
        "LOOK_SECONDS if looks else None",
        "None",
        "worker/test_urgent.py::test_urgent_message_leaves_while_every_other_request_waits",
    ),
    Mistake(
        "share of the pace not kept",
        "limits/pace.py",
        "self.segments - self.segments // KEPT_OF",
        "self.segments",
        "worker/test_urgent.py::test_tenth_of_each_window_is_kept_for_urgent_messages",
    ),
    Mistake(
        "receivers between two records",
        "signals.py",
        "former, _held.calls = _held.calls, calls",
        "former = _held.calls",
        "worker/test_receivers.py"
        "::test_receiver_that_takes_longer_than_a_lease_makes_nothing_unknown",
    ),
    Mistake(
        "a run fails with its output",
        "management/output.py",
        "with suppress(OSError, ValueError):",
        "with suppress(UnicodeError):",
        "management/test_output.py::test_run_ends_with_the_code_of_its_work",
    ),
    Mistake(
        "output fails at the exit",
        "management/output.py",
        "        finally:\n            drop_unwritten()",
        "        finally:\n            pass",
        "management/test_output.py::test_run_ends_with_the_code_of_its_work",
    ),
    Mistake(
        "signal handlers left behind",
        "management/stop_signals.py",
        "signal.signal(number, handler or signal.SIG_DFL)",
        "pass",
        "management/test_stop_signals.py::test_next_signal_ends_the_process_that_called",
    ),
    Mistake(
        "statuses asked for again at once after trouble",
        "worker/statuses/queries.py",
        "if patient and time.monotonic() < trouble.until:",
        "if False:",
        "management/test_loop.py::test_statuses_wait_after_trouble_and_sending_does_not",
    ),
    Mistake(
        "replies of the last round not recorded",
        "worker/statuses/queries.py",
        "ended the queries\n        _record_all(report, answered, alive)\n",
        "ended the queries\n        pass\n",
        "worker/test_status_queries.py::test_batches_with_few_messages_left_share_a_request",
    ),
    Mistake(
        "batch asked for by two workers",
        "worker/statuses/queries.py",
        "return rows.checkable().filter(PkIn(batches))",
        "return rows.filter(PkIn(batches))",
        "worker/test_status_queries.py::test_two_workers_do_not_ask_for_the_same",
    ),
    Mistake(
        "connections of status queries kept",
        "worker/configured_backend.py",
        'getattr(backend, "close", lambda: None)()',
        "pass",
        "worker/test_status_connections.py::test_refresh_keeps_no_connection",
    ),
    Mistake(
        "probe off",
        "worker/claims.py",
        "if is_probe := state is not None and state.blocked_until is not None:",
        "if (is_probe := state is not None and state.blocked_until is not None) and False:",
        "worker/test_run.py::test_probe_is_one_message_and_its_good_reply_clears_the_way",
    ),
    Mistake(
        "breaker changed by its time",
        "models/pause_and_breaker.py",
        'pk=batch.pk, breaker_changes=OuterRef("breaker_changes")',
        'pk=batch.pk, created_at__gte=OuterRef("changed_at")',
        "models/test_pause_and_breaker.py"
        "::test_batch_claimed_before_the_last_change_changes_nothing",
    ),
    Mistake(
        "wait that a wrong clock wrote",
        "models/pause_and_breaker.py",
        "            state.end_impossible_waits()\n",
        "",
        "worker/test_clock_jumps.py::test_jump_stops_nothing_repeats_nothing_and_hides_no_outage",
    ),
    Mistake(
        "window that a wrong clock opened",
        "limits/pace.py",
        "    while not _holds(row, window):",
        "    while row.window < window.number:",
        "limits/test_pace.py::test_jump_of_the_clock_stops_the_pace_for_a_window_at_most",
    ),
    Mistake(
        "window opened again by a clock set back",
        "limits/pace.py",
        "return window.number, window.number + 1",
        "return (window.number,)",
        "limits/test_pace.py::test_clock_that_is_set_back_opens_no_window_again",
    ),
    Mistake(
        "pause not asked by the claim",
        "models/pause_and_breaker.py",
        "states.filter(ShortLockWaits(), may_send, paused_at__isnull=True)",
        "states.filter(ShortLockWaits(), may_send)",
        "worker/test_claims.py::test_claim_takes_nothing_after_sending_was_halted",
    ),
    Mistake(
        "breaker not asked by the claim",
        "models/pause_and_breaker.py",
        "states.filter(ShortLockWaits(), may_send, paused_at__isnull=True)",
        "states.filter(ShortLockWaits(), paused_at__isnull=True)",
        "worker/test_claims.py::test_claim_takes_nothing_after_sending_was_halted",
    ),
    Mistake(
        "load of a claim judged by its order",
        "worker/claims.py",
        'last = max(messages, key=attrgetter("priority", "segments"))',
        "last = messages[-1]",
        "limits/test_pace.py"
        "::test_claim_that_was_put_into_another_order_has_the_room_that_was_seen",
    ),
    Mistake(
        "probe kept by a batch that did not ask",
        "worker/outcome_recording.py",
        "(states.clear if result.is_good else states.release_probe)(result.batch)",
        "states.clear(result.batch) if result.is_good else None",
        "worker/test_claims.py::test_probe_that_did_not_ask_the_gateway_lets_the_next_one_ask",
    ),
    Mistake(
        "stop list not asked by the claim",
        "worker/claims.py",
        "    if not stopped:\n        return 0\n",
        "    return 0\n",
        "worker/test_claims.py::test_text_of_a_message_stopped_before_its_claim_is_forgotten",
    ),
    Mistake(
        "list confirmed twice",
        "models/mailings.py",
        "return self.waiting().update(confirmed_at",
        "return self.update(confirmed_at",
        "admin/test_mailings.py::test_confirming_twice_writes_once",
    ),
    Mistake(
        "decision by those who may only look",
        "admin/actions/decide.py",
        "if not (self.has_decide_permission(request) and self.has_view_permission(request)):",
        "if not self.has_view_permission(request):",
        "admin/test_decisions.py::test_decision_needs_its_permission_a_post_and_the_csrf_token",
    ),
    Mistake(
        "decision about more than was asked",
        "admin/actions/decide.py",
        "eligible = list(action.eligible(rows)",
        "eligible = list(action.eligible(SmsMessage.objects.for_write())",
        "admin/test_decisions.py::test_whole_batch_is_decided_about_from_its_page",
    ),
    Mistake(
        "texts in everybody's export",
        "admin/reports/export_page.py",
        "with_texts=self.has_text_permission(request)",
        "with_texts=True",
        "admin/test_export.py::test_texts_are_left_out_for_those_who_may_not_see_them",
    ),
    Mistake(
        "formula in an export",
        "admin/spreadsheet_files.py",
        "[_escape_formula(cell) for cell in row]",
        "list(row)",
        "admin/test_export.py::test_no_cell_is_a_formula",
    ),
    Mistake(
        "a retry held to today's rules",
        "outbox/writing.py",
        "is_repeated = named_guid(row) in existing",
        "is_repeated = False",
        "rest/test_idempotency_key.py::test_retry_after_the_settings_changed_finds_its_rows",
    ),
    Mistake(
        "a longer list under the same key",
        "rest/messages/idempotency_key.py",
        "missing = set(range(len(messages))) - found",
        "missing = set[int]()",
        "rest/test_idempotency_key.py::test_list_of_another_length_under_the_same_key_is_a_conflict",
    ),
    Mistake(
        "everybody's messages to each client",
        "rest/messages/views.py",
        "if conf.REST_OWN_MESSAGES_ONLY:",
        "if False:",
        "rest/test_own.py::test_own_messages_are_found_counted_and_acted_on",
    ),
    Mistake(
        "guid of another compared with guesses",
        "outbox/guid_conflicts.py",
        "if confined_to is not None and not _is_own(message, confined_to):",
        "if False:",
        "rest/test_guessing.py::test_guid_of_another_is_taken_whatever_is_guessed",
    ),
    Mistake(
        "messages of others count as duplicates of guesses",
        "outbox/duplicates.py",
        "if confined_to is not None:",
        "if False:",
        "rest/test_guessing.py::test_only_own_messages_of_a_confined_caller_count_as_duplicates",
    ),
    Mistake(
        "key not kept with its messages",
        "outbox/writing.py",
        "        door.also_write(messages)\n",
        "",
        "rest/test_idempotency_key.py::test_same_key_again_answers_200_with_the_same_rows",
    ),
    Mistake(
        "bad rows judged anew by a repeat",
        "rest/messages/idempotency_key.py",
        "        errors = self._errors(kept)\n",
        "        errors = list[RowError]()\n",
        "rest/test_skip.py::test_repeat_gives_the_same_rows_whatever_has_changed",
    ),
    Mistake(
        "content of a request kept with its key",
        "rest/messages/idempotency_key.py",
        "        known = error.field in KNOWN_FIELDS\n",
        "        known = True\n",
        "rest/test_skip.py::test_neither_text_nor_number_is_kept_with_the_key",
    ),
    Mistake(
        "dry run that writes",
        "outbox/writing.py",
        "if refused or door.dry_run:",
        "if refused:",
        "rest/test_dry_run.py::test_answer_counts_what_would_be_written",
    ),
    Mistake(
        "daily budget never used up",
        "rest/messages/daily_budget.py",
        "update(day=today, segments=used)",
        "update(day=today)",
        "rest/test_daily_budget.py::test_segments_beyond_the_budget_are_refused_until_midnight",
    ),
    Mistake(
        "everybody's events to each client",
        "rest/events.py",
        "own = self.request.user.pk if conf.REST_OWN_MESSAGES_ONLY else None",
        "own = None",
        "rest/test_events.py::test_confined_client_reads_its_own_and_passes_over_the_others",
    ),
    Mistake(
        "a waiting request that holds its connection",
        "rest/events.py",
        "                _close_connections()\n",
        "",
        "rest/test_events.py::test_request_waits_for_an_event_without_a_connection",
    ),
    Mistake(
        "resend by who may only cancel",
        "rest/messages/views.py",
        'return RESEND if self.action == "resend" else ACT',
        "return ACT",
        "rest/test_owasp.py::test_api5_broken_function_level_authorization",
    ),
    Mistake(
        "sending again decided without its permission",
        "admin/actions/catalogue.py",
        "if user.has_perm(action.permission)]",
        "if user.has_perm(permissions.SEND)]",
        "admin/test_decisions.py::test_send_again_is_offered_and_done_only_with_its_permission",
    ),
    Mistake(
        "key purged before its messages",
        "operations/purging.py",
        "if left.isdisjoint(of_key)]",
        "]",
        "rest/test_idempotency_key.py::test_key_is_purged_only_after_the_last_of_its_messages",
    ),
]


class Run(NamedTuple):
    """What pytest said: its exit code, the first test that failed, and why."""

    code: int | None
    failed: str
    reason: str
    output: str


def stale(mistake: Mistake) -> bool:
    """Whether the app no longer holds, once, what the mistake replaces."""
    return (ROOT / APP / mistake.file).read_text().count(mistake.old) != 1


def planted(mistake: Mistake, folder: Path) -> Run:
    """Run the named test on the copy in the folder, with the mistake for as long as that takes."""
    path = folder / APP / mistake.file
    right, written = path.read_bytes(), path.stat()
    path.write_text(path.read_text().replace(mistake.old, mistake.new))
    try:
        return run(folder, [mistake.test])
    finally:
        path.write_bytes(right)
        # Python compiles a file again whose time or size differs from what it compiled.
        os.utime(path, ns=(written.st_atime_ns, written.st_mtime_ns))


def unplanted(folder: Path) -> Run:
    """Run all named tests on the copy in the folder, and compile it for the runs that follow."""
    tests = sorted({mistake.test for mistake in MISTAKES})
    return run(folder, tests, compiles=True, patience=5 * PATIENCE)


def copy(folder: Path) -> Path:
    """What the tests need of the repository, in the folder."""
    folder.mkdir()
    for name in COPIED:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, folder / name)
    return folder


def run(folder: Path, tests: list[str], *, compiles: bool = False, patience: int = PATIENCE) -> Run:
    """The tests in the folder, on the copy of the app that is there and no other."""
    environment = os.environ | {"PYTHONPATH": str(folder)}
    environment["PYTHONDONTWRITEBYTECODE"] = "" if compiles else "1"
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # each start would import all of hypothesis
    environment["COLUMNS"] = "400"  # whole reasons
    environment["TMPDIR"] = str(folder)  # each run has its own database
    environment.pop("DATABASE_URL", None)

    def python(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=patience,
            check=False,
        )

    imported = python("-c", f"import {APP}.apps; print({APP}.apps.__file__)").stdout.strip()
    assert Path(imported).parent == folder / APP, f"{imported} is not in the copy."
    options = ["-q", "-x", "-rf", "--tb=no", "-p", "no:cacheprovider", "--color=no"]
    options += ["-p", "pytest_django.plugin", "-p", "pytest_timeout"]
    try:
        done = python("-m", "pytest", *options, *(f"tests/{test}" for test in tests))
    except subprocess.TimeoutExpired:
        return Run(None, "", "", f"It did not end in {patience} s.")
    failed = re.search(r"^FAILED (.+?)(?: - (.*))?$", done.stdout, re.MULTILINE)
    test, reason = failed.groups("") if failed else ("", "")
    return Run(done.returncode, test, reason, done.stdout)


def caught(run: Run) -> bool:
    """Whether a test failed; an error of collection, setup or usage is none.

    Neither is code that cannot run: then the mistake is not the one that it is called.
    """
    return run.code == 1 and run.failed != "" and not re.match(NO_CODE, run.reason)


def main() -> int:
    """Plant them all; 0 if each is caught."""
    if gone := [mistake.name for mistake in MISTAKES if stale(mistake)]:
        print("stale:", ", ".join(gone), "(what they replace is not in the app, or not once)")
        return 1
    with tempfile.TemporaryDirectory() as home:
        folder = copy(Path(home) / "0")
        before = unplanted(folder)
        if before.code != 0:
            print(before.output, "The named tests do not pass without a mistake.", sep="\n")
            return 1
        print(
            f"The named tests pass without a mistake: {before.output.splitlines()[-1]}.", flush=True
        )
        folders: SimpleQueue[Path] = SimpleQueue()
        folders.put(folder)
        for number in range(1, AT_ONCE):
            folders.put(shutil.copytree(folder, Path(home) / str(number)))  # as compiled
        return 0 if plant(folders) == len(MISTAKES) else 1


def plant(folders: SimpleQueue[Path]) -> int:
    """Plant each mistake in a free folder, print which test caught it, and count the caught."""

    def in_free_folder(mistake: Mistake) -> Run:
        folder = folders.get()
        try:
            return planted(mistake, folder)
        finally:
            folders.put(folder)

    count = 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for mistake, result in zip(MISTAKES, pool.map(in_free_folder, MISTAKES)):
            count += caught(result)
            word = "caught" if caught(result) else "MISSED"
            print(f"{word:8} {mistake.name:36} {result.failed}", flush=True)
            if not caught(result):
                print(result.output)
    print(f"{count} of {len(MISTAKES)} caught")
    return count


if __name__ == "__main__":
    sys.exit(main())
