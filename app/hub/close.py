"""Close codes: one table. The range tells the client what to do: 44xx, stay away by yourself; all others, come back."""

from enum import Enum


class Close(Enum):
    """Why we end a connection: (code, reason). The reason goes on the wire: at most 123 bytes (RFC 6455, 5.5)."""

    RESTARTING = 1012, "restarting"
    """The server stops or restarts."""
    SLOW = 1013, "too slow"
    """The outbox is full. Come back and catch up."""
    NOT_CAUGHT_UP = 1013, "cannot catch up"
    """What the page missed cannot be read at the moment: the journal is away. Come back and catch up then."""
    TOO_BIG = 1009, "too big"
    """A message of the page's is larger than the settings allow."""
    MALFORMED = 1002, "not WebSocket"
    """What came breaks the protocol of frames; also said as 1007, of text that is none."""
    PROTOCOL = 1008, "not a message"
    """What came was no message at all, again and again."""
    TOKEN_ENDED = 4401, "token ended"
    """Sign in again."""
    NOT_ALLOWED = 4403, "not allowed"
    """This connection may not be here."""
    IDLE = 4408, "idle"
    """The page sent nothing for long. It comes back when its user does."""
    BACK_OFFICE = 4409, "closed by the back office"
    """Somebody closed this connection on purpose."""
    TOO_MANY_MESSAGES = 4429, "too many messages"
    """The page sent too fast for too long."""

    @property
    def code(self) -> int:
        """The code on the wire."""
        return self.value[0]

    @property
    def reason(self) -> str:
        """The reason on the wire."""
        return self.value[1]
