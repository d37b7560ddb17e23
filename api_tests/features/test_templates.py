"""Templates of the site's own: what they may be made of, and what they make of whatever they are given."""

import tracemalloc
from pathlib import Path
from typing import Any

import msgspec
import pytest

from api_tests.client import ApiClient
from api_tests.features.test_content import EVERYONE, NOTICE
from api_tests.server import ADMIN_KEY, run_server
from app.features.content.model import MAX_NAME_CHARS
from app.features.content.offered import CannotRender, Offers
from app.features.content.service import MAX_CONTEXT_BYTES
from app.main import create_app
from app.settings import Settings, SettingsError


def offers_of(folder: Path, source: str, name: str = "shop/order") -> Offers:
    """With one template of the site's own."""
    file = folder / "content" / f"{name}.html"
    file.parent.mkdir(parents=True)
    file.write_text(source)
    offers = Offers()
    offers.replace_from(str(folder))
    return offers


@pytest.mark.parametrize(
    ("source", "fields", "context", "shown"),
    [
        ("<p>{{ a }}</p>", "a", {"a": None}, "<p></p>"),
        ("{% if a is defined %}{{ a }}{% endif %}{{ b|default('-') }}", "a? b?", {}, "-"),
        ("{% for one in rows %}{{ one.name }}{{ loop.index }}{% endfor %}", "rows", {"rows": [{"name": "<"}]}, "&lt;1"),
        ("{% set x = a %}{{ x }}{{ range(2)|join }}", "a", {"a": 1}, "101"),
        ("{{ '*' * stars }}", "stars", {"stars": 3}, "***"),
        ("{{ a|tojson }}", "a", {"a": "</script>"}, '"\\u003c/script\\u003e"'),
        ("<a href='{{ a|url }}'>", "a", {"a": "/x?y=1:2&'"}, "<a href='/x?y=1:2&amp;&#39;'>"),
        ("{{ '%.2f'|format(a) }} {{ a|round(1) }} {{ 7 % b }}", "a b", {"a": 3.456, "b": 4}, "3.46 3.5 3"),
        ("{{ a|replace('x', b) }}{{ a|e|replace('&lt;', b) }}", "a b", {"a": "<x", "b": "<"}, "&lt;&lt;&lt;x"),
        ("{{ rows|sum('n') }} {{ rows|map(attribute='n')|join(', ') }}", "rows", {"rows": [{"n": 1}, {"n": 2}]}, "3 1, 2"),
        (
            "{% for g in rows|groupby('n') %}{{ g.grouper }}{{ g.list|length }}{{ loop.cycle(1, 2) }}{{ loop.last }}{% endfor %}",
            "rows",
            {"rows": [{"n": 1}, {"n": 1}, {"n": 2}]},
            "121False212True",
        ),
        ("{% for k, v in a.items() if k in v and k is in v %}{{ k }}{% endfor %}", "a", {"a": {"x": ["x"], "y": []}}, "x"),
        ("{% with b = a.split(',') %}{{ b|reverse|first }}{% endwith %}", "a", {"a": "x,y"}, "y"),
        ("<a href='{{ a|url }}'>", "a", {"a": "mailto:ada@example.org"}, "<a href='mailto:ada@example.org'>"),
    ],
)
def test_a_template_of_the_site_is_offered_with_what_it_needs(
    tmp_path: Path, source: str, fields: str, context: Any, shown: str
) -> None:
    one = offers_of(tmp_path, source).find("shop/order")
    assert one is not None
    assert fields.split() == sorted([*one.required, *(f"{name}?" for name in one.optional)])
    assert shown == one.render(context)


