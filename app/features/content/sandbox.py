"""Jinja for templates whose values come from outside: what such a template may be made of, and what it may reach."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from jinja2 import FileSystemLoader, StrictUndefined, TemplateSyntaxError, nodes
from jinja2.exceptions import SecurityError, TemplateRuntimeError
from jinja2.runtime import LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment, safe_range

from app.features.content.filters import FILTERS_OFFERED, FOR, HIDDEN_FILTERS, IN, STEP_WORK, TESTS_OFFERED, spend

MAX_RENDERED_BYTES: Final = 131_072
"""Bytes of what a template may become. Rendering stops there."""

_TEXT = (
    "capitalize count endswith lower lstrip removeprefix removesuffix rsplit rstrip split splitlines startswith strip title upper"
)
_ATTRIBUTES: Final[tuple[tuple[type, frozenset[str]], ...]] = (
    (str, frozenset(_TEXT.split())),
    (dict, frozenset({"get", "items", "keys", "values"})),
    (tuple, frozenset({"grouper", "list"})),  # what `groupby` makes
    (LoopContext, frozenset(name for name in vars(LoopContext) if not name.startswith("_"))),
)
"""Attributes that are no fields of the caller's own. None makes more than a small multiple of what it belongs to."""
_STATEMENTS = (nodes.Template, nodes.Output, nodes.For, nodes.If, nodes.Assign, nodes.With)
"""None of them keeps what is made instead of showing it: what is shown is measured as it is made."""
_EXPRESSIONS = (nodes.Expr, nodes.Helper)


class Sandbox(ImmutableSandboxedEnvironment):
    """Has only filters, tests and attributes that are listed, and works no longer than is bounded around it."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def __init__(self, folders: list[Path]) -> None:
        super().__init__(
            loader=FileSystemLoader(folders),
            autoescape=True,
            auto_reload=False,
            undefined=StrictUndefined,
            finalize=_shown,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.filters = FILTERS_OFFERED | HIDDEN_FILTERS
        self.tests = dict(TESTS_OFFERED)
        self.globals = {"range": safe_range}

    def is_safe_attribute(self, obj: Any, attr: str, _value: Any) -> bool:
        """Whether a template may have this of what is no field."""
        return any(isinstance(obj, kind) and attr in names for kind, names in _ATTRIBUTES)

    def is_safe_callable(self, obj: Any) -> bool:
        """All that can be reached may be called; that is work, too. Raises TooMuchWorkError."""
        owner = getattr(obj, "__self__", None)
        spend(STEP_WORK + (len(owner) if isinstance(owner, str) else 0))
        return True

    def wrap_str_format(self, value: Any) -> None:
        """`format` of a text is an attribute like all others: not listed. There is the filter."""

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """`'*' * stars` is a fine rating until somebody gives a billion stars."""
        if not _is_small(operator, left, right):
            message = f"the result of {operator} may be too large; numbers, or a text times a small one, are no trouble"
            raise SecurityError(message)
        return super().call_binop(context, operator, left, right)


def _shown(value: Any) -> Any:
    """What people are to read. Raises TemplateRuntimeError for what they cannot."""
    if isinstance(value, dict | list | tuple):
        message = "an object or a list stands where a text or a number is shown"
        raise TemplateRuntimeError(message)
    return "" if value is None else value


def _is_small(operator: str, left: Any, right: Any) -> bool:
    """Whether two numbers are multiplied or divided, or a text is repeated within `MAX_RENDERED_BYTES`."""
    if isinstance(left, str):
        left, right = right, left
    if isinstance(right, str):
        return operator == "*" and isinstance(left, int) and left * len(right) <= MAX_RENDERED_BYTES
    return operator != "**" and isinstance(left, int | float) and isinstance(right, int | float)


def check(tree: nodes.Template) -> None:
    """Raise TemplateSyntaxError for what a template may not be made of."""
    for node in tree.find_all(nodes.Node):
        if isinstance(node, nodes.Include | nodes.Extends | nodes.Import | nodes.FromImport):
            _refuse(node, "it must stand alone: what another template needs is not known here")
        if isinstance(node, nodes.EvalContextModifier | nodes.Scope):
            _refuse(node, "escaping cannot be turned off here; HTML of a caller's own goes by `html`")
        if (
            isinstance(node, nodes.NSRef)
            or not isinstance(node, (*_STATEMENTS, *_EXPRESSIONS))
            or getattr(node, "recursive", False)
        ):
            what = "a recursive for" if isinstance(node, nodes.For) else type(node).__name__
            _refuse(node, f"{what} is not offered here; there are `if`, `for`, `with` and `set x = …`")
        if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name) and node.node.name != "range":
            _refuse(node, f"{node.node.name}() is not offered here; there is range()")
        for kind, offered in ((nodes.Filter, FILTERS_OFFERED), (nodes.Test, TESTS_OFFERED)):
            if isinstance(node, kind) and node.name not in offered:
                there_are = ", ".join(sorted(offered))
                _refuse(node, f"No {kind.__name__.lower()} named {node.name!r} is offered here; there are {there_are}")


def _refuse(node: nodes.Node, why: str) -> None:
    raise TemplateSyntaxError(why, node.lineno)


def count_work(tree: nodes.Template) -> None:
    """Change a template so that what its loops and its `in` go through is counted."""
    for node, field, name in list(_gone_through(tree)):
        counted = nodes.Filter(getattr(node, field), name, [], [], None, None, lineno=node.lineno, environment=tree.environment)
        setattr(node, field, counted)


def _gone_through(tree: nodes.Template) -> Iterator[tuple[nodes.Node, str, str]]:
    """Where an expression stands that is gone through, and by what."""
    yield from ((loop, "iter", FOR) for loop in tree.find_all(nodes.For))
    yield from ((one, "expr", IN) for one in tree.find_all(nodes.Operand) if one.op in {"in", "notin"})
