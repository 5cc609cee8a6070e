"""Any reply makes each message accepted, failed or unknown, and nothing else."""

from __future__ import annotations

import json
import math
import re
import uuid
from dataclasses import asdict
from datetime import timezone
from functools import partial

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from django_mobilon_sms.choices import ErrorCode, Status
from django_mobilon_sms.exceptions import OutcomeUnknown
from django_mobilon_sms.gateway import StatusReport
from django_mobilon_sms.gateway.reply_parser import parse, send_results, status_reports
from django_mobilon_sms.worker.proofs import Verdict, of_reply, settle
from django_mobilon_sms.worker.statuses import recording as status_recording
from django_mobilon_sms.worker.statuses.recording import StatusQuery

GUIDS = [uuid.UUID(int=number) for number in (1, 0xABCDEF, 2**128 - 1)]
NAN = float("nan")
STRANGER = uuid.UUID(int=7)
MEANINGS = {0: "accepted", 5: "failed"}
IDS = ["58adca", "A", "~" * 64]

#: Enough to meet each branch, few enough for a push.
often = settings(max_examples=200, deadline=None, derandomize=True)

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([10**400, -(2**31), 2**31, -0.0])
)
any_json = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=12,
)


def spellings(guid: uuid.UUID):
    plain = str(guid)
    return st.sampled_from(
        [plain, plain.upper(), guid.hex, f"{{{plain}}}", guid.urn, f" {plain}", plain[:-1], ""]
    )


near_guid = st.sampled_from([*GUIDS, STRANGER]).flatmap(spellings) | scalars
near_status = st.sampled_from([0, 5, 1, 7, True, False, "0", 0.0, 5.0, None]) | scalars
near_id = (
    st.sampled_from([*IDS, "", "x" * 65, "a\n", "\0", "п", "\ud800", 58, None, True, ["a"]])
    | scalars
)


def near_objects(*keys):
    """Return objects like the gateway's: values are right or nearly, and keys may be absent."""
    values = {
        "guid": near_guid,
        "status": near_status,
        "id": near_id,
        "dateTimeSent": st.sampled_from(["2017-02-22T16:57:24.705Z", "today", 5, None]) | any_json,
    }
    return st.fixed_dictionaries(
        {}, optional={key: values[key] for key in keys} | {"text": any_json}
    )


right = st.builds(
    lambda guid, status, id_: {"guid": str(guid), "status": status, "id": id_},
    st.sampled_from(GUIDS),
    st.sampled_from([0, 5, 7]),
    st.sampled_from(IDS),
)
#: Right but for one value, or with one key less.
almost = st.one_of(
    st.builds(lambda item, value: item | {"status": value}, right, near_status),
    st.builds(lambda item, value: item | {"id": value}, right, near_id),
    st.builds(lambda item, value: item | {"guid": value}, right, near_guid),
    st.builds(
        lambda item, key: {name: item[name] for name in item if name != key},
        right,
        st.sampled_from(["guid", "status", "id"]),
    ),
)
send_replies = st.lists(
    almost | right | near_objects("guid", "status", "id") | any_json, max_size=5
)
status_replies = st.lists(
    almost | right | near_objects("guid", "status", "id", "dateTimeSent") | any_json, max_size=5
)


def parsed(body: bytes):
    """Return the array, or None for a bad reply, which is the only error allowed."""
    try:
        return parse(body, 200)
    except OutcomeUnknown as error:
        if (error.code, error.http_code) != (ErrorCode.BAD_REPLY, 200):
            raise
        return None


def settled(reply):
    """Return the verdict on each guid, with the reply stored and read as the worker does."""
    proof = of_reply(list(send_results(reply, set(GUIDS))))
    journal = json.loads(json.dumps(asdict(proof)["reply"]))
    guids = [str(guid) for guid in GUIDS]
    found = settle(guids, journal, MEANINGS)
    assert found == settle(guids, proof.reply, MEANINGS)
    assert list(found) == guids
    return found