@pytest.mark.parametrize(
    ("source", "context", "said"),
    [
        ("{{ '*' * stars }}", {"stars": 10**12}, "may be too large"),
        ("{{ 9 ** power }}", {"power": 10**9}, "may be too large"),
        ("{{ a.__class__.__mro__ }}", {"a": "x"}, "unsafe"),
        ("{{ [a]|map(attribute='__class__')|first }}", {"a": "x"}, "unsafe"),
        ("{{ a.format(a) }}", {"a": "{0.__class__}"}, "unsafe"),
        ("{{ a.append(1) }}", {"a": []}, "unsafe"),
        ("{{ a % b }}", {"a": "%999999999d", "b": 1}, "may be too large"),
        ("{{ [a] * n }}", {"a": "x" * 30_000, "n": 100_000}, "may be too large"),
        ("{{ a|format(b) }}", {"a": "%999999999d", "b": 1}, "at most two digits"),
        ("{{ '%*d'|format(a, 1) }}", {"a": 10**9}, "at most two digits"),
        ("{{ a.rjust(n) }}", {"a": "x", "n": 10**9}, "unsafe"),
        ("{{ a.zfill(n) }}", {"a": "x", "n": 10**9}, "unsafe"),
        ("{{ a['format'](1) }}", {"a": "{0:>999999999}"}, "unsafe"),
        ("{{ a.format_map(b) }}", {"a": "{b:>999999999}", "b": {}}, "unsafe"),
        ("{{ n.to_bytes(n, 'big') }}", {"n": 10**9}, "unsafe"),
        ("{{ a|map(b, n)|list }}", {"a": ["x"], "b": "center", "n": 10**9}, "No filter named 'center'"),
        ("{{ a|round(n) }}", {"a": 5, "n": -(10**9)}, "15 digits at most"),
        ("{{ a|round(n, 'ceil') }}", {"a": 5, "n": 10**9}, "15 digits at most"),
        ("{{ a|tojson(indent=n) }}", {"a": [1], "n": 10**9}, "another kind"),
        ("{{ a|sum(start=[]) }}", {"a": [[1]]}, "another kind"),
        ("{{ a.b }}", {"a": {}}, "has no attribute 'b'"),
        ("{% if a is defined %}{% endif %}{{ a }}", {}, "'a' is undefined"),
        ("{{ a|url }}", {"a": "JaVaScRiPt:alert(1)"}, "must be relative, or begin with http:, https:, mailto:, tel:"),
        ("{{ a|url }}", {"a": "\x01java\nscript\t:alert(1)"}, "must be relative"),
        ("{{ a|url }}", {"a": "data:text/html,x"}, "must be relative"),
        (
            "{% for a in rows %}{% for b in rows %}{% for c in 'ab' %}{{ rows }}{% endfor %}{% endfor %}{% endfor %}",
            {"rows": "x" * 52},
            "becomes more than",
        ),
    ],
)
def test_a_template_does_nothing_but_show_whatever_it_is_given(tmp_path: Path, source: str, context: Any, said: str) -> None:
    one = offers_of(tmp_path, source).find("shop/order")
    assert one is not None
    with pytest.raises(CannotRender) as refused:
        one.render(context)
    assert said in str(refused.value)


NUMBERS = [0] * 15_000
WORDS = ["ab"] * 4_000
LONG = "x" * 10_000


@pytest.mark.parametrize(
    ("source", "context"),
    [
        ("{{ a|join(b) }}", {"a": WORDS, "b": LONG}),
        ("{{ a|replace('x', b) }}", {"a": LONG, "b": LONG}),
        ("{{ a|map('replace', 'a', b)|list|length }}", {"a": WORDS, "b": LONG}),
        ("{{ a|map('default', b, true)|list }}", {"a": [""] * 5_000, "b": LONG}),
        ("{{ a|map(attribute='b', default=b)|list|string|length }}", {"a": [{}] * 5_000, "b": [{"c": LONG}]}),
        ("{{ a|sort(attribute=b)|length }}", {"a": [{"a": 1}] * 2_000, "b": ",".join("a" * 7_000)}),
        ("{% for b in a %}{% for c in a %}{% endfor %}{% endfor %}", {"a": NUMBERS}),
        ("{% for b in a %}{% if 1 in a %}{% endif %}{% endfor %}", {"a": NUMBERS}),
        ("{% for b in a %}{% if 1 is in a %}{% endif %}{% endfor %}", {"a": NUMBERS}),
        ("{{ a|select('in', a)|list|length }}", {"a": NUMBERS}),
        ("{% for b in a %}{% if a|sort|first %}{% endif %}{% endfor %}", {"a": NUMBERS}),
        ("{% for b in a %}{% if c|upper == b %}{% endif %}{% endfor %}", {"a": NUMBERS[:10_000], "c": LONG}),
        ("{% for b in a %}{% if c.count('y') %}{% endif %}{% endfor %}", {"a": NUMBERS[:10_000], "c": LONG}),
        ("{% for b in range(a) %}{% endfor %}", {"a": 90_000}),
    ],
)
def test_a_small_call_does_not_become_much_work(tmp_path: Path, source: str, context: Any) -> None:
    assert len(msgspec.json.encode(context)) <= MAX_CONTEXT_BYTES
    one = offers_of(tmp_path, source).find("shop/order")
    assert one is not None
    tracemalloc.start()
    try:
        with pytest.raises(CannotRender, match="too much is to be done with it"):
            one.render(context)
        assert 4_000_000 > tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "source", ["{% for b in a %}{{ b }}{% endfor %}{% for b in a %}{% endfor %}", "{{ a|map('abs')|join(' ') }}"]
)
def test_the_longest_list_may_be_shown(tmp_path: Path, source: str) -> None:
    one = offers_of(tmp_path, source).find("shop/order")
    assert one is not None
    assert 15_000 == one.render({"a": NUMBERS}).count("0")


