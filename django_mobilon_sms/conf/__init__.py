"""The settings: declared, read and checked; and the values they hold, parsed."""

from .database_checks import database_trouble
from .durations import parse_duration, show_duration, show_moment, show_time, to_utc
from .quiet_hours import parse_quiet_hours
from .rates import parse_rate
from .secret_key import keyed_digests
from .settings import conf
from .start_checks import require_fit, require_valid
from .validators import is_loopback, is_source
from .webhooks import Webhook, configured_webhooks
