"""What `make autobahn` stands on: the echo answers, and no report is read as better than it is."""

import json
from pathlib import Path

import pytest

from api_tests.conformity.autobahn import fuzz, version_of
from api_tests.conformity.echo import ATTACHED, DETACHED, echo
from api_tests.conformity.tables import is_accepted, judged, not_ok, table
from api_tests.conformity.verdict import Case, Verdict, claimed_bytes, read_cases
from api_tests.serving.raw import Frame, frame, serving
from api_tests.waiting import eventually

TEXT, BINARY = 1, 2
LIMIT = 65_536


def case(number: str = "1.1.1", behavior: str = "OK", closing: str = "OK", **more: object) -> Case:
    return Case(
        **{"agent": "detached", "close_code": 1000, "was_clean": True, "message_bytes": 0} | more,
        number=number,
        behavior=behavior,
        closing=closing,
    )


@pytest.mark.parametrize("path", [ATTACHED, DETACHED])
async def test_a_message_comes_back_as_what_it_was(path: str):
    async with serving(echo, lifespan="on", ws_max_size=2**22) as server, server.peer() as peer:
        await peer.open(path)
        peer.send(frame(TEXT, "é".encode()) + frame(BINARY, b"\x00\xff"))
        assert [Frame(TEXT, "é".encode()), Frame(BINARY, b"\x00\xff")] == [await peer.frame(), await peer.frame()]
        peer.send(frame(BINARY, b"x" * 2**22))
        opcode, payload = await peer.frame()
        assert (BINARY, 2**22, {ord("x")}) == (opcode, len(payload), set(payload))


async def test_a_detached_echo_that_is_not_taken_comes_whole_and_is_followed_by_the_next():
    async with serving(echo, lifespan="on", ws_max_size=2**24, ws_ping_interval=3600) as server, server.peer() as peer:
        await peer.open(DETACHED)
        peer.stop_reading()
        peer.send(frame(BINARY, bytes(2**24)) + frame(TEXT, b"after"))
        await eventually(lambda: server.sockets[0].blocked)
        peer.read_on()
        opcode, payload = await peer.frame()
        assert (BINARY, 2**24, {0}) == (opcode, len(payload), set(payload))
        assert Frame(TEXT, b"after") == await peer.frame()


@pytest.mark.parametrize(
    ("description", "size"),
    [
        ("Send text message message with payload of length 256 * 2**10 (256k).", 2**18),
        ("Send fragmented text message message with message payload of length 4 * 2**20 (4M). Sent out in fragments of 64.", 2**22),
        ("Send 1000 compressed messages each of payload size 131072, auto-fragment to 256 octets.", 131_072),
        ("Send text message with payload of length 125.", 0),
    ],
)
def test_a_description_says_how_large_the_message_is(description: str, size: int):
    assert size == claimed_bytes(description)


@pytest.mark.parametrize(
    ("went", "verdict"),
    [
        (case(), Verdict.OK),
        (case(behavior="NON-STRICT"), Verdict.NON_STRICT),
        (case(closing="INFORMATIONAL"), Verdict.INFORMATIONAL),
        (case(behavior="UNIMPLEMENTED"), Verdict.UNIMPLEMENTED),
        (case(closing="UNCLEAN"), Verdict.FAILED),
        (case(behavior="a word of tomorrow"), Verdict.FAILED),
        (case(behavior="FAILED", close_code=1009, message_bytes=LIMIT + 1), Verdict.OVER_LIMIT),
        (case(behavior="FAILED", close_code=1009, message_bytes=LIMIT), Verdict.FAILED),
        (case(behavior="FAILED", close_code=1009, message_bytes=LIMIT + 1, was_clean=False), Verdict.FAILED),
        (case(behavior="FAILED", close_code=1002, message_bytes=LIMIT + 1), Verdict.FAILED),
    ],
)
def test_a_verdict_is_the_worse_of_both_words_and_1009_is_right_only_for_what_is_too_large(went: Case, verdict: Verdict):
    assert verdict is went.verdict(LIMIT)


@pytest.mark.parametrize(
    ("went", "accepted"),
    [
        (case("6.4.1"), True),
        (case("6.4.1", "NON-STRICT"), True),
        (case("6.3.1", "NON-STRICT"), False),
        (case("3.2", "NON-STRICT"), False),
        (case("3.2", "NON-STRICT", agent="attached"), True),
        (case("6.4.1", "FAILED"), False),
    ],
)
def test_what_is_not_explained_is_not_accepted(went: Case, accepted: bool):
    (found,) = judged([went], LIMIT)
    assert accepted is is_accepted(found)


def test_the_table_counts_each_agent_and_every_case_that_is_not_ok_is_named():
    found = judged(
        [
            case("6.3.1"),
            case("6.3.1", agent="attached"),
            case("6.4.1", "NON-STRICT"),
            case("6.4.1", agent="attached"),
            case("10.1.1", "FAILED"),
        ],
        LIMIT,
    )
    assert [
        "| group | cases | OK | non-strict | failed |",
        "| --- | --- | --- | --- | --- |",
        "| 6 UTF-8 | 2 | 2 / 1 | 0 / 1 | 0 |",
        "| 10 automatic fragments | 0 / 1 | 0 | 0 | 0 / 1 |",
        "| all | 2 / 3 | 2 / 1 | 0 / 1 | 0 / 1 |",
    ] == table(found).split("\n")
    first, second = not_ok(found)
    assert first.startswith("- non-strict, detached: 6.4.1. Invalid UTF-8")
    assert "- failed, detached: 10.1.1. Not explained." == second


def test_numbers_that_follow_each_other_are_a_range():
    numbers = ("3.2", "6.4.1", "6.4.2", "6.4.4", "9.1.9", "9.1.10", "9.1.11", "9.2.12")
    cases = [case(number, "FAILED") for number in numbers]
    (line,) = not_ok(judged(cases, LIMIT) + judged(cases[2:], 2 * LIMIT))
    assert "- failed, detached: 3.2, 6.4.1-2, 6.4.4, 9.1.9-11, 9.2.12. Not explained." == line


def report(folder: Path, number: str, description: str = "Send a message.") -> None:
    said = {"agent": "attached", "id": number, "behavior": "OK", "behaviorClose": "OK", "remoteCloseCode": 1000, "wasClean": True}
    name = f"attached_case_{number.replace('.', '_')}.json"
    (folder / name).write_text(json.dumps(said | {"description": description}))


def test_reports_are_read_in_autobahns_order(tmp_path: Path):
    for number in ("10.1.1", "2.10", "2.9"):
        report(tmp_path, number)
    assert ["2.9", "2.10", "10.1.1"] == [found.number for found in read_cases([tmp_path])]


def test_a_text_that_is_not_ascii_has_more_bytes_than_characters(tmp_path: Path):
    for number in ("12.1.9", "12.4.9"):
        report(tmp_path, number, "Send 1000 compressed messages each of payload size 65536")
    assert [65_536, 65_537] == [found.message_bytes for found in read_cases([tmp_path])]


async def test_a_fuzzer_that_leaves_no_report_is_no_success(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "attached_case_1_1.json").write_text("of an earlier run")
    with pytest.raises(SystemExit):
        await fuzz("true", 1, "1.*", tmp_path)
    assert "no report of 1.*" in capsys.readouterr().err


def test_a_missing_fuzzer_is_told_with_what_to_do(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        version_of("no-such-wstest")
    assert "make autobahn WSTEST=" in capsys.readouterr().err