def require_proof(guid: str, one: Verdict, reply) -> None:
    """Require that the reply has an object of the right types that proves the verdict."""
    if one.status == Status.UNKNOWN:
        assert one.error_code in (
            ErrorCode.NO_ANSWER,
            ErrorCode.NO_ID,
            ErrorCode.WRONG_TYPES,
            ErrorCode.CONTRADICTION,
        )
        assert one.gateway_id == ""
        return
    mine = [item for item in reply if isinstance(item, dict) and means(item.get("guid"), guid)]
    assert mine
    for item in mine:
        assert type(item["status"]) is int
        assert item["status"] == one.gateway_status
    if one.status == Status.FAILED:
        assert (one.gateway_status, one.error_code) == (5, ErrorCode.REJECTED)
        return
    assert one.status == Status.ACCEPTED
    assert re.fullmatch(r"[\x20-\x7e]{1,64}", one.gateway_id)
    assert one.gateway_status != 5
    assert {item["id"] for item in mine} == {one.gateway_id}


def means(value: object, guid: str) -> bool:
    if not isinstance(value, str):
        return False
    digits = value.replace("urn:", "").replace("uuid:", "").strip("{}").replace("-", "")
    return digits.lower() == guid.replace("-", "")


def has_nan_or_infinity(value) -> bool:
    """Return whether the value contains NaN or an infinity, which JSON does not have."""
    if isinstance(value, dict):
        return any(map(has_nan_or_infinity, value.values()))
    if isinstance(value, list):
        return any(map(has_nan_or_infinity, value))
    return isinstance(value, float) and not math.isfinite(value)


@often
@given(send_replies)
@example([{"guid": str(GUIDS[0]), "status": True, "id": "a"}])
@example([{"guid": str(GUIDS[0]), "status": 0.0, "id": "a"}])
@example([{"guid": str(GUIDS[0]), "status": 5, "id": 58}])
@example([{"guid": str(GUIDS[0]), "status": 5, "id": "a"}, {"guid": GUIDS[0].hex, "status": 0}])
@example([{"guid": str(guid), "status": 0, "id": "same"} for guid in GUIDS])
def test_any_array_gives_each_message_a_verdict_with_proof(reply):
    for guid, one in settled(reply).items():
        require_proof(guid, one, reply)


@often
@given(st.data(), st.lists(st.sampled_from([0, 1, 5, 7, -1, 2**31 - 1]), min_size=3, max_size=3))
def test_right_object_counts_in_any_spelling_of_its_guid_and_among_any_others(data, codes):
    written = [data.draw(spellings(guid).filter(partial(means, guid=str(guid)))) for guid in GUIDS]
    objects = [
        {"guid": guid, "status": status, "id": id_, "more": data.draw(any_json)}
        for guid, status, id_ in zip(written, codes, IDS)
    ]
    strange = data.draw(
        st.lists(scalars | st.just({"guid": str(STRANGER), "status": 0, "id": IDS[0]}))
    )
    assert list(settled(data.draw(st.permutations(objects + strange))).values()) == [
        Verdict(Status.FAILED, ErrorCode.REJECTED, 5)
        if code == 5
        else Verdict(Status.ACCEPTED, "", code, id_)
        for code, id_ in zip(codes, IDS)
    ]


@often
@given(send_replies)
def test_one_id_is_never_accepted_for_two_messages(reply):
    ids = [one.gateway_id for one in settled(reply).values() if one.gateway_id]
    assert len(ids) == len(set(ids))


@often
@given(send_replies, st.randoms(use_true_random=False))
def test_order_and_repeated_objects_change_nothing(reply, random):
    mixed = reply + reply
    random.shuffle(mixed)
    assert settled(mixed) == settled(reply)


@often
@given(any_json, st.sampled_from(["utf-8", "utf-8-sig"]), st.booleans())
def test_any_json_is_an_array_or_a_bad_reply(value, encoding, ascii_only):
    body = json.dumps(value, ensure_ascii=ascii_only).encode(encoding, "surrogatepass")
    reply = parsed(body)
    if reply is None:
        assert not isinstance(value, list) or has_nan_or_infinity(value) or not is_utf_8(body)
    else:
        assert isinstance(value, list)
        assert not has_nan_or_infinity(value)
        settled(reply)


def is_utf_8(body: bytes) -> bool:
    """Return whether the body is UTF-8."""
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


@pytest.mark.parametrize("value", [NAN, [NAN], {"a": [NAN]}], ids=repr)
def test_nan_is_refused_at_any_depth(value):
    assert parsed(json.dumps([value]).encode()) is None


@often
@given(st.text(max_size=3), any_json, any_json)
def test_duplicate_key_is_refused(key, one, other):
    name = json.dumps(key)
    twice = f"{{{name}: {json.dumps(one)}, {name}: {json.dumps(other)}}}"
    assert parsed(f"[{twice}]".encode()) is None
    assert parsed(f'[{{"deeper": [{twice}]}}]'.encode()) is None


