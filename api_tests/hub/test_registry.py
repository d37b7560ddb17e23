"""The registry: counts that are right, and indexes that leave nothing behind."""

from api_tests.hub.recording import make_hub, tab
from app.hub.audience import everyone, signed_in, users


def test_tabs_come_and_go_and_nothing_stays():
    hub = make_hub()
    tabs = [tab(hub, f"user-{number % 50}", "admin", f"role-{number}") for number in range(100)]
    assert (100, 50, 2) == (len(hub.registry), hub.registry.user_count(), len(hub.registry.of_user("user-7")))
    for one in tabs:
        assert hub.registry.remove(one.connection)
        assert not hub.registry.remove(one.connection)
    assert (0, 0) == (len(hub.registry), hub.registry.user_count())
    assert (0, 0) == (len(hub.registry._users), len(hub.registry._roles))  # words of users who left would fill the memory
    assert not hub.registry.resolve(signed_in)


def test_asking_for_an_unknown_word_leaves_nothing_behind():
    hub = make_hub()
    tab(hub, "ada")
    assert not hub.registry.resolve(users("nobody", "never"))
    assert 1 == len(hub.registry._users)
    hub.registry._users.discard("nobody", next(iter(hub.registry)))
    assert 1 == len(hub.registry._users)


def test_connections_are_listed_oldest_first():
    hub = make_hub()
    opened = [tab(hub).connection for _ in range(3)]
    assert opened == list(hub.registry)
    assert opened == list(hub.registry.resolve(everyone))
    assert opened[1] is hub.registry.get(opened[1].id)
    assert hub.registry.get("gone") is None
