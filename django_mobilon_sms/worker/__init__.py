"""The worker: everything that ``manage.py send_sms`` does, step by step."""

from .candidates import senders
from .claims import can_claim
from .exit_codes import TROUBLE, UNKNOWN
from .heartbeats import BEAT_SECONDS, beat
from .listening import listener
from .request_threads import RequestThreads
from .run import deliver, seconds_to_work, send_now
from .run_log import log_wrong_setting
from .run_report import RunReport
from .statuses import refresh
from .sweep import sweep_leftovers
