"""What msgspec says of a value, for those who write settings and queries: it speaks to programmers."""

import re
from collections.abc import Collection
from typing import Final

_KINDS: Final = {"int": "a whole number", "float": "a number", "bool": "true or false"}
_BOUNDS: Final = {">=": "of at least", "<=": "of at most", ">": "above", "<": "below"}
_VALUE: Final = re.compile(r"Expected `(int|float|bool)(?: \| null)?`(?: (>=|<=|>|<) (\S+))?(?:, got .*)?")
_LENGTH: Final = re.compile(r"Expected `(str|array)` of length (>=|<=) (\d+)")
_COUNTED: Final = {"str": ("character", "may stand here"), "array": ("item", "may be given")}


def in_words(message: str, choices: Collection[str] = ()) -> str:
    """The message of a `msgspec.ValidationError`, without its place, as a sentence; one that is not known stays as it is.

    `choices`: the words that may stand there, where there are only some.
    """
    if choices and message.startswith("Invalid enum value"):
        return f"one of {', '.join(choices)} is wanted"
    if match := _VALUE.fullmatch(message):
        kind, bound, number = match.groups()
        within = f" {_BOUNDS[bound]} {number.removesuffix('.0')}" if bound else ""
        return f"{_KINDS[kind]}{within} is wanted"
    if match := _LENGTH.fullmatch(message):
        kind, bound, number = match.groups()
        noun, verb = _COUNTED[kind]
        return f"{_BOUNDS[bound].removeprefix('of ')} {number} {noun}{'s' * (number != '1')} {verb}"
    return "it holds characters that are not allowed" if "matching regex" in message else message
