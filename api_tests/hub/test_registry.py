"""The registry: counts that are right, and indexes that leave nothing behind."""

from api_tests.hub.recording import make_hub, tab
from app.hub.audience import everyone, near, roles, rooms, signed_in, users
from app.hub.geometry import MAX_RADIUS_KM, Place, distance_km
from app.kernel.identity import User

BERLIN = Place(52.52, 13.405, "Berlin")
PARIS = Place(48.8566, 2.3522, "Paris")


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


def test_a_user_is_connected_while_there_is_a_tab():
    hub = make_hub()
    one, other = tab(hub, "ada"), tab(hub, "ada")
    hub.registry.remove(one.connection)
    assert (True, False) == (hub.registry.is_connected("ada"), hub.registry.is_connected("bob"))
    hub.registry.remove(other.connection)
    assert not hub.registry.is_connected("ada")


def test_a_socket_that_has_ended_is_no_open_one_though_its_end_was_not_told_yet():
    hub = make_hub()
    one = tab(hub, "ada")
    tab(hub, "ada")
    tab(hub, "bob")
    one.sink.abort()
    assert (2, 1) == (len(hub.registry.of_user("ada")), hub.registry.open_sockets_of("ada"))


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


def test_rooms_are_joined_and_left_and_nothing_stays():
    hub = make_hub()
    ada, bob = tab(hub, "ada").connection, tab(hub, "bob").connection
    assert () == ada.rooms
    for room_id in ("lobby", "kitchen", "lobby"):
        hub.registry.join(ada, room_id)
    hub.registry.join(bob, "lobby")
    assert ["kitchen", "lobby"] == list(ada.rooms)  # the one that was joined last is the last
    assert ({ada, bob}, {ada}) == (set(hub.registry.in_room("lobby")), set(hub.registry.in_room("kitchen")))
    hub.registry.leave(ada, "lobby")
    hub.registry.leave(ada, "never joined")
    hub.registry.leave(tab(hub).connection, "lobby")
    assert (["kitchen"], {bob}) == (list(ada.rooms), set(hub.registry.in_room("lobby")))
    hub.registry.remove(ada)
    hub.registry.remove(bob)
    assert ([], [], 0) == (list(ada.rooms), list(hub.registry.in_room("kitchen")), len(hub.registry._rooms))


def test_who_moves_is_found_where_it_is_now_and_nothing_stays():
    hub = make_hub()
    ada, bob = tab(hub, "ada").connection, tab(hub, "bob").connection
    hub.registry.locate(ada, BERLIN)
    hub.registry.locate(bob, BERLIN)
    assert {ada, bob} == set(hub.registry.resolve(near(52.5, 13.4, 10)))
    hub.registry.locate(ada, PARIS)
    assert ([bob], [ada]) == (hub.registry.resolve(near(52.5, 13.4, 10)), hub.registry.resolve(near(48.85, 2.35, 1)))
    assert (PARIS, 2) == (ada.place, len(hub.registry._places))
    hub.registry.remove(ada)
    hub.registry.remove(bob)
    assert (None, 0, []) == (ada.place, len(hub.registry._places), hub.registry.resolve(near(0, 0, MAX_RADIUS_KM)))


def test_a_circle_ends_where_it_ends():
    hub = make_hub()
    page = tab(hub).connection
    hub.registry.locate(page, Place(52.52, 13.405))
    km = distance_km(52.6, 13.5, page.place)
    assert [[page], []] == [hub.registry.resolve(near(52.6, 13.5, radius_km)) for radius_km in (km, km - 0.001)]


def test_signing_in_again_brings_the_roles_of_today():
    hub = make_hub()
    page = tab(hub, "ada", "admin", "author").connection
    assert hub.registry.sign_in(page, User("ada", "Ada", frozenset({"author", "premium"})))
    assert [False, True, True] == [page in hub.registry.resolve(roles(role)) for role in ("admin", "author", "premium")]
    assert (1, 2) == (hub.registry.user_count(), len(hub.registry._roles))


def test_a_connection_that_is_gone_is_nowhere_however_late_its_handler_ends():
    hub = make_hub()
    gone = tab(hub, "ada").connection
    hub.registry.locate(gone, BERLIN)
    hub.registry.remove(gone)
    hub.registry.join(gone, "lobby")
    hub.registry.locate(gone, BERLIN)
    assert not hub.registry.sign_in(gone, User("bob", "Bob", frozenset({"admin"})))
    assert ([], None, "ada") == (list(gone.rooms), gone.place, gone.user.id)
    for audience in (rooms("lobby"), near(52.5, 13.4, 10), users("bob", "ada"), roles("admin"), signed_in):
        assert not hub.registry.resolve(audience)
