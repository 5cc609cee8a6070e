"""The worker: everything that ``manage.py send_sms`` does, step by step."""

from .candidates import senders
from .exit_codes import TROUBLE, UNKNOWN
from .listening import listener
from .request_threads import RequestThreads
from .run import deliver, seconds_to_work, send_now
from .run_report import RunReport
from .statuses.queries import refresh
from .sweep import sweep_leftovers
