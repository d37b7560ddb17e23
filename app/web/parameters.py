"""Parameters of paths and queries. Names that an operation does not have are refused: a mistyped filter would find everything.

So is a name that is given twice: of two values only one can be meant.
"""

from collections import Counter
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from msgspec import inspect as types

from app.kernel.errors import FieldError, InvalidFields
from app.kernel.wording import in_words
from app.web.choices import choices_at, types_at
from app.web.front import Scope


class Parameters:
    """What one operation takes from paths and queries. `query_names`: by parameter of its function, the name in the query."""

    def __init__(self, query_names: Mapping[str, str]) -> None:
        self._query_names = query_names
        names = sorted(query_names.values())
        self._there_are = f"there {'is' if len(names) == 1 else 'are'} {', '.join(names) or 'none'} here"

    def read(self, scope: Scope) -> dict[str, Any]:
        """The values by parameter; what was not asked is left out. Raises InvalidFields, which names each wrong one."""
        texts = dict(scope["path_params"])
        if scope["query_string"]:
            texts |= self._asked(scope)
        if not texts:
            return texts
        kinds = scope["route_handler"].signature_model.__annotations__  # as Litestar reads, and describes, the declaration
        wrong = []
        for name, text in texts.items():
            kind = kinds.get(name, bool)  # `dry_run` is in no declaration
            try:
                texts[name] = msgspec.convert(text, kind, strict=not _is_number(kind))
            except msgspec.ValidationError as error:
                place = f"?{self._query_names[name]}" if name in self._query_names else f"{{{name}}}"
                wrong.append(FieldError(place, in_words(str(error), choices_at(kind, ()))))
        if wrong:
            raise InvalidFields(wrong)
        return texts

    def _asked(self, scope: Scope) -> dict[str, str]:
        given = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        asked = dict(given)
        if unknown := sorted(asked.keys() - self._query_names.values()):
            raise InvalidFields([FieldError(f"?{name}", f"no such parameter; {self._there_are}") for name in unknown])
        if len(given) > len(asked):
            times = Counter(name for name, _ in given)
            raise InvalidFields(
                [FieldError(f"?{name}", f"given {count} times; give it once") for name, count in sorted(times.items()) if count > 1]
            )
        return {name: asked[spelled] for name, spelled in self._query_names.items() if spelled in asked}


@cache
def _is_number(kind: Any) -> bool:
    """Whether the text has to be read: as a number, or as true or false. Read so, a number would be taken for a time, too."""
    return any(isinstance(found, (types.IntType, types.FloatType, types.BoolType)) for found in types_at(types.type_info(kind), ()))