@pytest.mark.parametrize(
    "id_", ["x" * 65, "a\n", "\n", "\0", "a\tb", "п", 58, 0, 1.5, True, [], ["a"], {}], ids=repr
)
@pytest.mark.parametrize("status", [0, 5, 7])
def test_invalid_id_proves_nothing_with_any_status(id_, status):
    [one, *_others] = settled([{"guid": str(GUIDS[0]), "status": status, "id": id_}]).values()
    assert one == Verdict(Status.UNKNOWN, ErrorCode.WRONG_TYPES)


@often
@given(st.binary() | st.text(alphabet='[]{}",:0123456789eE+-.nulltrefas\\ ud8').map(str.encode))
@example(b"[" * 100_000)
@example(b'[{"a":' * 20_000)
@example(b"[" + b"9" * 5_000 + b"]")
@example(b"[1e400]")
@example(b"[NaN]")
@example(b'["\\ud800"]')
@example(b'[{"guid":1,"guid":2}]')
@example(b"\xef\xbb\xbf[]")
@example(b"\xff\xfe[\x00]\x00")
@example(b"")
def test_any_bytes_are_an_array_or_a_bad_reply(body):
    reply = parsed(body)
    if reply is not None:
        settled(reply)
        list(status_reports(reply, set(IDS)))


@often
@given(send_replies, st.integers(0, 400))
def test_cut_reply_is_an_array_or_a_bad_reply(reply, length):
    whole = json.dumps(reply, allow_nan=True).encode()
    cut = parsed(whole[:length])
    assert cut is None or len(whole) <= length


def query(pk: int, guid: uuid.UUID, gateway_id: str) -> StatusQuery:
    """An accepted message that is asked for."""
    known = {"status": Status.ACCEPTED, "gateway_status": 0, "batch": uuid.UUID(int=7)}
    return StatusQuery(pk, guid, gateway_id, **known)


asked = st.lists(
    st.builds(query, st.integers(1, 3), st.sampled_from(GUIDS), st.sampled_from(IDS)),
    max_size=3,
    unique_by=lambda one: one.pk,
)


@often
@given(status_replies, asked)
@example([{"id": "A", "status": 1, "guid": "no guid"}], [query(1, GUIDS[0], "A")])
@example([{"id": "A", "status": 1, "guid": str(GUIDS[1])}], [query(1, GUIDS[0], "A")])
@example([{"id": "A", "status": True}], [query(1, GUIDS[0], "A")])
@example([{"id": "A", "status": 1}, {"id": "A", "status": 2}], [query(1, GUIDS[0], "A")])
def test_report_counts_only_for_the_message_with_its_id_and_guid(reply, asked):
    reports = list(status_reports(reply, {one.gateway_id for one in asked}))
    for one, report in status_recording._matches(asked, reports):
        if report is None:
            continue
        assert report.id == one.gateway_id
        assert report.guid in (None, one.guid)
        items = [item for item in reply if isinstance(item, dict) and item.get("id") == report.id]
        mine = [item for item in items if names_nobody_else(item, one.guid)]
        assert any(type(item.get("status")) is int for item in mine)
        assert {item["status"] for item in mine if readable(item)} == {report.status}


def names_nobody_else(item, guid) -> bool:
    return item.get("guid") is None or means(item["guid"], str(guid))


def readable(item) -> bool:
    return type(item.get("status")) is int and -(2**31) <= item["status"] < 2**31


@often
@given(status_replies)
def test_time_of_a_report_is_in_utc_or_missing(reply):
    for report in status_reports(reply, set(IDS)):
        assert report.sent_at is None or report.sent_at.tzinfo is timezone.utc


@pytest.mark.parametrize("number", [2**31, -(2**31) - 1, 10**400])
def test_code_over_32_bits_proves_nothing(number):
    [answer] = send_results([{"guid": str(GUIDS[0]), "status": number, "id": "a"}], set(GUIDS))
    assert (answer.status, answer.id) == (None, None)
    assert list(status_reports([{"id": "A", "status": number}], {"A"})) == []


def test_different_reports_change_nothing_and_equal_reports_count_once():
    one = query(1, GUIDS[0], "A")
    sent, failed = StatusReport("A", 1, None, None), StatusReport("A", 2, None, None)
    assert list(status_recording._matches([one], [sent, failed])) == [(one, None)]
    assert list(status_recording._matches([one], [sent, sent])) == [(one, sent)]
