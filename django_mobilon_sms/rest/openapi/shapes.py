"""How drf-spectacular describes the serializers of the API, and shapes that none of them has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drf_spectacular.extensions import (
    OpenApiSerializerExtension,
    OpenApiSerializerFieldExtension,
)
from drf_spectacular.plumbing import build_choice_description_list
from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema_serializer
from rest_framework import serializers

from ..errors import TYPE
from ..events import EventPageSerializer
from ..serializers import (
    EnumField,
    ExactSerializer,
    MessageSerializer,
    PriorityField,
    WrittenMessageSerializer,
)
from ..stop_list import StoppedNumberSerializer
from . import codes

Schema = dict[str, Any]


class ExactExtension(OpenApiSerializerExtension):
    """Describe an ``ExactSerializer``: a request has no other fields, an answer may get some."""

    target_class = ExactSerializer
    match_subclasses = True

    def get_name(self, auto_schema: Any, direction: Any) -> str:
        """Return the class's name with a prefix, so that it meets no name of the project's API."""
        name = auto_schema._get_serializer_name(self.target, direction, bypass_extensions=True)
        return f"Sms{name}"

    def map_serializer(self, auto_schema: Any, direction: Any) -> Schema:
        """Return the schema that drf-spectacular derives, for a request closed to other fields."""
        schema = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        closed = {"additionalProperties": False} if direction == "request" else {}
        return {**schema, **closed}


class EnumExtension(OpenApiSerializerFieldExtension):
    """Describe a value of an answer as a string, so that no client fails at a new one."""

    target_class = EnumField

    def get_name(self) -> str:
        """Return the name of the enumeration with the prefix of the others."""
        return f"Sms{self.target.name}"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> Schema:
        """Return the schema of a string with the values known today."""
        return open_enum(self.target.choices, *([""] if self.target.allow_blank else []))


class PriorityExtension(OpenApiSerializerFieldExtension):
    """Describe a priority: of three in a request, of a growing number in an answer."""

    target_class = PriorityField

    def get_name(self) -> str:
        """Return a name for each of the two."""
        return "SmsPriority" if self.target.read_only else "SmsNewPriority"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> Schema:
        """Return the schema of the names."""
        if self.target.read_only:
            return open_enum(self.target.choices)
        return {"type": "string", "enum": [*self.target.choices]}


def open_enum(choices: Mapping[str, Any], *more: str) -> Schema:
    """Return the schema of a string that has one of these values, or a newer one."""
    explained = [(value, label) for value, label in choices.items() if value != label]
    meanings = build_choice_description_list(explained)
    description = f"More values may be added.\n\n{meanings}".strip()
    values = [*choices, *more]
    return {"type": "string", "x-extensible-enum": values, "description": description}


class PageSerializer(ExactSerializer):
    """A page."""

    next = serializers.URLField(allow_null=True, help_text="The address of the next page.")
    previous = serializers.URLField(allow_null=True, help_text="The address of the one before.")


@extend_schema_serializer(many=False)
class MessagePageSerializer(PageSerializer):
    """A page of messages."""

    results = MessageSerializer(many=True)


@extend_schema_serializer(many=False)
class StoppedNumberPageSerializer(PageSerializer):
    """A page of the stop list."""

    results = StoppedNumberSerializer(many=True)


# A list action answers with a list unless its serializer says so.
extend_schema_serializer(many=False)(EventPageSerializer)


STABLE = "For programs; it does not change."


class FaultSerializer(serializers.Serializer[Any]):
    """One fault of a request."""

    field = serializers.CharField(
        help_text="The field or parameter; `non_field_errors` for the body or message as a whole."
    )
    code = EnumField("FaultCode", [(code, code) for code in codes.FAULTS], help_text=STABLE)
    message = serializers.CharField(help_text="For people, in their language.")
    index = serializers.IntegerField(
        required=False, help_text="For a list: the place in it, from 0."
    )
    number = serializers.CharField(
        required=False, help_text="For a list of numbers: the number as it was sent."
    )

    class Meta:
        ref_name = "SmsFault"


class ProblemSerializer(serializers.Serializer[Any]):
    """An error, as RFC 9457 describes it."""

    type = serializers.CharField(help_text=f"`{TYPE}` and the code. It is not an address.")
    title = serializers.CharField(help_text="The name of the HTTP status.")
    status = serializers.IntegerField(help_text="The HTTP status.")
    detail = serializers.CharField(help_text="For people, in their language.")
    code = EnumField("ProblemCode", [(code, code) for code in codes.PROBLEMS], help_text=STABLE)
    errors: Any = FaultSerializer(
        many=True, help_text="The faults by field: at most 100, or all with `on_error=skip`."
    )
    count = serializers.IntegerField(
        required=False, help_text="For a list of messages: how many of them have a fault."
    )
    request_id = serializers.CharField(help_text="The `Request-Id`, also in the server's log.")

    class Meta:
        ref_name = "SmsProblem"


class BadRowsSerializer(serializers.Serializer[Any]):
    """The rows of a list that are not written."""

    errors: Any = FaultSerializer(many=True, help_text="All faults of the bad rows.")
    count = serializers.IntegerField(help_text="How many rows are bad.")


class DryRunSerializer(BadRowsSerializer):
    """What the same request would write without `dry_run`."""

    messages = serializers.IntegerField(help_text="How many messages would be new.")
    segments = serializers.IntegerField(help_text="How many segments they have together.")

    class Meta:
        ref_name = "SmsDryRun"


class PlacedMessageSerializer(WrittenMessageSerializer):
    """A message of a list."""

    index = serializers.IntegerField(help_text="The place of its row in the list, from 0.")

    class Meta(WrittenMessageSerializer.Meta):
        ref_name = "SmsPlacedMessage"
        fields = ["index", *WrittenMessageSerializer.Meta.fields]
        read_only_fields = fields


class WrittenMessagesSerializer(BadRowsSerializer):
    """The messages of a list."""

    results: Any = PlacedMessageSerializer(many=True, help_text="The messages of the good rows.")

    class Meta:
        ref_name = "SmsWrittenMessages"


class BlockedSerializer(ProblemSerializer):
    """The reason why the message's status does not allow the action, and the message."""

    current = MessageSerializer()

    class Meta:
        ref_name = "SmsBlocked"


def _one_of(name: str, *choices: Any) -> PolymorphicProxySerializer:
    return PolymorphicProxySerializer(
        component_name=name, serializers=choices, resource_type_field_name=None, many=False
    )


ONE_OR_DRY_RUN = _one_of("SmsWrittenOrDryRun", WrittenMessageSerializer, DryRunSerializer)
MANY_OR_DRY_RUN = _one_of("SmsWrittenManyOrDryRun", WrittenMessagesSerializer, DryRunSerializer)
