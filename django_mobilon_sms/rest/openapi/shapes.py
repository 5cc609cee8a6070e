"""The JSON of the API as OpenAPI describes it: what is sent, and what is answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drf_spectacular.extensions import OpenApiSerializerExtension
from rest_framework import serializers

from ..request_rows import PRIORITIES
from ..serializers import MessageSerializer
from ..stop_list import MAX_NUMBERS, StoppedNumberSerializer
from ..views import MAX_ROWS

Schema = dict[str, Any]


Ref = Callable[[type[serializers.BaseSerializer[Any]]], Schema]


TIME: Schema = {"type": "string", "format": "date-time", "nullable": True}


class Shape(serializers.Serializer[Any]):
    """A component that no serializer reads or writes."""

    def schema(self, ref: Ref) -> Schema:
        """Its schema; ``ref`` refers to another component."""
        raise NotImplementedError


def _object(required: list[str], **properties: Schema) -> Schema:
    found = {"type": "object", "properties": properties, "additionalProperties": False}
    return found | {"required": required} if required else found


class NewMessage(Shape):
    """What a client may name."""

    def schema(self, ref: Ref) -> Schema:
        """The fields, those of ``rows.WRITABLE``."""
        return _object(
            ["number", "text"],
            guid={
                "type": "string",
                "format": "uuid",
                "nullable": True,
                "description": "Yours; the same again finds the same message.",
            },
            number={"type": "string", "description": "As people type it."},
            text={"type": "string", "minLength": 1, "description": "Kept as it is."},
            source={
                "type": "string",
                "pattern": "^[!-~]{1,32}$",
                "nullable": True,
                "description": "The sender's number; the project's if none is named.",
            },
            send_at=TIME | {"description": "Not before this; with its zone."},
            expires_at=TIME | {"description": "Not after this; with its zone."},
            priority={"type": "string", "enum": [*PRIORITIES, None], "nullable": True},
            tag={
                "type": "string",
                "maxLength": 64,
                "nullable": True,
                "description": "Printable characters, to find it by.",
            },
            sensitive={
                "type": "boolean",
                "nullable": True,
                "description": "The text is forgotten once the message went out or will not.",
            },
        )


class NewMessages(Shape):
    """One, or a list that is written whole or not at all."""

    def schema(self, ref: Ref) -> Schema:
        """Either."""
        one = ref(NewMessage)
        many = {"type": "array", "items": one, "minItems": 1, "maxItems": MAX_ROWS}
        return {"oneOf": [one, many]}


class Messages(Shape):
    """As many as were given, in their order."""

    def schema(self, ref: Ref) -> Schema:
        """Either."""
        one = ref(MessageSerializer)
        return {"oneOf": [one, {"type": "array", "items": one}]}


class Fault(Shape):
    """One fault."""

    def schema(self, ref: Ref) -> Schema:
        """A code for programs, a message for people."""
        return _object(
            ["code", "message"],
            code={"type": "string", "description": "For programs; it does not change."},
            message={"type": "string", "description": "For people, in their language."},
        )


class Faults(Shape):
    """What is wrong with one message or with the request."""

    def schema(self, ref: Ref) -> Schema:
        """By field, ``non_field_errors`` or ``detail``."""
        return {
            "type": "object",
            "additionalProperties": {"type": "array", "items": ref(Fault)},
            "description": "By field; `non_field_errors` or `detail` for the whole.",
        }


class ListFaults(Shape):
    """What is wrong with a list."""

    def schema(self, ref: Ref) -> Schema:
        """The first 100 faults, and how many objects have one."""
        fault = _object(
            ["index", "field", "code", "message"],
            index={"type": "integer", "description": "The place in the list, from 0."},
            field={"type": "string"},
            code={"type": "string"},
            message={"type": "string"},
        )
        return _object(
            ["errors", "count"],
            errors={"type": "array", "items": fault, "maxItems": 100},
            count={"type": "integer", "description": "How many objects have a fault."},
        )


class WritingFaults(Shape):
    """Why nothing was written."""

    def schema(self, ref: Ref) -> Schema:
        """By field for one message, by index for a list."""
        return {"anyOf": [ref(ListFaults), ref(Faults)]}


class Blocked(Shape):
    """The state does not allow the action."""

    def schema(self, ref: Ref) -> Schema:
        """Why, and the message as it is."""
        return _object(
            ["non_field_errors", "current"],
            non_field_errors={"type": "array", "items": ref(Fault)},
            current=ref(MessageSerializer),
        )


class NoFields(Shape):
    """No field."""

    def schema(self, ref: Ref) -> Schema:
        """An empty object."""
        return _object([])


class AcceptDuplicate(Shape):
    """The consent to a resend."""

    def schema(self, ref: Ref) -> Schema:
        """It can only be given."""
        return _object(["accept_duplicate"], accept_duplicate={"type": "boolean", "enum": [True]})


class Summary(Shape):
    """The counts by status."""

    def schema(self, ref: Ref) -> Schema:
        """And whether they are of all messages."""
        count = _object(
            ["status", "messages", "parts"],
            status={"type": "string"},
            messages={"type": "integer"},
            parts={"type": "integer"},
        )
        return _object(
            ["statuses", "complete"],
            statuses={"type": "array", "items": count},
            complete={"type": "boolean", "description": "False: only the newest are counted."},
        )


class Queue(Shape):
    """What waits."""

    def schema(self, ref: Ref) -> Schema:
        """For how long."""
        seconds = {
            "type": "number",
            "nullable": True,
            "description": "As the pace allows, or as fast as it went lately. Null: nothing went.",
        }
        return _object(["seconds_to_empty"], seconds_to_empty=seconds)


class NumbersToStop(Shape):
    """Numbers for the stop list."""

    def schema(self, ref: Ref) -> Schema:
        """And why."""
        bounds = {"minItems": 1, "maxItems": MAX_NUMBERS}
        return _object(
            ["numbers"],
            numbers={"type": "array", "items": {"type": "string"}, **bounds},
            note={"type": "string", "maxLength": 200, "description": "Printable characters."},
        )


class Stopped(Shape):
    """What became of them."""

    def schema(self, ref: Ref) -> Schema:
        """How many."""
        return _object(
            ["added", "cancelled"],
            added={"type": "integer", "description": "Numbers that are new to the list."},
            cancelled={"type": "integer", "description": "Messages that will not be sent."},
        )


class ShapeExtension(OpenApiSerializerExtension):
    """Writes a ``Shape`` as it says itself."""

    target_class = Shape
    match_subclasses = True

    def get_name(self, auto_schema: Any, direction: Any) -> str:
        """The name of its class, so that it meets no ``Fault`` of the project's own API."""
        return f"Sms{type(self.target).__name__}"

    def map_serializer(self, auto_schema: Any, direction: Any) -> Schema:
        """Its schema."""

        def ref(serializer: type[serializers.BaseSerializer[Any]]) -> Schema:
            found: Schema = auto_schema.resolve_serializer(serializer, direction).ref
            return found

        shape: Shape = self.target
        return shape.schema(ref)


class MessageExtension(OpenApiSerializerExtension):
    """Names the message."""

    target_class = MessageSerializer

    def get_name(self, auto_schema: Any, direction: Any) -> str:
        """As the model."""
        return "SmsMessage"


class StoppedNumberExtension(OpenApiSerializerExtension):
    """Names the stopped number."""

    target_class = StoppedNumberSerializer

    def get_name(self, auto_schema: Any, direction: Any) -> str:
        """As the shapes."""
        return "SmsStoppedNumber"
