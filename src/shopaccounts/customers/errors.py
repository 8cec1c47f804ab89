"""How the customers context says no."""

import attrs

from shopaccounts.kernel.errors import Kind, Rejected

__all__ = ["StatusForbids"]


@attrs.frozen
class StatusForbids(Rejected):
    """The customer's status doesn't allow this step."""

    code = "customers.status_forbids"
    kind = Kind.CONFLICT
    status: str
    trigger: str
