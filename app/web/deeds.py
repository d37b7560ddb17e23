"""What a request of the back office did, or was refused: what the audit log keeps of it. No body, no HTML, no secret."""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import msgspec
from litestar import Response

from app.auth.keys import Caller

ADMIN_KEY_ID: Final = "WSX_ADMIN_KEY"
"""Who used the key of the settings, which has no id."""
MAX_ID_CHARS: Final = 128
MAX_NAMES_CHARS: Final = 6_500
"""Of roles or scopes, in one line: 50 of 128 characters fit, so that none can hide behind others."""
MAX_NAMED: Final = 20
"""Ids of an audience that are named; of more, how many there are."""
MAX_AUDIENCE_BYTES: Final = 2_000
"""Of an audience, in JSON; of a longer one just the kind is kept."""
REPLAYED: Final = "replayed"
"""The code of an answer that was given again: nothing was done."""

_COUNTS: Final = ("matched", "queued", "offline", "users", "closed", "unread_count", "unseen_count")
_TARGETS: Final = ("id", "user_id", "room_id", "follower_id", "followee_id", "priority", "name", "scopes", "roles", "revoke_tokens")
_PLACES: Final = frozenset({"latitude", "longitude"})


class Actor(NamedTuple):
    """Who did it."""

    kind: str
    """key, user, command (of the operator, on the machine itself), nobody, or several (together, in one row)."""
    id: str
    name: str


class Deed(NamedTuple):
    """One call."""

    actor: Actor
    operation: str
    """The operation's id, the handler's name, or the command."""
    targets: Mapping[str, str]
    audience: Any
    """As JSON, or None."""
    counts: Mapping[str, int]
    status: int
    """As HTTP has it."""
    code: str
    """What kind of problem it was; empty: none."""
    request_id: str
    address: str


NOBODY: Final = Actor("nobody", "", "")
SEVERAL: Final = Actor("several", "", "")

NoteDeed = Callable[[Deed], None]


def actor_of(caller: Caller | None) -> Actor:
    """A back-office tool, or nobody."""
    return NOBODY if caller is None else Actor("key", caller.key_id or ADMIN_KEY_ID, caller.name)


def targets_of(path: Mapping[str, Any], data: Any, returned: Any) -> dict[str, str]:
    """What it was done to: ids in the path and the body, and the id of what was made."""
    found = {name: str(value)[:MAX_ID_CHARS] for name, value in path.items()}
    for holder in (data, returned.content if isinstance(returned, Response) else returned):
        for name in _TARGETS:
            if name not in found and (value := getattr(holder, name, None)):
                if isinstance(value, frozenset | list):
                    found[name] = " ".join(sorted(value))[:MAX_NAMES_CHARS]
                else:
                    found[name] = "true" if value is True else str(value)[:MAX_ID_CHARS]
    return found


def counts_of(returned: Any) -> dict[str, int]:
    """How many it reached, as the answer says."""
    content = returned.content if isinstance(returned, Response) else returned
    return {name: value for name in _COUNTS if isinstance(value := getattr(content, name, None), int)}


def audience_of(data: Any) -> Any:
    """Whom it was meant for, in JSON of bounded size; None where the body does not say."""
    if audience := getattr(data, "audience", None):
        return _bounded(msgspec.to_builtins(audience, order="deterministic"))
    if user_ids := getattr(data, "user_ids", None):
        return _bounded({"kind": "users", "ids": sorted(user_ids)})
    if updates := getattr(data, "updates", None):
        user_ids = [one.user_id for one in updates if hasattr(one, "user_id")]
        return _bounded({"kind": "users", "ids": user_ids}) if user_ids else {"kind": "updates", "count": len(updates)}
    return None


def _bounded(audience: dict[str, Any]) -> Any:
    short = _shortened(audience)
    return short if len(msgspec.json.encode(short)) <= MAX_AUDIENCE_BYTES else {"kind": audience["kind"]}


def _shortened(audience: dict[str, Any]) -> dict[str, Any]:
    short: dict[str, Any] = {}
    for name, value in audience.items():
        if isinstance(value, dict):
            short[name] = _shortened(value)
        elif isinstance(value, list | tuple):
            short[name] = [_shortened(one) if isinstance(one, dict) else one for one in value[:MAX_NAMED]]
            if len(value) > MAX_NAMED:
                short["count"] = len(value)
        elif name not in _PLACES:
            short[name] = value
    return short
