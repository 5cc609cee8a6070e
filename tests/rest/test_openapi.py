"""docs/openapi.yaml is valid, and is what drf-spectacular makes of the code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema
from rest_framework.authentication import (
    BasicAuthentication,
    SessionAuthentication,
    TokenAuthentication,
)

from django_mobilon_sms.choices import ErrorCode, Resolution, Status
from django_mobilon_sms.rest.errors import MEDIA_TYPE
from django_mobilon_sms.rest.messages.filters import LOOKUPS, PAGING
from django_mobilon_sms.rest.messages.request_rows import WRITABLE
from django_mobilon_sms.rest.serializers import MessageSerializer, WrittenMessageSerializer
from django_mobilon_sms.rest.urls import router
from tests.support.documents import DOCS, column

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
    with pytest.raises(Exception, match="info"):
        validate_schema({name: part for name, part in schema.items() if name != "info"})


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
    assert parameters["sms_events_list"] == {"after", "limit", "wait"}
    assert parameters["sms_messages_create"] == {"dry_run", "Idempotency-Key"}
    assert parameters["sms_messages_create_many"] == {"dry_run", "on_error", "Idempotency-Key"}
    for name in ("list", "search"):
        assert parameters[f"sms_stop_list_{name}"] == PAGING - {"ordering"}


def body(operation):
    return operation["requestBody"]["content"]["application/json"]["schema"]


def test_all_codes_of_errors_are_listed(schema) -> None:
    shapes, page = schema["components"]["schemas"], DOCS / "reference/rest.rst"
    problems = column(page, "problems-table")
    assert sorted(shapes["SmsProblemCode"]["x-extensible-enum"]) == sorted(problems)
    faults = {code for cell in column(page, "codes-table") for code in cell.split(", ")}
    assert sorted(shapes["SmsFaultCode"]["x-extensible-enum"]) == sorted(faults)


def test_one_and_many_are_separate_operations(operations) -> None:
    new = {"$ref": "#/components/schemas/SmsNewMessage"}
    assert body(operations["sms_messages_create"]) == new
    assert body(operations["sms_messages_create_many"]) == {"type": "array", "items": new}


def test_answers_may_grow_and_requests_may_not(schema, operations) -> None:
    shapes, asked = schema["components"]["schemas"], {"SmsNewMessage"}
    for operation in operations.values():
        if "requestBody" in operation and "$ref" in body(operation):
            asked.add(body(operation)["$ref"].rpartition("/")[2])
    closed = {name for name, shape in shapes.items() if shape.get("additionalProperties") is False}
    assert closed == asked
    enums = {name for name, shape in shapes.items() if "enum" in shape}
    assert enums == {"SmsNewPriority", "AcceptDuplicateEnum"}
    for enum in (Status, ErrorCode, Resolution):
        known = shapes[f"Sms{enum.__name__}"]["x-extensible-enum"]
        assert [value for value in known if value] == enum.values
    assert shapes["SmsPriority"]["x-extensible-enum"] == shapes["SmsNewPriority"]["enum"]


class Bearer(TokenAuthentication):
    """A token after the word Bearer."""

    keyword = "Bearer"


@pytest.mark.parametrize(
    ("classes", "schemes"),
    [
        ([SessionAuthentication], [{"type": "apiKey", "in": "cookie", "name": "sessionid"}]),
        ([BasicAuthentication], [{"type": "http", "scheme": "basic"}]),
        ([Bearer], [{"type": "http", "scheme": "bearer"}]),
        (
            [TokenAuthentication, BasicAuthentication],
            [
                {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": 'Token-based authentication with required prefix "Token"',
                },
                {"type": "http", "scheme": "basic"},
            ],
        ),
    ],
)
def test_security_schemes_are_those_of_the_project(monkeypatch, classes, schemes) -> None:
    for view in {url.callback.cls for url in router.urls}:
        monkeypatch.setattr(view, "authentication_classes", classes)
    made = SchemaGenerator().get_schema(public=True)
    known = made["components"]["securitySchemes"]
    asked = made["paths"]["/sms/messages/many/"]["post"]["security"]
    assert sorted((known[name] for one in asked for name in one), key=str) == sorted(
        schemes, key=str
    )


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
    for name in ("sms_messages_create", "sms_messages_create_many"):
        writing = operations[name]["responses"]
        assert {"200", "201", "400", "409", "411", "413", "415", "422"} <= set(writing)
        assert "Idempotency-Replayed" in writing["200"]["headers"]
    one = operations["sms_messages_create"]["responses"]
    assert "Location" in one["201"]["headers"]
    assert "examples" in one["409"]["content"][MEDIA_TYPE]
