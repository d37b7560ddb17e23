"""What a field of a body may hold. msgspec says that one is wrong, not what would be right."""

from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import inspect as types


def choices_at(kind: Any, path: Sequence[str]) -> list[str]:
    """The words that may stand at this place of a body of the type `kind`; none: not a place of fixed words.

    `path`: names and indexes, `["updates", "0", "audience", "kind"]`.
    """
    whole = types.type_info(kind)
    literals = {str(word) for found in types_at(whole, path) if isinstance(found, types.LiteralType) for word in found.values}
    around = (found for found in types_at(whole, path[:-1]) if isinstance(found, types.StructType))
    return sorted(literals | {str(found.tag) for found in around if path and found.tag_field == path[-1]})


def fields_at(kind: Any, path: Sequence[str]) -> list[str]:
    """The names of all fields that may stand in the object at this place; none: more than one kind of object may stand there."""
    kinds = [found for found in types_at(types.type_info(kind), path) if isinstance(found, types.StructType)]
    return sorted(field.encode_name for field in kinds[0].fields) if len(kinds) == 1 else []


def description_at(kind: Any, path: Sequence[str]) -> str:
    """What the documentation says of this place; empty: nothing."""
    described = (found.extra_json_schema for found in types_at(types.type_info(kind), path) if isinstance(found, types.Metadata))
    return next((str(words["description"]) for words in described if words and "description" in words), "")


def types_at(found: types.Type, path: Sequence[str]) -> Iterator[types.Type]:
    """All types that may stand at this place, each behind what wraps it."""
    if not path:
        yield found
    match found:
        case types.Metadata():
            yield from types_at(found.type, path)
        case types.UnionType():
            for one in found.types:
                yield from types_at(one, path)
        case types.ListType() | types.VarTupleType() | types.SetType() | types.FrozenSetType() if path:
            yield from types_at(found.item_type, path[1:])
        case types.StructType() if path:
            for field in found.fields:
                if field.encode_name == path[0]:
                    yield from types_at(field.type, path[1:])
        case _:
            return
