"""Every door by which a reading, a worklist or a ranking changes. Each is a transaction; arguments are keywords."""

from annotations.holds import free_expired
from annotations.orders import publish_order
from annotations.readings import (
    amend_reading,
    apply_edit,
    complete_reading,
    discard_amendment,
    flag_changed_exam,
    flag_reading,
    release_reading,
    renew_lease,
    skip_reading,
)
from annotations.references import store_reference_reading
from annotations.worklist import add_exams, lease_next

__all__ = [
    "add_exams",
    "amend_reading",
    "apply_edit",
    "complete_reading",
    "discard_amendment",
    "flag_changed_exam",
    "flag_reading",
    "free_expired",
    "lease_next",
    "publish_order",
    "release_reading",
    "renew_lease",
    "skip_reading",
    "store_reference_reading",
]
