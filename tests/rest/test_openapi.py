"""docs/openapi.yaml is valid, and is what drf-spectacular makes of the code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from drf_spectacular.validation import validate_schema

from django_mobilon_sms.rest.errors import MEDIA_TYPE
from django_mobilon_sms.rest.messages.filters import LOOKUPS, PAGING
from django_mobilon_sms.rest.messages.request_rows import WRITABLE
from django_mobilon_sms.rest.serializers import MessageSerializer, WrittenMessageSerializer
from django_mobilon_sms.rest.urls import router
from tests.support.documents import DOCS

KEPT = DOCS / "openapi.yaml"


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return yaml.safe_load(KEPT.read_text(encoding="utf-8"))


@pytest.fixture
def operations(schema):
    return {
        operation["operationId"]: operation
        for methods in schema["paths"].values()
        for operation in methods.values()
    }


def test_schema_is_that_of_the_code_and_makes_no_warning(tmp_path: Path) -> None:
    made = tmp_path / "openapi.yaml"
    call_command("spectacular", "--fail-on-warn", "--validate", "--file", str(made))
    assert made.read_text(encoding="utf-8") == KEPT.read_text(encoding="utf-8"), "make openapi"


def test_schema_is_valid(schema) -> None:
    validate_schema(schema)
    with pytest.raises(Exception, match="paths"):
        validate_schema({name: part for name, part in schema.items() if name != "paths"})


def test_every_address_and_method_is_described(schema) -> None:
    described = {
        (path.removeprefix("/sms/"), method)
        for path, methods in schema["paths"].items()
        for method in methods
    }
    routed = set()
    for url in router.urls:
        path = str(url.pattern).replace("<str:guid>", "{guid}")
        routed |= {(path, method) for method in url.callback.actions if method != "head"}
    assert described == routed


def test_fields_and_parameters_are_those_of_the_code(schema, operations) -> None:
    shapes = schema["components"]["schemas"]
    assert sorted(shapes["SmsNewMessage"]["properties"]) == sorted(WRITABLE)
    assert list(shapes["SmsMessage"]["properties"]) == MessageSerializer.Meta.fields
    assert list(shapes["SmsWrittenMessage"]["properties"]) == WrittenMessageSerializer.Meta.fields
    parameters = {
        name: {each["name"] for each in operation["parameters"]} - {"Request-Id"}
        for name, operation in operations.items()
    }
    assert parameters["sms_messages_list"] == {*LOOKUPS, *PAGING}
    assert parameters["sms_messages_search"] == {*LOOKUPS, *PAGING}
    assert parameters["sms_messages_summary"] == set(LOOKUPS)
    assert parameters["sms_messages_create"] == {"dry_run", "on_error", "Idempotency-Key"}


def test_each_operation_names_its_errors_and_who_may_ask(operations) -> None:
    for name, operation in operations.items():
        assert {"401", "403", "406", "429", "500", "503"} <= set(operation["responses"]), name
        assert operation["security"] == [{"cookieAuth": []}, {"basicAuth": []}]
        assert operation["summary"]
        refused = [code for code in operation["responses"] if code >= "400"]
        for code in refused:
            assert "schema" in operation["responses"][code]["content"][MEDIA_TYPE]
        for code in ("429", "503"):
            assert "Retry-After" in operation["responses"][code]["headers"]
        for answer in operation["responses"].values():
            assert "Request-Id" in answer["headers"]
    writing = operations["sms_messages_create"]["responses"]
    assert {"200", "201", "400", "409", "411", "413", "415", "422"} <= set(writing)
    assert "Location" in writing["201"]["headers"]
    assert "Idempotency-Replayed" in writing["200"]["headers"]
    assert "examples" in writing["409"]["content"][MEDIA_TYPE]
