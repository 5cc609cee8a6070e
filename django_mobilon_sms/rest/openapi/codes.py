"""The codes of errors. ``docs/reference/rest.rst`` says what each of them means."""

from __future__ import annotations

from ...phone_numbers import SENTENCES

#: Of an error.
PROBLEMS = (
    "validation_error",
    "parse_error",
    "too_many_fields",
    "authentication_failed",
    "not_authenticated",
    "permission_denied",
    "not_found",
    "events_off",
    "method_not_allowed",
    "not_acceptable",
    "conflict",
    "state",
    "page_gone",
    "cursor_expired",
    "length_required",
    "too_large",
    "unsupported_media_type",
    "malformed_key",
    "throttled",
    "number_limit",
    "server_error",
    "unavailable",
)
#: Of a fault in a field.
FAULTS = (
    *SENTENCES,
    "conflict",
    "control",
    "duplicate",
    "events_off",
    "expires_before_send",
    "invalid_choice",
    "invisible",
    "length",
    "max_value",
    "min_value",
    "naive",
    "not_an_object",
    "nul",
    "null_characters_not_allowed",
    "number_in_url",
    "number_limit",
    "one_of",
    "past",
    "range",
    "repeated",
    "required",
    "state",
    "stopped",
    "surrogate",
    "too_many",
    "too_old",
    "too_wide",
    "unknown_field",
    "unknown_parameter",
)
