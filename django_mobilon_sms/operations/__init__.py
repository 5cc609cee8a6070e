"""What an administrator needs: monitoring and purging."""

from .monitoring import COUNT_LIMIT, LastRequest, Snapshot, gateway_condition, observe
from .purging import Purged, purge
