"""Templates that callers may fill in: `content/notice.html` is `notice` to them.

Shipped ones stand in `templates/` here; a site's own, in the folder `content` of `WSX_TEMPLATES`, beside them or in their place.
All are read at start; what cannot be used keeps the server from starting, so that no caller has to find it out.

Who fills them in is not trusted, who writes them is. Values are plain JSON and escaped, so a template must put them where escaping
protects: into text, and into attributes in quotes. What leads somewhere goes through `|url`.
"""

import re
from collections.abc import Iterator, Mapping, Sized
from pathlib import Path
from typing import Any, Final, NamedTuple

from jinja2 import FileSystemLoader, StrictUndefined, Template, TemplateError, TemplateSyntaxError, UndefinedError, meta, nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from app.features.content.cleaning import URL_SCHEMES
from app.features.content.model import MAX_NAME_CHARS
from app.settings import SettingsError

MAX_RENDERED_BYTES: Final = 131_072
"""Bytes of what a template may become. Rendering stops there."""
FOLDER: Final = "content"
SHIPPED: Final = Path(__file__).parent / "templates"

_NAME = re.compile(r"[a-z0-9][a-z0-9_/-]*")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_IGNORED_IN_URLS = re.compile(r"[\x00-\x20]")
"""Browsers skip some of these in a scheme: `java\\nscript:`."""


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
            for piece in self.template.generate(context):
                pieces.append(piece)
                size += len(piece.encode())
                if size > MAX_RENDERED_BYTES:
                    break
        except UndefinedError as error:
            raise CannotRender(error.message or "something is missing") from None
        except Exception as error:  # whatever a template does with a number where it wants a list
            raise CannotRender(str(error)) from None
        if size > MAX_RENDERED_BYTES:
            message = f"becomes more than {MAX_RENDERED_BYTES} bytes of HTML"
            raise CannotRender(message)
        return "".join(pieces).strip()


class _Environment(ImmutableSandboxedEnvironment):
    """Jinja for templates whose values come from outside."""

    intercepted_binops = frozenset({"*", "**"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """`'*' * stars` is a fine rating until somebody gives a billion stars."""
        length = max((len(one) for one in (left, right) if isinstance(one, Sized)), default=0)
        times = next((one for one in (left, right) if isinstance(one, int)), 0)
        if operator == "**" or length * times > MAX_RENDERED_BYTES:
            message = f"the result of {operator} may be too large"
            raise SecurityError(message)
        return super().call_binop(context, operator, left, right)


class Offers:
    """The templates that callers of this process may use."""

    def __init__(self) -> None:
        self._by_name: dict[str, Offered] = {}
        self.replace_from("")

    def replace_from(self, folder: str) -> None:
        """Read them anew, with those of this folder. Raises SettingsError, which names the template that cannot be used."""
        folders = [Path(folder) / FOLDER, SHIPPED] if folder else [SHIPPED]
        environment = _environment(folders)
        names = sorted({path.relative_to(one).with_suffix("").as_posix() for one in folders for path in one.rglob("*.html")})
        self._by_name = {name: _read(environment, name) for name in names}

    def __iter__(self) -> Iterator[Offered]:
        """By name."""
        return iter(self._by_name.values())

    def find(self, name: str) -> Offered | None:
        """The one of this name."""
        return self._by_name.get(name)


def _environment(folders: list[Path]) -> _Environment:
    environment = _Environment(
        loader=FileSystemLoader(folders),
        autoescape=True,
        auto_reload=False,
        undefined=StrictUndefined,
        finalize=lambda value: "" if value is None else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    del environment.filters["safe"]
    environment.filters["url"] = _url
    return environment


def _read(environment: _Environment, name: str) -> Offered:
    file = f"{name}.html"
    try:
        if not _NAME.fullmatch(name) or len(name) > MAX_NAME_CHARS:
            _refuse(f"a name of at most {MAX_NAME_CHARS} letters a-z, digits, `_`, `-` and `/` is wanted")
        loader = environment.loader
        tree = environment.parse(loader.get_source(environment, file)[0] if loader is not None else "")
        if next(meta.find_referenced_templates(tree), "") != "":
            _refuse("it must stand alone: what another template needs is not known here")
        if next(tree.find_all((nodes.EvalContextModifier, nodes.ScopedEvalContextModifier)), None) is not None:
            _refuse("escaping cannot be turned off here; HTML of a caller's own goes by `html`")
        named = meta.find_undeclared_variables(tree) - environment.globals.keys()
        optional = _optional(tree) & named
        return Offered(name, environment.get_template(file), frozenset(named - optional), frozenset(optional))
    except (TemplateError, UnicodeDecodeError, ValueError) as error:
        words = f"line {error.lineno}: {error.message}" if isinstance(error, TemplateSyntaxError) else str(error)
        message = f"WSX_TEMPLATES: {FOLDER}/{file}: {words}"
        raise SettingsError(message) from None


def _refuse(why: str) -> None:
    raise ValueError(why)


def _optional(tree: nodes.Template) -> set[str]:
    """Names that a template asks for, or has something in place of."""
    asked = (test.node for test in tree.find_all(nodes.Test) if test.name in {"defined", "undefined"})
    replaced = (filtered.node for filtered in tree.find_all(nodes.Filter) if filtered.name in {"default", "d"})
    return {node.name for node in (*asked, *replaced) if isinstance(node, nodes.Name)}


def _url(value: object) -> str:
    """An address that leads somewhere and does nothing. Raises ValueError."""
    text = str(value).strip()
    scheme = _SCHEME.match(_IGNORED_IN_URLS.sub("", text))
    if scheme is not None and scheme[1].lower() not in URL_SCHEMES:
        message = f"an address must be relative, or begin with {', '.join(f'{one}:' for one in sorted(URL_SCHEMES))}"
        raise ValueError(message)
    return text


offered = Offers()
"""One set for the process, as that of the fragments."""
