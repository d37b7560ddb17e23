"""Origins: which pages may open sockets."""

import pytest

from app.auth.origins import Origins
from app.settings import SettingsError

LISTED = Origins(["https://shop.example", "http://dev.example:3000", "https://[2001:db8::1]"])


@pytest.mark.parametrize(
    ("origin", "scheme", "host"),
    [
        ("http://site.example", "ws", "site.example"),
        ("http://site.example", "ws", "site.example:80"),
        ("http://site.example:80", "ws", "site.example"),
        ("https://site.example", "wss", "site.example:443"),
        ("https://site.example", "wss", "sITE.example"),
        ("http://site.example.", "ws", "site.example."),
        ("https://xn--bcher-kva.example", "wss", "xn--bcher-kva.example"),
        ("http://[::1]:8000", "ws", "[::1]:8000"),
        ("http://127.0.0.1:8000", "ws", "127.0.0.1:8000"),
    ],
)
def test_pages_of_the_server_itself_may(origin, scheme, host):
    assert Origins(()).allow(origin, scheme=scheme, host=host) is True


@pytest.mark.parametrize(
    ("origin", "scheme", "host"),
    [
        ("https://evil.example", "ws", "site.example"),
        ("http://site.example:8001", "ws", "site.example:8000"),
        ("http://site.example", "wss", "site.example"),
        ("https://site.example", "ws", "site.example"),
        ("http://site.example.evil.example", "ws", "site.example"),
        ("http://evilsite.example", "ws", "site.example"),
        ("http://sub.site.example", "ws", "site.example"),
        ("http://site.example@evil.example", "ws", "site.example"),
        ("http://user@site.example", "ws", "site.example"),
        ("http://site.example/", "ws", "site.example"),
        ("http://site.example?", "ws", "other.example"),
        ("http://site.example?x", "ws", "site.example"),
        ("http://site.example#x", "ws", "site.example"),
        ("https://Site.Example", "wss", "site.example"),
        ("HTTP://site.example:8000", "ws", "site.example:8000"),
        ("http://site.example.", "ws", "site.example"),
        ("http://site.example", "ws", "site.example."),
        ("http://@site.example", "ws", "site.example"),
        ("http://site.example:", "ws", "site.example"),
        ("http://site.example:0", "ws", "site.example"),
        ("http://site.example:+80", "ws", "site.example"),
        ("http://site.example:٨٠", "ws", "site.example"),
        ("http://site.example?", "ws", "site.example"),
        ("http://site.example#", "ws", "site.example"),
        ("http://site.example\\.evil.example", "ws", "site.example"),
        ("http://si\tte.example", "ws", "site.example"),
        (" http://site.example", "ws", "site.example"),
        ("http://site.example\n", "ws", "site.example"),
        ("http://site.example http://evil.example", "ws", "site.example"),
        ("http://s\u0456te.example", "ws", "site.example"),
        ("http://b\u00fccher.example", "ws", "b\u00fccher.example"),
        ("http://xn--ste-rld.example", "ws", "site.example"),
        ("ws://site.example", "ws", "site.example"),
        ("//site.example", "ws", "site.example"),
        ("site.example", "ws", "site.example"),
        ("null", "ws", "site.example"),
        ("", "ws", ""),
        ("null", "ws", "null"),
        ("file://site.example", "ws", "site.example"),
        ("http://site.example:port", "ws", "site.example:port"),
        ("http://site.example:99999", "ws", "site.example:99999"),
        ("http://[::1", "ws", "[::1"),
        ("http://", "ws", ""),
    ],
)
def test_pages_from_elsewhere_may_not(origin, scheme, host):
    assert Origins(()).allow(origin, scheme=scheme, host=host) is False


@pytest.mark.parametrize(
    ("origin", "may"),
    [
        ("https://shop.example", True),
        ("https://SHOP.example:443", False),
        ("https://shop.example:443", True),
        ("http://dev.example:3000", True),
        ("https://[2001:db8::1]:443", True),
        ("http://shop.example", False),
        ("https://shop.example:8443", False),
        ("https://a.shop.example", False),
        ("https://shop.example.evil.example", False),
        ("http://dev.example", False),
        ("null", False),
    ],
)
def test_listed_origins_may_and_their_relatives_may_not(origin, may):
    assert may is LISTED.allow(origin, scheme="ws", host="127.0.0.1:8000")


@pytest.mark.parametrize("origin", ["https://evil.example", "null", ""])
def test_a_star_lets_all_in(origin):
    assert Origins(["*", "https://shop.example"]).allow(origin, scheme="ws", host="site.example") is True


@pytest.mark.parametrize(
    "origin", ["https://shop.example/", "shop.example", "null", "*.shop.example", "https://a:b", "ws://a.example", "https://a/x"]
)
def test_a_listed_one_that_is_no_origin_is_refused_by_name(origin):
    with pytest.raises(SettingsError) as refused:
        Origins(["https://good.example", origin])
    assert str(refused.value).startswith(f"WSX_ALLOWED_ORIGINS: {origin!r} is no origin")
