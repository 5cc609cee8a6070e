"""Users who must learn nothing about the messages of others, however they ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser

SEES_MESSAGES_AND_TEXTS = ("mobilon_sms.view_smsmessage", "mobilon_sms.view_smsmessage_text")


def confined(user: Any) -> AbstractBaseUser | None:
    """Return the user, or ``None`` for one who may see all messages and their texts.

    The result is the ``confined_to`` of other functions. A new text that is compared with those of
    others would let a confined user guess them.
    """
    sees_all = user is None or all(user.has_perm(one) for one in SEES_MESSAGES_AND_TEXTS)
    return None if sees_all else user
