"""The examples of the page guide, as its readers see them: each is a page of its own."""

import re
from pathlib import Path
from typing import Any

from api_tests.browser.scripted import Peer

TEXT = (Path(__file__).parents[2] / "docs" / "client.md").read_text()
POLICY = "default-src 'none'; script-src 'self'; connect-src 'self'"


def blocks(language: str) -> dict[str, str]:
    """What stands between the fences of this language, by the name behind it."""
    return dict(re.findall(rf"^```{language} (\S+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL))


def page_of(name: str) -> str:
    """A whole page: the example, and what each page has."""
    example = blocks("html")[name]
    if "<body" in example:
        return f"<!doctype html>{example}"
    listeners = "<script src='/listeners.js'></script>" if name in blocks("js") else ""
    return f"<!doctype html><script src='/wsx.js'></script>{listeners}<body wx-config='/ws'>{example}</body>"


async def answer_next(peer: Peer, html: str = "", **more: Any) -> dict[str, Any]:
    """Answer the next request; what it was."""
    request = await peer.asked()
    await peer.answer(request, html, **more)
    return request
