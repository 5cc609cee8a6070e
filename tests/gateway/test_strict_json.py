"""JSON read strictly, for the gateway's replies and for REST's requests."""

from __future__ import annotations

import pytest

from django_mobilon_sms.gateway import strict_json


def test_json_is_read() -> None:
    text = '{"a": [1, 2.5, null, true, "я"], "b": {"a": ""}}'
    assert strict_json.loads(text) == {"a": [1, 2.5, None, True, "я"], "b": {"a": ""}}


@pytest.mark.parametrize(
    "text",
    ["", "{", "NaN", "[-Infinity]", '{"a": 1, "a": 1}', '[{"b": {"a": 1, "a": 2}}]', "[" * 100_000],
)
def test_anything_else_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        strict_json.loads(text)


def test_reader_of_objects_may_refuse_more() -> None:
    def refuse(pairs: strict_json.Pairs) -> dict[str, object]:
        raise ValueError(len(pairs))

    with pytest.raises(ValueError, match="2"):
        strict_json.loads('{"a": 1, "b": 2}', read_object=refuse)
