"""A check of Schemathesis: to a key without the scope nothing is done, and nothing told."""

import os
import re
from http import HTTPStatus
from typing import Any

import schemathesis

from app.auth.scopes import allows

SCOPES = frozenset(os.environ["KEY_SCOPES"].split())
"""Those of the key that it runs with."""
SCOPE = re.compile(r"Scope: `([a-z:]+)`")
REFUSED = {
    HTTPStatus.BAD_REQUEST,  # no HTTP at all
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,  # nothing is at such a path, for anybody
    HTTPStatus.METHOD_NOT_ALLOWED,
}


@schemathesis.check
def beyond_scope(_context: Any, response: Any, case: Any) -> None:
    """Whoever has not the scope is not even told which fields are wrong."""
    (scope,) = SCOPE.findall(case.operation.definition.raw["description"])
    if case.method.upper() == case.operation.method.upper() and not allows(SCOPES, scope):
        assert response.status_code in REFUSED, f"{response.status_code} for a key without {scope}"
