"""The socket as a document (AsyncAPI 3.0), made from the types that encode and decode its messages."""

from typing import Any, Final

import msgspec

from app import __version__
from app.hub.close import Close
from app.web import stream
from app.web.socket import OTHER_DIALECTS
from app.wire.inbound import Inbound
from app.wire.wsx import BatchMessage, DrainMessage, ErrorMessage, GapMessage, HelloMessage, UpdateMessage

REFERENCE: Final = "#/components/schemas/{name}"

_UPDATE: Final = {"target": "#announcements", "html": "<p>Back in five minutes</p>", "swap": "afterbegin"}

_MESSAGES: Final = {
    "request": (
        Inbound,
        "receive",
        "A page asks for something: one JSON text frame.",
        {"id": "req_1", "handler": "like", "target": "#likes", "trigger": "click", "data": {"post": "7"}},
    ),
    "update": (UpdateMessage, "send", "An answer (its id is the request's) or a broadcast.", {"id": "req_1", **_UPDATE}),
    "batch": (
        BatchMessage,
        "send",
        "Several updates as one message, in the order given.",
        {"type": "batch", "updates": [_UPDATE, {"target": "#status", "html": "", "swap": "delete"}]},
    ),
    "hello": (
        HelloMessage,
        "send",
        "The first message to a client that offered the subprotocol wsx.v1.",
        {
            "type": "hello",
            "connection": "019312d0c3f77a1bb1d0b8e4a3c5f6d7",
            "session": "019312d0c3f77a1bb1d0b8e4a3c5f6d76f1d4c0b9a8e7f60514233241506f7e8",
            "cursor": "0196d1f0a3c-00000000002a",
            "resumed": False,
            "max_message_bytes": 65_536,
        },
    ),
    "gap": (
        GapMessage,
        "send",
        "Behind the hello, in place of what was missed and is gone; only with wsx.v1.",
        {"type": "gap", "cursor": "0196d1f0a3c-00000000002a", "targets": ["#announcements"]},
    ),
    "drain": (
        DrainMessage,
        "send",
        "The server restarts, and closes this connection with 1012; only with wsx.v1.",
        {"type": "drain", "retry_in_ms": 1234},
    ),
    "error": (
        ErrorMessage,
        "send",
        "A refusal for programs, beside the HTML; only with wsx.v1.",
        {"type": "error", "id": "req_1", "code": "no_handler", "detail": "no handler is named 'like'"},
    ),
}


_EVENTS: Final = (
    "Server-sent events, read by GET. `?dialect=` wsx (the default: the messages of the socket as JSON), htmx or turbo. Updates "
    "have no `event`; `hello`, `gap`, `drain` and `close` are events of these names, whose data is JSON in every dialect. `id` is "
    "the cursor: with `Last-Event-ID` what was missed comes first. `?session=` as at the socket. The cookie `wsx_token` is "
    "believed of pages of this origin and of allowed ones; `?ticket=` once."
)


def describe_socket() -> dict[str, Any]:
    """The whole document as JSON values."""
    (*references,), schemas = msgspec.json.schema_components([kind for kind, *_ in _MESSAGES.values()], ref_template=REFERENCE)
    closes = "\n".join(f"- {close.code} {close.reason}" for close in Close)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "WSX Server: the socket",
            "version": __version__,
            "description": f"HTML fragments for browsers. Close codes (44xx: do not come back by yourself):\n\n{closes}",
        },
        "defaultContentType": "application/json",
        "channels": {
            "socket": {
                "address": "/ws",
                "description": "Subprotocol `wsx.v1` is optional; a connection token comes by cookie `wsx_token`, as "
                "the subprotocol `wsx.token.<jwt>`, or in a first message for the handler `authenticate`; in its place a "
                "ticket by `?ticket=`, once. `?batch=oob`: batches as one update whose further ones are its oob. "
                "`?cursor=`: what was missed since then comes first; `?session=`: rooms and session data of before.",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in _MESSAGES},
            },
            **{f"socket-{dialect.name}": _channel_of(dialect.name, path) for path, dialect in OTHER_DIALECTS.items()},
            "events": {"address": stream.PATH, "description": _EVENTS},
        },
        "operations": {
            action: {
                "action": action,
                "channel": {"$ref": "#/channels/socket"},
                "messages": [
                    {"$ref": f"#/channels/socket/messages/{name}"} for name, (_, way, *_) in _MESSAGES.items() if way == action
                ],
            }
            for action in ("receive", "send")
        },
        "components": {
            "messages": {
                name: {"name": name, "summary": summary, "payload": reference, "examples": [{"payload": example}]}
                for (name, (_, _, summary, example)), reference in zip(_MESSAGES.items(), references, strict=True)
            },
            "schemas": schemas,
        },
    }


def _channel_of(name: str, path: str) -> dict[str, str]:
    """Of a client that is not ours: its own documents say what its messages are."""
    return {
        "address": path,
        "description": f"The same updates as HTML, in the words of {name}. The same ways of saying who one is.",
    }
