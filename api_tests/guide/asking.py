"""What the tests of the guide share: what a page is told whose request is refused."""

from api_tests.client import SocketClient

XSS = "<img src=x onerror=alert(1)>"
ESCAPED = "&lt;img src=x onerror=alert(1)&gt;"
WRONG_TYPES = [5, None, [], {}, True]


async def refusal(page: SocketClient, handler: str, data: object = None) -> str:
    """What a page is told whose request is refused; a program is told so, too."""
    page.errors.clear()
    answer = await page.ask(handler, data)
    assert ["error"] == [error["type"] for error in page.errors], answer
    assert answer["html"].startswith('<div class="error">'), answer
    return answer["html"].removeprefix('<div class="error">').removesuffix("</div>")


async def refuses_wrong_types(page: SocketClient, handler: str, good: dict[str, object]) -> None:
    """Each field in turn is missing, or has a value of another type; the refusal names it."""
    for field, value in good.items():
        without = {name: other for name, other in good.items() if name != field}
        assert f"{field} is missing" in await refusal(page, handler, without)
        for wrong in WRONG_TYPES:
            if type(wrong) is not type(value) and not (isinstance(value, float) and isinstance(wrong, int)):
                assert field in await refusal(page, handler, {**good, field: wrong}), (field, wrong)
