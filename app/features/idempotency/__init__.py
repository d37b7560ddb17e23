"""A POST under an `Idempotency-Key` is carried out once, on whatever node it comes again; its first answer is given again for 24 h.

A request claims its key in a transaction of its own; the primary key sees to it that one does. What the operation stores is then
stored together with a mark on the claim, in the same transactions, and only while the claim is still its own. So whatever becomes
of the process, the row tells what is true:

    claimed, not marked     nothing was stored: when the claim has lapsed, the request is carried out as if it were new
    marked, no answer       it was carried out, perhaps in part, and its answer is lost: 409, and never again
    answered                its first answer is given again

What is sent and not stored, such as a bare broadcast, leaves no mark: when a process dies between its push and its answer, the
same request, a minute later, sends it again.
"""

from app.features.feature import Feature
from app.features.idempotency.service import IdempotentCalls, running

__all__ = ["FEATURE", "IdempotentCalls"]

FEATURE = Feature("idempotency", running=running)
