"""How drf-spectacular describes the serializers of the API, and shapes that none of them has."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.utils import PolymorphicProxySerializer
from rest_framework import serializers

from ..errors import TYPE
from ..messages.request_rows import NewMessageSerializer
from ..serializers import ExactSerializer, MessageSerializer, WrittenMessageSerializer

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


class FaultSerializer(serializers.Serializer[Any]):
    """One fault of a request."""

    field = serializers.CharField(
        help_text="The field or parameter; `non_field_errors` for the body or message as a whole."
    )
    code = serializers.CharField(help_text="For programs; it does not change.")
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
    code = serializers.CharField(help_text="For programs; it does not change.")
    errors: Any = FaultSerializer(many=True, help_text="The faults by field: at most 100.")
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
    """A message of a list whose bad rows were skipped."""

    index = serializers.IntegerField(help_text="The place of its row in the list, from 0.")

    class Meta(WrittenMessageSerializer.Meta):
        ref_name = "SmsPlacedMessage"
        fields = ["index", *WrittenMessageSerializer.Meta.fields]
        read_only_fields = fields


class PartlyWrittenSerializer(BadRowsSerializer):
    """The messages of a list whose bad rows were skipped."""

    results: Any = PlacedMessageSerializer(many=True, help_text="The messages of the good rows.")

    class Meta:
        ref_name = "SmsPartlyWritten"


class BlockedSerializer(ProblemSerializer):
    """The reason why the message's status does not allow the action, and the message."""

    current = MessageSerializer()

    class Meta:
        ref_name = "SmsBlocked"


def _one_of(name: str, *choices: Any) -> PolymorphicProxySerializer:
    return PolymorphicProxySerializer(
        component_name=name, serializers=choices, resource_type_field_name=None, many=False
    )


NEW_MESSAGE_OR_LIST = _one_of(
    "SmsNewMessages", NewMessageSerializer, NewMessageSerializer(many=True)
)
WRITTEN = (
    WrittenMessageSerializer,
    WrittenMessageSerializer(many=True),
    PartlyWrittenSerializer,
)
MESSAGE_OR_LIST = _one_of("SmsMessages", *WRITTEN)
MESSAGE_LIST_OR_DRY_RUN = _one_of("SmsMessagesOrDryRun", *WRITTEN, DryRunSerializer)
