"""What a scenario is: contestants who take turns at the same task, the figures that each turn gives, and the bars to reach."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from benchmarks.machine import Cores

Figures = Mapping[str, float]


class Bench(NamedTuple):
    """What all runs share."""

    folder: Path
    """For databases, tokens and errors; removed at the end."""
    cores: Cores
    product: Path
    """The checkout whose server is measured."""
    before: Path | None
    """Another checkout to measure in the same turns."""
    key: str
    secret: str


class Unavailable(Exception):
    """A contestant cannot run here; the text says why and what would help."""


class Failed(Unavailable):
    """A load was not served to its end, or a delivery is missing: there is no figure, and the command ends with an error."""


class Contestant(NamedTuple):
    """Who takes part, with which server, and what it does in a turn."""

    name: str
    server: str
    run: Callable[[Bench, str], Figures]
    """Called with the server's name. Raises Unavailable, or Failed."""


class Column(NamedTuple):
    """A figure of the table of all contestants."""

    figure: str
    title: str
    digits: int = 0


class Bar(NamedTuple):
    """A figure of one contestant, beside a peer's or by itself, and what is wanted of it."""

    what: str
    figure: str
    mine: str = "product"
    peer: str = ""
    """Empty: the figure itself is compared with the limit, else its ratio to the peer's."""
    at_least: float | None = None
    at_most: float | None = None
    minus: bool = False
    """The difference to the peer's figure is compared, not the ratio."""
    digits: int = 0


class Scenario(NamedTuple):
    """A task for several contestants."""

    name: str
    title: str
    what: str
    """What happens, in a sentence or two."""
    contestants: tuple[Contestant, ...]
    columns: tuple[Column, ...]
    bars: tuple[Bar, ...]
    is_long: bool = False
    """Whether it runs only where it is named."""
