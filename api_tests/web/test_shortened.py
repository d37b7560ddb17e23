"""A script that is sent shorter does the same: what is text in it stays letter by letter, and no two words become one."""

import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_tests.npm import node, package
from app.web.assets import client_script
from app.web.shortened import UnreadableScriptError, shortened


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("// a\nlet a = 1; // b\n/* c\n d */ let b = 2;", "let a=1;let b=2;"),
        ("const f = (a, b) => {\n  return a;\n};\n", "const f=(a,b)=>{return a;};"),
        ("a()\nb()", "a()\nb()"),  # nothing but the line break ends the first
        ("if (a) {\n  b();\n}\nc()", "if(a){b();}\nc()"),
        ("typeof a in b instanceof c", "typeof a in b instanceof c"),
        ("a + +b - -c + ++d", "a+ +b- -c+ ++d"),
        ("5 .toFixed()", "5 .toFixed()"),
        ("a = 'x  //  y';", "a='x  //  y';"),
        ('a = "/* \\" */  " ;', 'a="/* \\" */  ";'),
        ("a = /[/'\"]  \\/ \\//gi . test(b)", "a=/[/'\"]  \\/ \\//gi.test(b)"),
        ("a = b / 2 / c; // d", "a=b/ 2/ c;"),
        ("(a) / b / c", "(a)/ b/ c"),
        ("return /  /.test(a)", "return/  /.test(a)"),
        ("a < /b  /.source", "a< /b  /.source"),
        ("`a  // ${ b ? `c  ${ d }  ` : '}' }  $ { // `  ;", "`a  // ${ b ? `c  ${ d }  ` : '}' }  $ { // `;"),
        ("`${ { a: { b } } }  `;  a", "`${ { a: { b } } }  `;a"),
        ("`\\`  ${a}`", "`\\`  ${a}`"),
        ("this . #a = #b in c", "this.#a=#b in c"),
        ("", ""),
    ],
)
def test_comments_and_spaces_go_and_the_rest_stays(source: str, expected: str) -> None:
    assert f"{expected}\n" == shortened(source)
    assert f"{expected}\n" == shortened(shortened(source))


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_no_string_is_touched(text: str) -> None:
    literal = json.dumps(text)
    template = "`" + text.replace("\\", "\\\\").replace("`", "\\`").replace("${", "\\${") + "`"
    assert f"f({literal},{template});\n" == shortened(f" f( {literal} , /* ' */ {template} ) ; // `")


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("\n'a\n'", "line 2: a string"),
        ("a = /b\n/", "line 1: a regular expression"),
        ("`a", "a template"),
        ("\n\n`${ a", "line 3: a template"),
    ],
)
def test_what_does_not_end_is_named_with_its_line(source: str, what: str) -> None:
    with pytest.raises(UnreadableScriptError, match=what):
        shortened(source)


@pytest.mark.parametrize("name", ["wsx", "idiomorph"])
def test_an_engine_reads_what_is_sent(tmp_path: Path, name: str) -> None:
    script = tmp_path / "short.js"
    if name == "wsx":
        script.write_bytes(client_script())
    else:
        script.write_text(shortened((package(name) / "dist" / "idiomorph.js").read_text()))
    checked = subprocess.run([node(), "--check", script], capture_output=True, text=True, check=False)
    assert "" == checked.stderr
