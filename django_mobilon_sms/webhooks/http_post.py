"""One POST to a consumer: no redirect, one deadline, and the body of the answer is not read."""

from __future__ import annotations

from collections.abc import Mapping

import requests

from ..exceptions import GatewayError
from ..gateway import Call, Connections, transport_error
from .answers import Answer, answer_of_http


class Poster:
    """Requests to one consumer, from several threads at once, each over a connection of its own."""

    def __init__(self, url: str, *, most: int) -> None:
        self._url = url
        self._connections = Connections(most=most)

    def post(self, body: str, headers: Mapping[str, str], call: Call) -> Answer:
        """POST once, before the call's deadline. Raise ``GatewayError`` if there was no answer."""
        headers = {**headers, "Connection": "close"}
        try:
            request = requests.Request("POST", self._url, headers, data=body.encode()).prepare()
            with self._connections.post(request, call) as response:
                return answer_of_http(response.status_code)
        except GatewayError:
            raise
        except Exception as error:
            raise transport_error(error, call) from None
        finally:
            call.close()

    def close(self) -> None:
        """Close the connections."""
        self._connections.close()
