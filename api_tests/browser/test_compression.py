"""A real browser and compressed messages: it always offers them, so this is how every page talks."""

from typing import Any

from playwright.async_api import Page, expect

from api_tests.browser.town import Town, is_live, join, say
from api_tests.client import ApiClient
from api_tests.server import ADMIN_KEY, Running
from app.wire.deflate import negotiate

ROWS = "".join(f"<tr class='order'><td>Grüße {number}</td><td>{number * 17} €</td></tr>" for number in range(200))


async def test_a_page_hears_and_says_over_a_compressed_socket(town: Town, server: Running) -> None:
    ada = await town.visit("Ada")
    answers = await answers_to_handshakes(ada)
    await ada.reload()
    await is_live(ada)
    assert [negotiate("permessage-deflate")] == [answer["Sec-WebSocket-Extensions"] for answer in answers]

    async with ApiClient(server.url, ADMIN_KEY) as api:
        for count in (200, 400):
            await api.broadcast(f"<table>{ROWS * (count // 200)}</table>", "#global-status")
            await expect(ada.locator("#global-status .order")).to_have_count(count)
    await expect(ada.locator("#global-status .order").nth(199)).to_have_text("Grüße 1993383 €")
    await join(ada, "Lobby")
    await say(ada, "a long sentence, " * 50)
    await expect(ada.locator("#chat-messages .content")).to_have_text("a long sentence, " * 50)
    assert all(socket._compresses for socket in server.uvicorn.server_state.connections if hasattr(socket, "_compresses"))


async def answers_to_handshakes(page: Page) -> list[dict[str, Any]]:
    """The headers of the answers to the page's sockets, as the browser saw them, from now on."""
    found: list[dict[str, Any]] = []
    devtools = await page.context.new_cdp_session(page)
    devtools.on("Network.webSocketHandshakeResponseReceived", lambda event: found.append(event["response"]["headers"]))
    await devtools.send("Network.enable")
    return found
