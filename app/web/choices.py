"""Which words a field of a body may hold. msgspec says that one is wrong, not which are right."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from msgspec import inspect as types


def choices_at(kind: Any, path: Sequence[str]) -> list[str]:
    """The words that may stand at this place of a body of the type `kind`; none: not a place of fixed words.

    `path`: names and indexes, `["updates", "0", "audience", "kind"]`.
    """
    return sorted(_words(types.type_info(kind), list(path)))


def _words(found: types.Type, path: Sequence[str]) -> Iterator[str]:
    match found:
        case types.Metadata():
            yield from _words(found.type, path)
        case types.UnionType():
            yield from _of_each(found.types, path)
        case types.ListType() | types.VarTupleType() | types.SetType() | types.FrozenSetType() if path:
            yield from _words(found.item_type, path[1:])
        case types.StructType() if path and path[0] == found.tag_field:
            yield str(found.tag)
        case types.StructType() if path:
            yield from _of_each((field.type for field in found.fields if field.encode_name == path[0]), path[1:])
        case types.LiteralType() if not path:
            yield from map(str, found.values)
        case _:
            return


def _of_each(several: Iterable[types.Type], path: Sequence[str]) -> Iterator[str]:
    for one in several:
        yield from _words(one, path)
