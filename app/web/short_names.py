"""JavaScript with short names for what it declares: when it is packed, long ones are a fifteenth of it.

Each name becomes another one everywhere in the script, so scopes need not be understood. Left alone is every name that may be more
than a variable at any place: a property, a key, a part of `{ a, b }`, a method, or a word of a template. What a script declares
anywhere it must not use for a global elsewhere. And `const` is `let`: an engine has no use for the difference.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import product
from string import ascii_letters
from typing import Final

from app.web.shortened import Token, tokens

_DECLARES: Final = frozenset({"function", "const", "let"})
_CONTROLS: Final = frozenset({"if", "for", "while", "switch", "catch"})
"""Words before `(…) {` that are no method's name."""
_RESERVED: Final = frozenset({"do", "if", "in"})
"""Words of two letters that are no name."""
_OPEN: Final = frozenset("([{")
_CLOSE: Final = frozenset(")]}")
_NONE: Final[Token] = ("gap", "")
_MIN_CHARS: Final = 3
"""Of a name that is worth another."""


def with_short_names(source: str) -> str:
    """The same script. Raises UnreadableScriptError, which names the line."""
    written = list(tokens(source))
    code = [token for token in written if token[0] != "gap"]
    used = Counter(text for kind, text in code if kind == "word")
    kept = _kept(code)
    declared = {code[place][1] for place in range(1, len(code)) if code[place - 1][1] in _DECLARES and code[place][0] == "word"}
    long = [name for name, _ in used.most_common() if len(name) >= _MIN_CHARS and name in declared - kept]
    short = dict(zip(long, _unused(kept | used.keys() | _RESERVED), strict=False))
    if "const" not in kept:
        short["const"] = "let"
    return "".join(short.get(text, text) if kind == "word" else text for kind, text in written)


def _unused(used: set[str]) -> Iterator[str]:
    """a, b, … Z, aa, ab, …: those of one and two letters that are free."""
    for length in (1, 2):
        for letters in product(ascii_letters, repeat=length):
            if (name := "".join(letters)) not in used:
                yield name


def _kept(code: Sequence[Token]) -> set[str]:
    """Names that may be more than a variable somewhere."""
    kept: set[str] = set()
    within = [""]
    for place, (kind, text) in enumerate(code):
        if kind == "text" and text.startswith("`"):
            kept.update(re.findall(r"[\w$]+", text))
        elif kind == "word" and _may_be_more(code, place, within[-1]):
            kept.add(text)
        elif text in _OPEN:
            within.append(text)
        elif text in _CLOSE:
            within.pop()
    return kept


def _may_be_more(code: Sequence[Token], place: int, within: str) -> bool:
    """Whether a word may be a property, a key, a part of `{ a, b = 1 }`, or a method; `within`: the bracket that it stands in."""
    before = code[place - 1][1] if place else ""
    after = code[place + 1][1] if place + 1 < len(code) else ""
    is_part = within == "{" and before in {"{", ","} and after in {",", "}", "="}
    return before == "." or after == ":" or is_part or (after == "(" and _is_method(code, place, before))


def _is_method(code: Sequence[Token], place: int, before: str) -> bool:
    """Whether a block follows the brackets behind a word."""
    if before == "function" or code[place][1] in _CONTROLS:
        return False
    depth = 0
    for at in range(place + 1, len(code)):
        depth += (code[at][1] in _OPEN) - (code[at][1] in _CLOSE)
        if depth == 0:
            return code[at + 1 : at + 2] == [("mark", "{")]
    return False
