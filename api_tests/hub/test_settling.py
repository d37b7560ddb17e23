"""Followers and friends: looked up once, when something is published, and only those who are connected are named."""

from collections import defaultdict
from collections.abc import Collection

import pytest

from api_tests.hub.recording import make_hub, tab, turns
from app.hub import publication
from app.hub.audience import (
    MAX_DEPTH,
    AllOf,
    AnyOf,
    Audience,
    Except,
    Users,
    everyone,
    followers_of,
    friends_of,
    hears,
    nobody,
    rooms,
    signed_in,
    users,
)
from app.hub.hub import Hub
from app.hub.publication import Part, Publication, one
from app.hub.settling import is_settled, settled
from app.kernel.errors import Unavailable
from app.wire.update import Update


class FakeFollows:
    """A `Follows` in memory."""

    def __init__(self, *pairs: tuple[str, str]) -> None:
        self.following: defaultdict[str, set[str]] = defaultdict(set)
        self.asked: list[str] = []
        self.is_away = False
        for follower, followee in pairs:
            self.following[follower].add(followee)

    async def followers_of(self, user_id: str) -> Collection[str]:
        self._note(user_id)
        return sorted(follower for follower, followed in self.following.items() if user_id in followed)

    async def friends_of(self, user_id: str) -> Collection[str]:
        self._note(user_id)
        return sorted(one for one in self.following[user_id] if user_id in self.following[one])

    def _note(self, user_id: str) -> None:
        if self.is_away:
            raise Unavailable("the database is away")
        self.asked.append(user_id)


def make() -> tuple[Hub, FakeFollows]:
    """Bob, Cleo and Dora follow Ada; Ada follows Bob and Dora. Dora is not connected, Emil knows nobody."""
    follows = FakeFollows(("bob", "ada"), ("cleo", "ada"), ("dora", "ada"), ("ada", "bob"), ("ada", "dora"))
    hub = make_hub(follows=follows)
    for user_id in ("ada", "bob", "bob", "cleo", "emil", None):
        page = tab(hub, user_id)
        if user_id in {"ada", "cleo"}:
            hub.registry.join(page.connection, "lobby")
    return hub, follows


async def names(hub: Hub, audience: Audience) -> list[str]:
    """Who is found, with one word for each connection."""
    return sorted(connection.user.id if connection.user else "-" for connection in await hub.find(audience))


CASES = [
    (followers_of("ada"), ["bob", "bob", "cleo"]),
    (friends_of("ada"), ["bob", "bob"]),
    (followers_of("emil"), []),
    (friends_of("unknown"), []),
    (AnyOf((followers_of("bob"), friends_of("ada"))), ["ada", "bob", "bob"]),
    (AllOf((rooms("lobby"), followers_of("ada"))), ["cleo"]),
    (Except(followers_of("ada"), friends_of("ada")), ["cleo"]),
    (Except(everyone, followers_of("ada")), ["-", "ada", "emil"]),
    (AllOf((signed_in, AnyOf((Except(followers_of("ada"), rooms("lobby")), users("emil"))))), ["bob", "bob", "emil"]),
]


@pytest.mark.parametrize(("audience", "who"), CASES)
async def test_each_is_found_and_hears(audience: Audience, who: list[str]):
    hub, _ = make()
    assert who == await names(hub, audience)
    receipt = await hub.publish(one(audience, Update("#a", "x")))
    assert (len(who), len(who)) == receipt[1:]


async def test_the_journal_names_the_users_who_are_connected():
    hub, follows = make()
    head = hub.journal.head()
    told = Publication("p", (Part(followers_of("ada"), Update("#a", "1")), Part(everyone, Update("#a", "2"))), is_batch=True)
    assert "p" == (await hub.publish(told)).id
    (entry,) = await hub.journal.read(head, 10)
    said = publication.decode(entry.payload)
    assert [Users(frozenset({"bob", "cleo"})), everyone] == [part.audience for part in said.parts]
    assert (told.id, True, ["1", "2"]) == (said.id, said.is_batch, [part.update.html for part in said.parts])
    assert ["ada"] == follows.asked


