"""The answers to a request that writes messages, where they are not the messages alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rest_framework import serializers

from ..errors import RowFaultSerializer
from ..serializers import ExactSerializer, MessageSerializer
from .bad_rows import Written


class BadRowsSerializer(ExactSerializer):
    """The rows of a list that are not written."""

    errors: Any = RowFaultSerializer(many=True, help_text="All errors of the bad rows.")
    count = serializers.IntegerField(help_text="How many rows are bad.")


class DryRunSerializer(BadRowsSerializer):
    """What the same request would write without `dry_run`."""

    messages = serializers.IntegerField(help_text="How many messages would be new.")
    segments = serializers.IntegerField(help_text="How many segments they have together.")


class PartlyWrittenSerializer(BadRowsSerializer):
    """The messages of a list whose bad rows were skipped."""

    results: Any = serializers.ListField(
        child=MessageSerializer(allow_null=True),
        help_text="By row; null for a bad one.",
    )


def judgement(written: Written) -> dict[str, Any]:
    """Return what a dry run found."""
    new = {message.guid: message for message in written.messages if message.was_written}
    return {
        "messages": len(new),
        "segments": sum(message.segments for message in new.values()),
        **_bad_rows(written),
    }


def partly_written(written: Written, messages: Sequence[Any]) -> dict[str, Any]:
    """Return the answer with these messages, as JSON, in the places of their rows."""
    bad, good = {error.index for error in written.errors}, iter(messages)
    rows = range(len(bad) + len(messages))
    answer = {"results": [None if index in bad else next(good) for index in rows]}
    faults = BadRowsSerializer(_bad_rows(written)).data
    return answer | faults


def _bad_rows(written: Written) -> dict[str, Any]:
    return {
        "errors": written.errors,
        "count": len({error.index for error in written.errors}),
    }
