"""An event as a request by the Standard Webhooks specification."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from ..conf import Webhook
from ..models import WebhookDelivery


def body_of(delivery: WebhookDelivery) -> str:
    """Return the payload: no text and no phone number."""
    data = {
        "id": delivery.event,
        "guid": str(delivery.guid),
        "old_status": delivery.old_status,
        "status": delivery.status,
        "error_code": delivery.error_code,
    }
    moment = delivery.occurred_at.isoformat().replace("+00:00", "Z")
    return json.dumps({"type": delivery.type, "timestamp": moment, "data": data})


def headers_of(webhook: Webhook, webhook_id: str, body: str, now: datetime) -> dict[str, str]:
    """Return the headers, with a signature by each secret of the consumer."""
    from standardwebhooks.webhooks import Webhook as Signer  # noqa: PLC0415

    signers: list[Any] = [Signer(secret) for secret in webhook.secrets]
    return {
        "Content-Type": "application/json",
        "User-Agent": "django-mobilon-sms",
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signer.sign(webhook_id, now, body) for signer in signers),
    }
