"""The worker: everything that ``manage.py send_sms`` does, step by step."""

from .candidates import senders
from .exit_codes import TROUBLE, UNKNOWN
from .run import anything_to_do, deliver, send_now
from .run_report import RunReport
from .status_queries import refresh
from .sweep import sweep_leftovers
