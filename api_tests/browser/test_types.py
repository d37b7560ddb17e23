"""The types that stand beside the client: a page in TypeScript that uses all of it compiles, and one with mistakes does not."""

import subprocess
from pathlib import Path

from api_tests.npm import node, package
from app.web.assets import CLIENT_TYPES

RIGHT = """
/// <reference path="wsx.d.ts" />
WSX.on("greet", (event, element) => { element.textContent = event.type; });
const own = new WSX({ url: "/ws", debug: true, keepAlive: true, timeoutMs: 1_000, maxMessageBytes: 1_000 });
own.on("bye", () => {});
async function ask(): Promise<string> {
  const answer = await wsx.send("like", { post: 7 }, { target: "#likes", swap: "beforeend scroll:bottom" });
  await wsx.send("like", {}, "#likes");
  await window.wsx.trigger("#like");
  await own.trigger(document.body, { post: 8 });
  return answer.html ?? answer.oob?.[0]?.target ?? "";
}
document.addEventListener("wsx:beforeSwap", ({ detail }) => {
  detail.html = detail.isOOB ? "" : detail.message.id ?? detail.update.html;
});
document.addEventListener("wsx:error", ({ detail: { code, id } }) => console.log(code.length, id?.length));
document.body.addEventListener("wsx:beforeRequest", (event) => { event.detail.request.data.more = event.detail.element?.id; });
document.addEventListener("wsx:gap", ({ detail }) => detail.targets.map((target) => target.length));
document.addEventListener("wsx:disconnected", ({ detail }) => detail.code + detail.reason.length + Number(detail.willReconnect));
if (wsx.isConnected() && wsx.connectionId !== null) { wsx.disconnect(); wsx.connect(); wsx.reconnect(); }
ask().then((html) => html.length);
"""
MISTAKES = {
    'wsx.send("like", {}, { swap: "innerHtml" });': "innerHtml",
    "new WSX({ uri: '/ws' });": "uri",
    'wsx.connectionId = "mine";': "connectionId",
    'document.addEventListener("wsx:error", ({ detail }) => detail.message);': "message",
}


def compile_page(tmp_path: Path, source: str) -> str:
    (tmp_path / "wsx.d.ts").write_text(CLIENT_TYPES.read_text())
    (tmp_path / "page.ts").write_text(source)
    tsc = package("typescript") / "bin" / "tsc"
    options = ("--noEmit", "--strict", "--target", "es2022", "--lib", "es2022,dom,dom.iterable")
    return subprocess.run([node(), tsc, *options, "page.ts"], cwd=tmp_path, capture_output=True, text=True, check=False).stdout


def test_a_page_that_uses_all_of_the_client_compiles_and_mistakes_do_not(tmp_path: Path) -> None:
    assert "" == compile_page(tmp_path, RIGHT)
    wrong = '/// <reference path="wsx.d.ts" />\n' + "\n".join(MISTAKES)
    complaints = compile_page(tmp_path, wrong).splitlines()
    assert len(MISTAKES) == sum(line.startswith("page.ts") for line in complaints)
    for number, word in enumerate(MISTAKES.values(), 2):
        assert any(f"({number}," in line and word in line for line in complaints), word
