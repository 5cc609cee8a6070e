"""Webhooks: the events of the feed, delivered to the consumers that the settings name."""

from .consumers import COUNT_LIMIT, ConsumerState, consumer_states, deliver_again, state_of
from .delivery import deliver
from .threads import deliver_once, delivering
