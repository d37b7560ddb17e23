"""What people see: lists that a page keeps by the messages that come, as a browser would; and the words of a refusal."""

import re
from collections.abc import Iterator
from typing import Any

from api_tests.client import SocketClient

XSS = "<img src=x onerror=alert(1)>"
ESCAPED = "&lt;img src=x onerror=alert(1)&gt;"
WRONG_TYPES = [5, None, [], {}, True]

_ITEM = re.compile(
    r'<div class="[^"]*" (?:data-message-id|id)="(?:announcement-|notification-)?([0-9a-f-]{36})">.*?</div>', re.DOTALL
)
_CONTENT = re.compile(r'<(?:span class="content"|span class="message"|p)>(.*?)</(?:span|p)>', re.DOTALL)


def fragments(message: Any) -> Iterator[Any]:
    """Each place that a message changes, in order."""
    for update in message.get("updates", [message]):
        if "target" in update:
            yield update
            yield from update.get("oob", ())


class Screen:
    """One list of a page, such as `#chat-messages`: the ids and the texts of its items, from top to bottom."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.items: list[tuple[str, str]] = []
        self.swaps: list[str] = []
        """How the list itself was changed, each time."""

    def apply(self, message: Any) -> None:
        for part in fragments(message):
            if part["target"] == self.target:
                self._change_list(part["swap"], _items(part["html"]))
            else:
                self._change_item(part)

    @property
    def ids(self) -> list[str]:
        return [item[0] for item in self.items]

    @property
    def texts(self) -> list[str]:
        return [item[1] for item in self.items]

    def _change_list(self, swap: str, items: list[tuple[str, str]]) -> None:
        self.swaps.append(swap)
        match swap:
            case "innerHTML":
                self.items = items
            case "beforeend":
                self.items += items
            case "afterbegin":
                self.items = items + self.items
            case _:
                raise AssertionError(swap)

    def _change_item(self, part: Any) -> None:
        place = next((at for at, item_id in enumerate(self.ids) if item_id in part["target"]), None)
        if place is not None:
            self.items[place : place + 1] = _items(part["html"]) if part["swap"] == "outerHTML" else []


async def refusal(page: SocketClient, handler: str, data: object = None) -> str:
    """What a person is told whose request is refused. A program is told so, too: its code is the last of `page.errors`."""
    page.errors.clear()
    answer = await page.ask(handler, data)
    assert 1 == len(page.errors), answer
    assert answer["html"].startswith('<div class="error">'), answer
    return answer["html"].removeprefix('<div class="error">').removesuffix("</div>")


async def refuses_wrong_data(page: SocketClient, handler: str, good: dict[str, object], *, optional: str = "") -> None:
    """Each field in turn is missing or has a value of another type; the refusal names it."""
    for field in good:
        without = {name: value for name, value in good.items() if name != field}
        if field != optional:
            assert f"This cannot be used: {field} is missing." == await refusal(page, handler, without)
        for wrong in WRONG_TYPES:
            assert f"This cannot be used: {field} " in await refusal(page, handler, {**good, field: wrong}), (field, wrong)
            assert "bad_data" == page.errors[-1]["code"]


def _items(html: str) -> list[tuple[str, str]]:
    items = [(found[1], _CONTENT.search(found[0])[1]) for found in _ITEM.finditer(html)]
    assert len(items) == html.count("<div"), html
    return items
