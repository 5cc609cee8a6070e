"""The operator's door. Django imports this package only: the models register in its rooms."""

from . import journal, mailings, messages, stop_list  # noqa: F401  each registers its model