async def test_whoever_follows_a_moment_later_hears_the_next_one():
    hub, follows = make()
    emil = tab(hub, "emil")
    for word in ("first", "second"):
        await hub.publish(one(followers_of("ada"), Update("#a", word, "beforeend")))
        follows.following["emil"].add("ada")
    await turns()
    assert ["second"] == emil.heard


async def test_the_database_is_not_asked_about_what_stands_in_the_registry():
    hub, follows = make()
    audience = AllOf((everyone, Except(AnyOf((users("ada"), rooms("lobby"))), users("cleo"))))
    assert is_settled(audience)
    assert audience is await hub.settle(audience)
    assert ["ada"] == await names(hub, audience)
    await hub.publish(one(audience, Update("#a", "x")))
    assert [] == follows.asked


async def test_when_the_database_is_away_nothing_is_published_and_the_caller_knows():
    hub, follows = make()
    head = hub.journal.head()
    follows.is_away = True
    with pytest.raises(Unavailable):
        await hub.publish(one(AnyOf((everyone, friends_of("ada"))), Update("#a", "x")))
    with pytest.raises(Unavailable):
        await hub.find(friends_of("ada"))
    assert head == hub.journal.head()
    assert 1 == (await hub.publish(one(users("ada"), Update("#a", "x")))).matched


@pytest.mark.parametrize("audience", [followers_of("ada"), friends_of("ada")])
async def test_a_hub_without_a_database_knows_no_followers(audience: Audience):
    hub = make_hub()
    tab(hub, "ada")
    assert nobody == await hub.settle(audience)
    assert () == await hub.find(audience)


async def test_forty_thousand_followers_fit_also_into_the_deepest_audience():
    ids = [f"user-{number}" for number in range(40_000)]
    deepest: Audience = followers_of("star")
    for _ in range(MAX_DEPTH - 3):
        deepest = AllOf((deepest,))
    follows = FakeFollows(*((user_id, "star") for user_id in ids))
    hub = make_hub()
    last, other = tab(hub, ids[-1]).connection, tab(hub, "other").connection
    found = await settled(deepest, follows, lambda user_ids: user_ids - {"user-0"})
    assert publication.decode(publication.encode(one(found, Update("#a", "x"))))
    assert [last] == list(hub.registry.resolve(found))
    assert [True, False] == [hears(connection, found) for connection in (last, other)]


def travels(audience: Audience) -> int:
    return len(publication.encode(one(audience, Update("#a", "x"))))


async def test_without_those_who_are_absent_the_same_hear_and_a_thousandth_travels():
    hub = make_hub()
    ada, bob, eve = (tab(hub, name).connection for name in ("ada", "bob", "eve"))
    kept = users(*(f"user-{number}" for number in range(100_000)), "ada", "bob")
    for audience, hearers in (
        (kept, {ada, bob}),
        (AnyOf((kept, users("nobody"), users("eve"))), {ada, bob, eve}),
        (AllOf((everyone, kept)), {ada, bob}),
        (Except(everyone, kept), {eve}),
        (Except(kept, users("bob", "nobody")), {ada}),
    ):
        small = hub.reach.without_absent(audience)
        assert hearers == set(hub.registry.resolve(small))
        assert travels(small) < travels(audience) / 300
    assert everyone is hub.reach.without_absent(everyone)
    assert nobody == hub.reach.without_absent(users("gone"))


async def test_a_million_absent_ones_of_the_widest_audience_can_be_left_out():
    hub = make_hub()
    one_each = AnyOf(tuple(AnyOf(tuple(users(f"user-{place}-{number}") for number in range(32))) for place in range(32)))
    for audience in (one_each, AllOf((everyone, one_each)), users(*map(str, range(1_000_000)))):
        assert not hub.registry.resolve(hub.reach.without_absent(audience))
