"""What Autobahn's reports say, as one word per case, and why a word is not `OK`. Pure but for reading the reports."""

import json
import re
from collections.abc import Iterable
from enum import Enum
from pathlib import Path
from typing import NamedTuple, Self

TOO_BIG = 1009
CLAIMED_BYTES = re.compile(r"length (\d+) \* 2\*\*(\d+)|payload size (\d+)")
"""How Autobahn's descriptions name the size of a message."""

NOT_ASCII = re.compile(r"12\.4\..*")
"""Cases whose description counts characters while their text, in HTML, has some of more than one byte."""


class Verdict(Enum):
    """From best to worst."""

    OK = "OK"
    INFORMATIONAL = "informational"
    NON_STRICT = "non-strict"
    OVER_LIMIT = "over the limit"
    """The message is larger than the settings allow, and was answered with a clean 1009, as they say."""
    UNIMPLEMENTED = "unimplemented"
    FAILED = "failed"


_WORDS = {
    "OK": Verdict.OK,
    "INFORMATIONAL": Verdict.INFORMATIONAL,
    "NON-STRICT": Verdict.NON_STRICT,
    "UNIMPLEMENTED": Verdict.UNIMPLEMENTED,
}
_ORDER = list(Verdict)


class Case(NamedTuple):
    """One case, as it went with one agent."""

    agent: str
    number: str
    behavior: str
    closing: str
    """Autobahn's word on how the connection ended."""
    close_code: int | None
    was_clean: bool
    message_bytes: int
    """At least, as the case's description says; 0: it does not."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the report of a case."""
        report = json.loads(path.read_text())
        return cls(
            report["agent"],
            report["id"],
            report["behavior"],
            report["behaviorClose"],
            report["remoteCloseCode"],
            report["wasClean"],
            claimed_bytes(report["description"]) + (NOT_ASCII.fullmatch(report["id"]) is not None),
        )

    @property
    def group(self) -> int:
        return int(self.number.split(".")[0])

    @property
    def place(self) -> tuple[list[int], str]:
        """Sorts cases as Autobahn does."""
        return [int(part) for part in self.number.split(".")], self.agent

    def verdict(self, max_message_bytes: int) -> Verdict:
        """The worse of both words, unless the message had to be refused. A word that is not known counts as failed."""
        if self.message_bytes > max_message_bytes and self.close_code == TOO_BIG and self.was_clean:
            return Verdict.OVER_LIMIT
        return max((_WORDS.get(word, Verdict.FAILED) for word in (self.behavior, self.closing)), key=_ORDER.index)


class Reason(NamedTuple):
    """Why some cases end as they do."""

    verdict: Verdict
    pattern: str
    agents: tuple[str, ...]
    sentence: str

    def explains(self, case: Case, verdict: Verdict) -> bool:
        return self.verdict is verdict and case.agent in self.agents and re.fullmatch(self.pattern, case.number) is not None


BOTH = ("attached", "detached")
REASONS = (
    Reason(
        Verdict.NON_STRICT,
        r"3\.[23]|4\.[12]\.[34]|5\.15",
        ("attached",),
        "A good message and a violation came in one read. The violation ends the socket at once, before the application's task has "
        "run and answered the message; RFC 6455 (7.1.7) wants no more. A detached socket answers first, as its listener is a call.",
    ),
    Reason(
        Verdict.NON_STRICT,
        r"6\.4\.[1-4]",
        BOTH,
        "Invalid UTF-8 is told (1007) when the message is whole, not at its first bad byte. RFC 6455 (8.1) leaves the moment open; "
        "until then no more is held than `WSX_MAX_MESSAGE_BYTES`.",
    ),
    Reason(
        Verdict.INFORMATIONAL,
        r"7\.1\.6",
        BOTH,
        "A message of 256 KiB, a close and a ping at once: what is still answered is free. With the shipped settings the message "
        "is already too large (1009).",
    ),
    Reason(
        Verdict.INFORMATIONAL,
        r"7\.13\.[12]",
        BOTH,
        "The close codes 5000 and 65535 are in no range of RFC 6455 (7.4.2), which does not say what follows. The answer is 1002.",
    ),
    Reason(
        Verdict.UNIMPLEMENTED,
        r"13\.[35]\..*",
        BOTH,
        "The client wants a window of 512 bytes for what it reads. Frames are compressed once for all sockets, with a window of "
        "4 KiB, so this offer is declined (RFC 7692, 7.1.2.1) and messages go uncompressed.",
    ),
    Reason(
        Verdict.OVER_LIMIT,
        r".*",
        BOTH,
        "The message is larger than `WSX_MAX_MESSAGE_BYTES` and is refused: 1009, and a clean end (7.4.1). Autobahn waits "
        "for the echo and calls that failed. With the limit raised the same cases pass.",
    ),
)


def claimed_bytes(description: str) -> int:
    """Bytes of the case's message; 0 where its description does not say."""
    found = CLAIMED_BYTES.search(description)
    if found is None:
        return 0
    factor, power, plain = found.groups()
    return int(plain) if plain else int(factor) * 2 ** int(power)


def reason_of(case: Case, verdict: Verdict) -> Reason | None:
    """Why the case is not `OK`; None: nobody knows, and that is as bad as failed."""
    return next((reason for reason in REASONS if reason.explains(case, verdict)), None)


def read_cases(folders: Iterable[Path]) -> list[Case]:
    """All cases whose reports are in these folders, each once, in Autobahn's order."""
    reports = (path for folder in folders for path in folder.glob("*_case_*.json"))
    found = {(case.agent, case.number): case for case in map(Case.read, reports)}
    return sorted(found.values(), key=lambda case: case.place)
