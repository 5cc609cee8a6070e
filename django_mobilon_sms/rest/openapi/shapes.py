"""How drf-spectacular describes the serializers of the API, and shapes that none of them has."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.utils import PolymorphicProxySerializer
from rest_framework import serializers

from ..errors import ListFaultsSerializer
from ..messages.request_rows import NewMessageSerializer
from ..serializers import ExactSerializer, MessageSerializer

Schema = dict[str, Any]


class ExactExtension(OpenApiSerializerExtension):
    """Describe an ``ExactSerializer``: it has no other fields."""

    target_class = ExactSerializer
    match_subclasses = True

    def get_name(self, auto_schema: Any, direction: Any) -> str:
        """Return the class's name with a prefix, so that it meets no name of the project's API."""
        name = auto_schema._get_serializer_name(self.target, direction, bypass_extensions=True)
        return f"Sms{name}"

    def map_serializer(self, auto_schema: Any, direction: Any) -> Schema:
        """Return the schema that drf-spectacular derives, closed to other fields."""
        schema = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        return {**schema, "additionalProperties": False}


class FaultSerializer(ExactSerializer):
    """One fault."""

    code = serializers.CharField(help_text="For programs; it does not change.")
    message = serializers.CharField(help_text="For people, in their language.")
    index = serializers.IntegerField(
        required=False, help_text="The place in a list of numbers, from 0."
    )
    number = serializers.CharField(required=False, help_text="The number as it was sent.")


class BlockedSerializer(ExactSerializer):
    """The reason why the message's state does not allow the action, and the message."""

    non_field_errors = FaultSerializer(many=True)
    current = MessageSerializer()


class FaultsSerializer(serializers.Serializer[Any]):
    """Faults by field; `non_field_errors` or `detail` for the whole."""


class FaultsExtension(OpenApiSerializerExtension):
    """Describe faults by field: no serializer has fields of any name."""

    target_class = FaultsSerializer

    def get_name(self, auto_schema: Any, direction: Any) -> str:
        """Return a name with the prefix of the others."""
        return "SmsFaults"

    def map_serializer(self, auto_schema: Any, direction: Any) -> Schema:
        """Return the schema of an object of lists of faults."""
        fault = auto_schema.resolve_serializer(FaultSerializer, direction).ref
        return {
            "type": "object",
            "description": FaultsSerializer.__doc__,
            "additionalProperties": {"type": "array", "items": fault},
        }


def _one_of(name: str, *choices: Any) -> PolymorphicProxySerializer:
    return PolymorphicProxySerializer(
        component_name=name, serializers=choices, resource_type_field_name=None, many=False
    )


NEW_MESSAGE_OR_LIST = _one_of(
    "SmsNewMessages", NewMessageSerializer, NewMessageSerializer(many=True)
)
MESSAGE_OR_LIST = _one_of("SmsMessages", MessageSerializer, MessageSerializer(many=True))
WRITING_FAULTS = _one_of("SmsWritingFaults", ListFaultsSerializer, FaultsSerializer)
