"""What a page is, and what its forms send."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs, urlencode

from app.features.asking import for_people
from app.features.console_charts import Samples
from app.kernel.errors import AppError, BadRequest, FieldError, InvalidFields
from app.web.desk import Desk

MAX_FIELDS: Final = 200
"""Fields of one form; the largest has a box for each scope."""
PER_PAGE: Final = "50"
"""Lines of a list: what is kept up to date twice a second stays small, however many there are."""


class Visit(NamedTuple):
    """Somebody looks at a page."""

    desk: Desk
    query: Mapping[str, str]
    """What the page's address says, as far as the page wants to know."""
    samples: Samples


class Form:
    """What was sent by a form."""

    def __init__(self, fields: Mapping[str, Sequence[str]] = MappingProxyType({})) -> None:
        self._fields = fields

    @classmethod
    def read(cls, body: bytes) -> "Form":
        """As browsers send it. Raises BadRequest."""
        try:
            return cls(parse_qs(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict"))
        except ValueError:
            raise BadRequest("this is no form as browsers send it") from None

    @property
    def names(self) -> Collection[str]:
        """Of all fields that were sent, the empty ones too."""
        return self._fields.keys()

    def text(self, name: str, otherwise: str = "") -> str:
        """A field; of several the first. `otherwise`: where it was not sent."""
        return self._fields.get(name, (otherwise,))[0]

    def all(self, name: str) -> Sequence[str]:
        """All fields of this name."""
        return self._fields.get(name, ())

    def words(self, name: str) -> list[str]:
        """What people write with commas or lines between."""
        return [word for part in self.text(name).replace("\n", ",").split(",") if (word := part.strip())]

    def time(self, name: str) -> str | None:
        """A time as browsers write it, without a zone: pages say that it is UTC. None: none was given."""
        given = self.text(name)
        return f"{given}{':00' if given.count(':') == 1 else ''}Z" if given else None


class Done(NamedTuple):
    """It was done; the page is loaded anew, so that loading it once more does nothing."""

    said: str
    """A word of `app.features.console.routes.SAID`."""
    page: str
    query: Mapping[str, str] = MappingProxyType({})

    @property
    def address(self) -> str:
        """Where the browser goes."""
        return f"/console/{self.page}?{urlencode({**self.query, 'done': self.said})}"


class Shown(NamedTuple):
    """Something to be shown once, on the page itself."""

    context: Mapping[str, object]
    is_done: bool = False
    """Then the form is empty again."""


Outcome = Done | Shown
Act = Callable[[Desk, Form], Awaitable[Outcome]]


class Page(NamedTuple):
    """A page. `name` is also that of its template, and of the part `<name>-live.html` that is kept up to date."""

    name: str
    title: str
    scopes: Sequence[str]
    """One of them is enough to see it."""
    load: Callable[[Visit], Awaitable[dict[str, Any]]]
    """What its template is given. `refusal`: the AppError for which it is less than was asked for. Raises AppError for the rest."""
    query: Sequence[str] = ()
    """What it wants to know of its address."""
    acts: Mapping[str, tuple[str, Act]] = MappingProxyType({})
    """What can be done on it, by name: the scope that it takes, and how it is done."""
    extra: Mapping[str, object] = MappingProxyType({})
    """What its template is given where nothing is shown once."""
    every_turns: int = 0
    """Its live part is made anew in each so manieth turn of a second; 0: it has none."""
    within: str = ""
    """The page from which one comes to it; empty: the navigation has it."""

    def asked(self, query: Mapping[str, str]) -> dict[str, str]:
        """What it wants to know, of all that an address says."""
        return {name: value for name in self.query if (value := query.get(name, "").strip())}


def wanted(form: Form, kind: str = "audience", names: str = "names") -> dict[str, Any] | None:
    """The audience that a form means; None: the priority's. Raises InvalidFields."""
    chosen = form.text(kind)
    if not chosen:
        return None
    if chosen in {"everyone", "signed_in"}:
        return {"kind": chosen}
    found = form.words(names)
    if not found:
        raise InvalidFields([FieldError(f"/{names}", "name at least one, with commas between")])
    return {"kind": chosen, "names" if chosen == "roles" else "ids": found}


async def listed(visit: Visit, operation: str, **path: str) -> dict[str, Any]:
    """What `paged` gives of the list that an operation answers, filtered by what the address says. Raises AppError.

    `path`: parts of the operation's path, by the names that they have in the address. Where what was asked for is wrong, `found` is
    None, and `refusal` says why.
    """
    query, parts = visit.query, {part: visit.query.get(name, "") for part, name in path.items()}
    filters = {name: value for name, value in query.items() if name not in path.values()}
    try:
        found = await visit.desk.ask(operation, path=parts, query={**filters, "limit": PER_PAGE})
    except InvalidFields as error:
        return {**paged(query, None), "refusal": error}
    return paged(query, found)


async def filtered(visit: Visit, operation: str, names: Sequence[str]) -> dict[str, Any]:
    """The same, with what the fields of these names say as `filters`."""
    return {**await listed(visit, operation), "filters": {name: visit.query.get(name, "") for name in names}}


def told(error: AppError | None, names: Collection[str]) -> dict[str, object]:
    """What a page says of an error: as `error` what stands above all, as `wrong` what stands beside the fields of these names."""
    wrong: dict[str, str] = {}
    others: list[str] = []
    for field in error.fields if error is not None else ():
        name = field.pointer.strip("/?{}").partition("/")[0]
        if name in names:
            wrong.setdefault(name, for_people(field.detail))
        else:
            others.append(f"{name}: {for_people(field.detail)}" if name else field.detail)
    if error is None:
        return {"error": "", "wrong": wrong}
    above = "; ".join(others) if error.fields else error.detail
    return {"error": above or "This was not done: what is marked is not right.", "wrong": wrong}


def paged(query: Mapping[str, str], found: Any) -> dict[str, Any]:
    """One page of a list, `found`, and what stands behind `?` in the addresses of the `next` and the `first`; None: this is it.

    `found` None: the key may not read the list.
    """
    cursor = getattr(found, "next_cursor", None)
    others = {name: value for name, value in query.items() if name != "cursor"}
    return {
        "found": found,
        "next": urlencode({**others, "cursor": cursor}) if cursor else None,
        "first": urlencode(others) if "cursor" in query else None,
    }
