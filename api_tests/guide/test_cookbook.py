"""Every block of `docs/rest-cookbook.md` is run as it stands, in its language, against a real server; pages hear what it says."""

import asyncio
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Final

import pytest

from api_tests.client import SocketClient
from api_tests.guide.pages import ROOT
from api_tests.missing import missing
from api_tests.server import ADMIN_KEY, Running

TEXT: Final = (ROOT / "docs" / "rest-cookbook.md").read_text()
RECIPES: Final = 10
COMMANDS: Final = {"sh": ("bash", "-eu", "-o", "pipefail"), "python": (sys.executable,), "js": ("node", "--input-type=module", "-")}
NEEDED: Final = {"sh": "curl", "python": sys.executable, "js": "node"}
SAID: Final = [
    ("#global-status", "Back in five minutes"),
    ("#cart", "2 items"),
    ("#announcements", "Free coffee in the kitchen"),
    ("#announcement-…", ""),
    ("#notifications", "Order 1042 was paid"),
    ("#chat-messages", "How can we help?"),
    ("#status", "Order 1042 is on its way"),
    ("#order", "Yours!"),
]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def test_each_recipe_is_there_in_each_language() -> None:
    assert RECIPES == len(re.findall(r"^## \d+\. ", TEXT, re.MULTILINE))
    assert [RECIPES + 1] * len(COMMANDS) == [len(blocks(language)) for language in COMMANDS]  # and the setup


async def run(language: str, server: Running, tmp_path: Path) -> list[str]:
    """The lines that the recipes of a language print, one program after the other in one."""
    if not shutil.which(NEEDED[language]):
        missing(f"{NEEDED[language]} is missing: apt install {NEEDED[language]}")
    script = tmp_path / "script"
    script.write_text("\n".join(blocks(language)))
    with script.open() as given:
        process = await asyncio.create_subprocess_exec(
            *COMMANDS[language],
            env={"PATH": os.environ["PATH"], "KEY": ADMIN_KEY, "SERVER": server.url},
            stdin=given,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
    assert 0 == process.returncode, output.decode()
    return output.decode().splitlines()


async def heard(page: SocketClient) -> list[tuple[str, str]]:
    """Where the page was told what, in plain words, in the order of the cookbook."""
    told = []
    while len(told) < len(SAID):
        message = await page.next()
        for update in message.get("updates", [message]):
            target = re.sub(r"announcement-[\w-]+", "announcement-…", update["target"])
            words = [words for place, words in SAID if place == target and words in update["html"]]
            told += [(target, word) for word in words]
    return told


@pytest.mark.parametrize("language", COMMANDS)
async def test_the_recipes_of_each_language_do_what_they_say(server: Running, tmp_path: Path, language: str) -> None:
    async with server.socket("ada", name="Ada") as ada, server.socket("bob") as bob, server.socket():
        await ada.ask("join-room", {"roomId": "support"})
        printed = await run(language, server, tmp_path)
        assert SAID == await heard(ada)
        assert (4409, "Your account was closed") == await bob.closed()
    output = "\n".join(printed)
    assert re.search(r"(^|\n)(.*\D)?2\n", output)  # signed-in pages would have heard
    assert "\n1\n" in f"\n{output}\n"  # one notification, though it was sent twice
    assert "How can we help?" in output
    assert "\nada\nbob\n" in f"\n{output}\n"
    token = next(line for line in printed if line.startswith("ey"))
    async with SocketClient(f"ws://127.0.0.1:{server.port}", token=token) as page:
        assert page.hello["type"] == "hello"
