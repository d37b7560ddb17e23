"""HTML fragments that the product ships: Jinja templates, escaped, each replaceable by a file of the site's own.

`announcements/published.html` is `app/features/announcements/templates/published.html`, or the file of that name in the folder
`WSX_TEMPLATES`, where there is one.
"""

from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

from jinja2 import BaseLoader, ChoiceLoader, Environment, FileSystemLoader, FunctionLoader, StrictUndefined
from markupsafe import Markup

from app.settings import SettingsError

_HERE = Path(__file__).parent


def _shipped(name: str) -> str | None:
    feature, _, file = name.partition("/")
    path = _HERE / feature / "templates" / file
    return path.read_text() if feature.isidentifier() and path.is_file() else None


class _Environment(Environment):
    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        """As one dict: each rendering copies it, and of Jinja's chain of dicts that takes as long as the rendering."""
        return {**self.globals, **(d or {})}


def _environment(folder: str) -> Environment:
    loaders: list[BaseLoader] = [FileSystemLoader(folder)] if folder else []
    loaders.append(FunctionLoader(_shipped))
    return _Environment(
        loader=ChoiceLoader(loaders), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


class Fragments:
    """The fragments of this process."""

    def __init__(self) -> None:
        self._environment = _environment("")

    def replace_from(self, folder: str) -> None:
        """Take fragments from this folder where it has them. Empty: only the shipped ones. Raises SettingsError: no such folder."""
        if folder and not Path(folder).is_dir():
            message = f"WSX_TEMPLATES: {folder} is no folder"
            raise SettingsError(message)
        self._environment = _environment(folder)

    def render(self, name: str, /, **context: object) -> Markup:
        """Fill in a fragment; every value is escaped."""
        return Markup(self._environment.get_template(name).render(context).strip())


fragments = Fragments()
"""One set for the process: views are plain functions and need no application at hand."""
