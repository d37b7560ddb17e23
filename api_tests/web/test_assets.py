"""The client as pages get it: small, packed for who takes it, and confirmed when it is known."""

import gzip

import httpx
import pytest

from api_tests.client import ApiClient
from api_tests.web.minified import minified
from app.web.assets import CLIENT, CLIENT_SOURCE, CLIENT_TYPES

MAX_BYTES = 8 * 1024
"""On a slow phone (400 kbit/s) a sixth of a second, before a page is live."""


async def _as_sent(api: ApiClient, path: str, **headers: str) -> tuple[httpx.Response, bytes]:
    async with api.http.stream("GET", path, headers=headers) as answer:
        return answer, b"".join([part async for part in answer.aiter_raw()])


async def test_the_client_is_small_enough_for_a_phone(api: ApiClient) -> None:
    answer, sent = await _as_sent(api, "/wsx.js", **{"Accept-Encoding": "br, gzip"})
    assert "gzip" == answer.headers["content-encoding"]
    assert len(sent) <= MAX_BYTES
    assert CLIENT.read_bytes() == gzip.decompress(sent)


def test_what_is_sent_is_made_from_the_source() -> None:
    assert minified(CLIENT_SOURCE) == CLIENT.read_text(), "run `make client` and commit what it writes"


@pytest.mark.parametrize("accepted", ["", "br", "identity", "gzip;q=0", "gzip; q=0.0, br"])
async def test_who_takes_no_gzip_gets_it_as_it_is(api: ApiClient, accepted: str) -> None:
    answer, sent = await _as_sent(api, "/wsx.js", **{"Accept-Encoding": accepted})
    assert ("content-encoding" not in answer.headers, CLIENT.read_bytes()) == (True, sent)
    assert "Accept-Encoding" == answer.headers["vary"]


async def test_each_form_is_confirmed_by_its_own_etag(api: ApiClient) -> None:
    etags = [(await _as_sent(api, "/wsx.js", **{"Accept-Encoding": coding}))[0].headers["etag"] for coding in ("gzip;q=0.5", "")]
    assert 2 == len(set(etags))
    for coding, known, status in (("gzip", etags[0], 304), ("", etags[1], 304), ("gzip", etags[1], 200)):
        answer, _ = await _as_sent(api, "/wsx.js", **{"Accept-Encoding": coding, "If-None-Match": known})
        assert status == answer.status_code


@pytest.mark.parametrize(("path", "is_packed"), [("/docs/swagger-ui.css", True), ("/docs/favicon-32x32.png", False)])
async def test_other_texts_are_packed_too(api: ApiClient, path: str, is_packed: bool) -> None:
    answer, sent = await _as_sent(api, path, **{"Accept-Encoding": "gzip"})
    plain = (await api.http.get(path, headers={"Accept-Encoding": "identity"})).content
    assert plain == (gzip.decompress(sent) if is_packed else sent)
    assert is_packed == ("content-encoding" in answer.headers) == ("vary" in answer.headers)


async def test_the_types_of_the_client_stand_beside_it(api: ApiClient) -> None:
    answer = await api.http.get("/wsx.d.ts")
    assert CLIENT_TYPES.read_text() == answer.text
    assert "text/plain; charset=utf-8" == answer.headers["content-type"]
