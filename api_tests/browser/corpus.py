"""Strings that people with bad intentions write.

- `big-list-of-naughty-strings.json`: the npm package of that name, 1.0.0, MIT (its licence stands beside it).
- `vectors.txt`: ours; its head says where the ideas come from.
- Debian's package `wfuzz` (GPL-2, so it is read where it is installed and not copied): only in the long form, `make hostile`.
"""

import json
import os
import re
from pathlib import Path

from api_tests.missing import missing

HERE = Path(__file__).parent / "corpora"
WFUZZ = Path(os.environ.get("WFUZZ", "/usr/share/wfuzz/wordlist/Injections"))
_ESCAPES = {"\\n": "\n", "\\t": "\t", "\\0": "\0", "\\f": "\f"}
_MARKUP = re.compile(r"[<>]|script|\bon\w+=|\{\{")


def naughty() -> list[str]:
    """The big list."""
    strings: list[str] = json.loads((HERE / "big-list-of-naughty-strings.json").read_text())
    return strings


def vectors() -> list[str]:
    lines = (HERE / "vectors.txt").read_text().splitlines()
    return [re.sub(r"\\[nt0f]", lambda found: _ESCAPES[found[0]], line) for line in lines if not line.startswith("#")]


def wfuzz() -> list[str]:
    """Every line of its lists of injections."""
    if not WFUZZ.is_dir():
        missing(f"no {WFUZZ}: apt install wfuzz, or name the folder of its lists in WFUZZ")
    lines = (line for file in sorted(WFUZZ.glob("*.txt")) for line in file.read_text(errors="replace").splitlines())
    return list(dict.fromkeys(lines))


def is_markup(text: str) -> bool:
    """Whether it tries to be more than text."""
    return _MARKUP.search(text) is not None
