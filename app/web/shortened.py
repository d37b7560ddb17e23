"""JavaScript as it is sent: without what only its readers need. The source in the repository keeps all of it.

Comments, indentation, and spaces beside punctuation go; strings, templates and regular expressions stay letter by letter, and
each line break that could end a statement stays a line break. A bundler would do more, and would be one more thing to install.
"""

import re
from collections.abc import Iterator
from typing import Final, Literal

Kind = Literal["gap", "text", "word", "mark"]
Token = tuple[Kind, str]

_GAP: Final = re.compile(r"(?:\s+|//[^\n]*|/\*.*?\*/)+", re.DOTALL)
_STRING: Final = re.compile(r"""(?:"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')""", re.DOTALL)
_REGEX: Final = re.compile(r"/(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/[a-z]*")
_WORD: Final = re.compile(r"[\w$#@]+")
_TEMPLATE_PART: Final = re.compile(r"(?:[^`\\$]|\\.|\$(?!\{))*", re.DOTALL)

_BEFORE_REGEX: Final = frozenset(
    {"return", "typeof", "case", "in", "of", "delete", "void", "throw", "else", "do", "await", "yield"}
)
"""Words behind which a slash begins a regular expression; behind all others, `)`, `]` and `}` it divides."""

_OPEN: Final = frozenset("{([,;")
_CLOSE: Final = frozenset("})],;")
"""Behind the first and before the second, a line break ends nothing."""


class UnreadableScriptError(ValueError):
    """Something in the script does not end."""


def shortened(source: str) -> str:
    """The same script, shorter. Raises UnreadableScriptError, which names the line."""
    written: list[str] = []
    before: Token = ("gap", "")
    gap = ""
    for kind, text in tokens(source):
        if kind == "gap":
            gap = text
            continue
        if written and gap:
            written.append(_shortest(gap, before, (kind, text)))
        written.append(text)
        before, gap = (kind, text), ""
    return "".join(written) + "\n"


def _shortest(gap: str, before: Token, after: Token) -> str:
    """What of a gap has to stay."""
    glued = before[1][-1] + after[1][0]
    if "\n" in gap and glued[0] not in _OPEN and glued[1] not in _CLOSE:
        return "\n"
    is_needed = re.fullmatch(r"[\w$#@/][\w$#@]|\+\+|--|[/<]/|<!|/\*|\d\.", glued) is not None
    return " " if is_needed else ""


def tokens(source: str, position: int = 0, end: str = "") -> Iterator[Token]:
    """What a script is made of: gaps, texts (strings, templates, regular expressions), words, and marks of one character each.

    Tokens from here to the mark `end` that closes what is open; that mark included. Raises UnreadableScriptError.
    """
    depth = 0
    before: Token = ("gap", "")
    while position < len(source):
        token = _token(source, position, before)
        yield token
        kind, text = token
        position += len(text)
        if kind == "gap":
            continue
        before = token
        if kind == "mark":
            depth += (text == "{") - (text == "}")
            if text == end and depth < 0:
                return
    if end:
        raise _unreadable("a template", source, position)


def _token(source: str, position: int, before: Token) -> Token:
    if gap := _GAP.match(source, position):
        return "gap", gap[0]
    char = source[position]
    if char == "`":
        return "text", source[position : _end_of_template(source, position)]
    if char in "\"'":
        return "text", _whole(_STRING, "a string", source, position)
    if char == "/" and _begins_a_regex(before):
        return "text", _whole(_REGEX, "a regular expression", source, position)
    word = _WORD.match(source, position)
    return ("word", word[0]) if word else ("mark", char)


def _begins_a_regex(before: Token) -> bool:
    kind, text = before
    return kind == "gap" or (kind == "mark" and text not in ")]}") or text in _BEFORE_REGEX


def _whole(pattern: re.Pattern[str], what: str, source: str, position: int) -> str:
    found = pattern.match(source, position)
    if found is None:
        raise _unreadable(what, source, position)
    return found[0]


def _end_of_template(source: str, position: int) -> int:
    """The place behind the closing backtick; what is in `${…}` is code, with strings and templates of its own."""
    inside = position + 1
    while True:
        inside += len(_whole(_TEMPLATE_PART, "a template", source, inside))
        if source.startswith("`", inside):
            return inside + 1
        if not source.startswith("${", inside):
            raise _unreadable("a template", source, position)
        inside += 2
        inside += sum(len(text) for _, text in tokens(source, inside, "}"))


def _unreadable(what: str, source: str, position: int) -> UnreadableScriptError:
    line = source.count("\n", 0, position) + 1
    return UnreadableScriptError(f"line {line}: {what} does not end")