@pytest.mark.parametrize(
    ("name", "source", "said"),
    [
        ("one", "{{ a|safe }}", "content/one.html: line 1: No filter named 'safe'"),
        ("one", "\n{{ a", "content/one.html: line 2: unexpected end of template"),
        ("one", "{% if b %}\n{{ a|center(b) }}{% endif %}", "line 2: No filter named 'center' is offered here; there are abs, "),
        ("one", "{{ a|attr('b') }}", "No filter named 'attr'"),
        ("one", "{{ a|batch(n, 'x') }}", "No filter named 'batch'"),
        ("one", "{{ a|indent(n) }}", "No filter named 'indent'"),
        ("one", "<b {{ a|xmlattr }}>", "No filter named 'xmlattr'"),
        ("one", "{{ a is callable }}", "No test named 'callable' is offered here; there are "),
        ("one", "{{ lipsum(n) }}", "lipsum() is not offered here; there is range()"),
        ("one", "{% set ns = namespace(a=1) %}", "namespace() is not offered here"),
        ("one", "{% set x.y = a %}", "NSRef is not offered here"),
        ("one", "{% set x %}{{ a }}{% endset %}", "AssignBlock is not offered here; there are `if`, `for`, `with` and `set x = …`"),
        ("one", "{% macro m() %}{% endmacro %}", "Macro is not offered here"),
        ("one", "{% filter upper %}{% endfilter %}", "FilterBlock is not offered here"),
        ("one", "{% block b %}{% endblock %}", "Block is not offered here"),
        ("one", "{% for a in b recursive %}{{ loop(b) }}{% endfor %}", "a recursive for is not offered here"),
        ("one", "{% autoescape false %}{{ a }}{% endautoescape %}", "escaping cannot be turned off"),
        ("one", "{% include 'card.html' %}", "must stand alone"),
        ("one", "{% extends parent %}", "must stand alone"),
        ("one", "{% from 'card.html' import x %}", "must stand alone"),
        ("One", "x", "a name of at most"),
        ("x" * (MAX_NAME_CHARS + 1), "x", "a name of at most"),
    ],
)
def test_a_template_that_is_not_safe_or_cannot_be_known_keeps_the_server_from_starting(
    settings: Settings, tmp_path: Path, name: str, source: str, said: str
) -> None:
    with pytest.raises(SettingsError, match="WSX_TEMPLATES") as refused:
        offers_of(tmp_path, source, name)
    assert said in str(refused.value)
    with pytest.raises(SettingsError):
        create_app(msgspec.structs.replace(settings, templates=str(tmp_path)))


async def test_a_template_of_the_site_takes_the_place_of_a_shipped_one(settings: Settings, tmp_path: Path) -> None:
    offers_of(tmp_path, "<b>{{ title }}</b>", "notice")
    async with (
        run_server(msgspec.structs.replace(settings, templates=str(tmp_path))) as server,
        ApiClient(server.url, ADMIN_KEY) as api,
        server.socket() as page,
    ):
        await api.post("/broadcasts", {"audience": EVERYONE, "target": "#a", **NOTICE})
        assert "<b>&lt;b&gt;Fish &amp; chips&lt;/b&gt;</b>" == (await page.next())["html"]
        assert 3 == len((await api.get("/templates")).json()["items"])
