"""Messages that are encoded once and written as they are to any number of sockets."""

from collections.abc import Iterable

from app.wire.deflate import MIN_BYTES, deflate
from app.wire.dialect import Payloads
from app.wire.rfc6455 import RSV1, TEXT, encode_frame
from app.wire.swap import CONTENT_STYLES, REPLACING_STYLES, style_of
from app.wire.update import Update


class Prepared:
    """One or more text messages, RFC 6455 header included. Says the same for ever, so it is safe to share."""

    __slots__ = ("compressed", "content_of", "data", "parts", "payloads", "replaces")

    def __init__(self, payload: bytes) -> None:
        self.payloads: tuple[bytes, ...] = (payload,)
        """The messages as bare UTF-8 texts, for sockets that frame them themselves."""
        self.data: bytes = encode_frame(TEXT, payload)
        """The messages as frames, ready for the kernel."""
        self.compressed: bytes | None = None
        """The same for sockets that negotiated it; None: nobody has asked `compress` for it yet."""
        self.parts: tuple[Prepared, ...] = ()
        """What this joins."""
        self.replaces: str | None = None
        """The target of which nothing is left after this message."""
        self.content_of: str | None = None
        """The target whose content is all that this message changes: invisible once a later message replaces that target."""

    @classmethod
    def of(cls, payloads: Payloads) -> "Prepared":
        """What a dialect has encoded."""
        return cls(payloads[0]) if len(payloads) == 1 else cls.joined(map(cls, payloads))

    @classmethod
    def of_update(cls, payloads: Payloads, update: Update) -> "Prepared":
        """A broadcast of one update, which a newer one may supersede while it is still queued.

        Only what a page cannot tell apart is ever superseded: an `outerHTML` may put something else in the target's place, and
        a fragment with `oob` changes other places, so these stay.
        """
        prepared = cls.of(payloads)
        style = style_of(update.swap)
        if style in REPLACING_STYLES:
            prepared.replaces = update.target
        if style in CONTENT_STYLES and not update.oob:
            prepared.content_of = update.target
        return prepared

    @classmethod
    def joined(cls, messages: Iterable["Prepared"]) -> "Prepared":
        """Several messages as one write, in order."""
        parts = tuple(messages)
        whole = cls.__new__(cls)
        whole.payloads = tuple(payload for part in parts for payload in part.payloads)
        whole.data = b"".join([part.data for part in parts])
        whole.compressed = whole.replaces = whole.content_of = None
        whole.parts = parts
        return whole

    def compress(self) -> bytes:
        """Make `compressed`, once, when the first socket wants it. What is short, or does not get shorter, stays plain."""
        if len(self.payloads) != 1:
            self.compressed = b"".join([part.compressed or part.compress() for part in self.parts])
            return self.compressed
        self.compressed = self.data
        payload = self.payloads[0]
        if len(payload) >= MIN_BYTES and len(smaller := deflate(payload)) < len(payload):
            self.compressed = encode_frame(TEXT | RSV1, smaller)
        return self.compressed

    def __len__(self) -> int:
        """Bytes on the wire, as if nothing were compressed."""
        return len(self.data)
