"""Webhooks: the events of the feed, delivered to the consumers that the settings name."""

from .consumers import ConsumerState, consumer_states, deliver_again, show_count, state_of
from .delivery import deliver
from .threads import deliver_once, delivering
