"""A script with short names does the same: what it declares has other names everywhere, and all else stays letter by letter."""

import subprocess
from pathlib import Path

import pytest

from api_tests.npm import node
from app.web.assets import CLIENT, client_script
from app.web.short_names import with_short_names
from app.web.shortened import UnreadableScriptError


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("let count = 0; count++;", "let a = 0; a++;"),
        ("const one = 1, more = one;", "let a = 1, more = a;"),
        ("function twice(x) { return once(x); }\nfunction once() {}", "function b(x) { return a(x); }\nfunction a() {}"),
        ("let long = 1; let rare; long + long + rare", "let a = 1; let b; a + a + b"),
        ("let a = 1; let long = a;", "let a = 1; let b = a;"),
        ("let name = 1; window.name = name;", "let name = 1; window.name = name;"),
        ("let key = 1; f({ key: key });", "let key = 1; f({ key: key });"),
        ("let part = 1; f({ part });", "let part = 1; f({ part });"),
        ("let part = 1; f({ x, part });", "let part = 1; f({ x, part });"),
        ("let part = 1; f(({ part = 2 }) => 0);", "let part = 1; f(({ part = 2 }) => 0);"),
        ("let item = 1; f(x, item, [x, item]);", "let a = 1; f(x, a, [x, a]);"),
        ("let method = 1; f({ x, method(y) { } });", "let method = 1; f({ x, method(y) { } });"),
        ("let ask = () => 0; if (ask()) { ask(); }", "let a = () => 0; if (a()) { a(); }"),
        ("let text = 1; f(`text`, '${other}', /other/); let other;", "let text = 1; f(`text`, '${other}', /other/); let a;"),
        ("let used = 1; f(`${a}`);", "let b = 1; f(`${a}`);"),
        ("x.const = 1; const long = 1;", "x.const = 1; const a = 1;"),
        ("let xy = alert;", "let xy = alert;"),
        ("let last", "let a"),
        ("", ""),
    ],
)
def test_what_is_declared_has_another_name_unless_it_may_be_more_than_a_variable(source: str, expected: str) -> None:
    assert expected == with_short_names(source)


def test_no_name_is_a_word_of_the_language(tmp_path: Path) -> None:
    many = "".join(f"let name{number} = {number};\n" for number in range(3_000))
    short = with_short_names(many)
    (tmp_path / "many.js").write_text(f'"use strict";{short}')
    assert 2_800 > short.count("let name") > 0, "there are so many short ones, and no more"
    checked = subprocess.run([node(), "--check", tmp_path / "many.js"], capture_output=True, text=True, check=False)
    assert "" == checked.stderr


def test_what_does_not_end_is_named() -> None:
    with pytest.raises(UnreadableScriptError, match="line 2: a string"):
        with_short_names("let one;\n'two")


def test_the_client_is_sent_so() -> None:
    assert "function milliseconds(" in CLIENT.read_text()
    assert b"milliseconds" not in client_script()
