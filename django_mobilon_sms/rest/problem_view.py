"""Views that answer every error as a problem, under the id of the request."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, cast
from uuid import uuid4

from django.core.signals import got_request_exception
from django.db import DataError
from django.http import HttpRequest
from django.utils.log import log_response
from rest_framework.exceptions import AuthenticationFailed, NotFound
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView, exception_handler

from .errors import MEDIA_TYPE, problem, translate
from .parsing import require_length
from .throttling import allows, rate_limits

#: The header with the id of the request.
REQUEST_ID = "Request-Id"


class ProblemView(APIView):
    """A view whose errors are all problems; the project's ``EXCEPTION_HANDLER`` is not used."""

    throttles: Sequence[BaseThrottle] = ()
    #: The exception behind an answer of 500 or 503.
    failure: Exception | None = None

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        """Set the request's id: the client's ``Request-Id`` if it is well-formed, or a new one."""
        given = request.headers.get(REQUEST_ID, "")
        self.request_id = given if re.fullmatch("[A-Za-z0-9._:-]{1,64}", given) else str(uuid4())
        return super().initialize_request(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Check what DRF checks, and that the body has a length."""
        super().initial(request, *args, **kwargs)
        require_length(request)

    def perform_authentication(self, request: Request) -> None:
        """Authenticate as DRF does; refuse a user name that the database cannot look up (a NUL)."""
        try:
            super().perform_authentication(request)
        except (DataError, ValueError):
            request.authenticators = []  # because the browsable page authenticates again
            raise AuthenticationFailed from None

    def check_throttles(self, request: Request) -> None:
        """Raise ``Throttled`` as DRF does, and keep the throttles for the headers of the answer."""
        self.throttles = self.get_throttles()
        refused = [each for each in self.throttles if not allows(each, request, self)]
        if refused:
            waits = [wait for each in refused if (wait := each.wait()) is not None]
            self.throttled(request, cast("float", max(waits, default=None)))

    def get_exception_handler(self) -> Callable[..., Any]:
        """Return DRF's own."""
        return exception_handler

    def handle_exception(self, exc: Exception) -> Response:
        """Answer any exception with a problem; report a failure as Django would."""
        error = translate(exc)
        response = super().handle_exception(error)
        response.data = problem(error, request_id=self.request_id)
        if error is not exc and error.status_code >= 500:
            self.failure = exc
            got_request_exception.send(sender=None, request=self.request._request)
        return response

    def finalize_response(
        self, request: Request, response: Any, *args: Any, **kwargs: Any
    ) -> Response:
        """Add the headers, and write the log line of an error before Django would."""
        final = super().finalize_response(request, response, *args, **kwargs)
        final[REQUEST_ID] = self.request_id
        final["Cache-Control"] = "no-store"  # it holds numbers or texts
        for name, value in rate_limits(self.throttles).items():
            final[name] = value
        if final.status_code >= 400:
            self._finalize_problem(request, final)
        return final

    def _finalize_problem(self, request: Request, final: Response) -> None:
        if self.failure:  # because the browsable page queries the database, too
            final.accepted_renderer, final.accepted_media_type = JSONRenderer(), MEDIA_TYPE
        if final.accepted_renderer.media_type == JSONRenderer.media_type:
            final.content_type = MEDIA_TYPE
        log_response(
            "%s: %s request_id=%s",
            *(final.reason_phrase, request.path, self.request_id),
            response=final,
            request=request._request,
            exception=self.failure,
        )


class UnknownAddress(ProblemView):
    """Any address below the API's prefix that the API does not have."""

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Raise ``NotFound``, whatever the method."""
        super().initial(request, *args, **kwargs)
        raise NotFound
