"""Where a key may write: the same text, or a plain id that begins so; and no way around it."""

import pytest

from app.auth.targets import beyond, check_target, is_entry, may_write
from app.kernel.errors import Forbidden

ALLOWED = frozenset({"#chat*", "#status", "[data-message-id='7']", "#log > li"})


@pytest.mark.parametrize(
    "target",
    ["#chat", "#chat-messages", "#chat_2", "#chatAB9", "#status", " #status\n", "\t#chat-1 ", "[data-message-id='7']", "#log > li"],
)
def test_what_is_listed_may_be_written_to(target):
    assert may_write(ALLOWED, target)
    check_target(ALLOWED, target)


@pytest.mark.parametrize(
    "target",
    [
        "body",
        "html",
        "*",
        "this",
        "",
        " ",
        "#cha",
        "#Chat",
        "#statu",
        "#status-bar",
        "#status,body",
        "#status, body",
        "#chat,body",
        "#chat *",
        "#chat*",
        "#chat-*",
        "#chat body",
        "#chat > *",
        "#chat+*",
        "#chat~*",
        "#chat:is(*)",
        "#chat:not(#chat)",
        "#chat:has(*)",
        "#chat-messages::before",
        "#chat.x",
        "#chat[x]",
        "#chat||td",
        "#chat\\2c body",
        "#chat\\,body",
        "\\23 chat",
        "#\\63hat",
        "#chat/**/,body",
        "#chat/*",
        "#chat\n,body",
        "#chat\nbody",
        "#chat\0",
        "\0#chat",
        "#chat\u00a0body",
        "\u00a0#chat",
        "\u2003#status",
        "\ufeff#chat",
        "#ch\u0430t",  # a Cyrillic a
        "#chat\u200b",
        "#chaté",
        "##chat",
        "body #chat",
        "body,#chat",
        ":root",
        ":is(body,#chat)",
        "[id^=chat]",
        "[data-message-id='8']",
        "[data-message-id='7'],body",
        "#log > li, body",
        "#log>li",
    ],
)
def test_what_is_not_listed_may_not_be_written_to_whatever_the_trick(target):
    assert not may_write(ALLOWED, target)
    with pytest.raises(Forbidden) as refused:
        check_target(ALLOWED, target)
    assert f"may not write to {target!r}; it may write to #chat*, #log > li, #status" in refused.value.detail


def test_a_key_without_a_list_may_write_everywhere():
    assert may_write(None, "body")


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("#chat", True),
        ("#chat*", True),
        ("#a-_9*", True),
        ("body", True),
        ("#a, #b", True),
        ("[class*='x']", True),
        ("", False),
        ("*", False),
        ("#*", False),
        ("body *", False),
        ("body*", False),
        ("#a b*", False),
        ("#a,#b*", False),
        ("#a**", False),
        (".chat*", False),
    ],
)
def test_a_star_stands_behind_the_beginning_of_an_id_and_nowhere_else(text, fits):
    assert fits == is_entry(text)


@pytest.mark.parametrize(
    ("wanted", "more"),
    [
        (["#chat*"], []),
        (["#chat-x*", "#chat1", "#status", "#log > li"], []),
        (["#cha*"], ["#cha*"]),
        (["#status*"], ["#status*"]),
        (["body", "#chat"], ["body"]),
        (None, ["*"]),
    ],
)
def test_a_list_gives_only_what_it_holds(wanted, more):
    assert more == beyond(ALLOWED, wanted)
    assert [] == beyond(None, wanted)
