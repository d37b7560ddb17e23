"""Templates that callers may fill in: `content/notice.html` is `notice` to them.

Shipped ones stand in `templates/` here; a site's own, in the folder `content` of `WSX_TEMPLATES`, beside them or in their place.
All are read at start; what cannot be used keeps the server from starting, so that no caller has to find it out.

Who fills them in is not trusted, who writes them is. Values are plain JSON and escaped, so a template must put them where escaping
protects: into text, and into attributes in quotes. What leads somewhere goes through `|url`. `sandbox` says what they are made of,
`filters` how much they may do.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from jinja2 import Template, TemplateError, TemplateSyntaxError, meta, nodes

from app.features.content.filters import bounded
from app.features.content.model import MAX_NAME_CHARS
from app.features.content.sandbox import MAX_RENDERED_BYTES, Sandbox, check, count_work
from app.settings import SettingsError

FOLDER: Final = "content"
SHIPPED: Final = Path(__file__).parent / "templates"

_OTHER_KIND: Final = "a value is of another kind than the template wants, such as a number where it wants a list"
_NAME = re.compile(r"[a-z0-9][a-z0-9_/-]*")


class CannotRender(ValueError):
    """The template makes nothing of these values."""


class Offered(NamedTuple):
    """One template, and what it needs."""

    name: str
    template: Template
    required: frozenset[str]
    optional: frozenset[str]

    def render(self, context: Mapping[str, Any]) -> str:
        """Fill it in. Raises CannotRender for values of a form that it cannot use, and for more than `MAX_RENDERED_BYTES`."""
        pieces, size = [], 0
        try:
            with bounded():
                for piece in self.template.generate(context):
                    pieces.append(piece)
                    size += len(piece.encode())
                    if size > MAX_RENDERED_BYTES:
                        break
        except (TemplateError, ValueError) as error:
            raise CannotRender(str(error)) from None
        except Exception:  # whatever a template does with a number where it wants a list
            raise CannotRender(_OTHER_KIND) from None
        if size > MAX_RENDERED_BYTES:
            message = f"becomes more than {MAX_RENDERED_BYTES} bytes of HTML"
            raise CannotRender(message)
        return "".join(pieces).strip()


class Offers:
    """The templates that callers of this process may use."""

    def __init__(self) -> None:
        self._by_name: dict[str, Offered] = {}
        self.replace_from("")

    def replace_from(self, folder: str) -> None:
        """Read them anew, with those of this folder. Raises SettingsError, which names the template that cannot be used."""
        folders = [Path(folder) / FOLDER, SHIPPED] if folder else [SHIPPED]
        environment = Sandbox(folders)
        names = sorted({path.relative_to(one).with_suffix("").as_posix() for one in folders for path in one.rglob("*.html")})
        self._by_name = {name: _read(environment, name) for name in names}

    def __iter__(self) -> Iterator[Offered]:
        """By name."""
        return iter(self._by_name.values())

    def find(self, name: str) -> Offered | None:
        """The one of this name."""
        return self._by_name.get(name)


def _read(environment: Sandbox, name: str) -> Offered:
    file = f"{name}.html"
    try:
        _check_name(name)
        loader = environment.loader
        tree = environment.parse(loader.get_source(environment, file)[0] if loader is not None else "")
        check(tree)
        named = meta.find_undeclared_variables(tree) - environment.globals.keys()
        optional = _optional(tree) & named
        count_work(tree)
        return Offered(name, environment.from_string(tree), frozenset(named - optional), frozenset(optional))
    except (TemplateError, UnicodeDecodeError, ValueError) as error:
        words = f"line {error.lineno}: {error.message}" if isinstance(error, TemplateSyntaxError) else str(error)
        message = f"WSX_TEMPLATES: {FOLDER}/{file}: {words}"
        raise SettingsError(message) from None


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name) or len(name) > MAX_NAME_CHARS:
        message = f"a name of at most {MAX_NAME_CHARS} letters a-z, digits, `_`, `-` and `/` is wanted"
        raise ValueError(message)


def _optional(tree: nodes.Template) -> set[str]:
    """Names that a template asks for, or has something in place of."""
    asked = (test.node for test in tree.find_all(nodes.Test) if test.name in {"defined", "undefined"})
    replaced = (filtered.node for filtered in tree.find_all(nodes.Filter) if filtered.name in {"default", "d"})
    return {node.name for node in (*asked, *replaced) if isinstance(node, nodes.Name)}


offered = Offers()
"""One set for the process, as that of the fragments."""
