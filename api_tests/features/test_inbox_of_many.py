"""A user with more to be read than one transaction marks."""

import pytest

from api_tests.db.beside import rows
from api_tests.features.bare import bare_services
from app.db.session import BEFORE_COMMIT, Database
from app.features.notifications import service
from app.features.notifications.service import mark_all_read, notify
from app.features.services import Services
from app.kernel.errors import Unavailable
from app.settings import Settings

UNREAD = "SELECT count(*) FROM notifications WHERE read_at IS NULL"
STEP = 3
MANY = 10


@pytest.fixture
def services(settings: Settings, database: Database) -> Services:
    return bare_services(settings, database)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many each transaction has marked."""
    marked: list[int] = []
    mark_read = service.store.mark_read

    async def noted(*what: object, **how: object) -> int:
        marked.append(await mark_read(*what, **how))
        return marked[-1]

    monkeypatch.setattr(service, "MARKED_AT_ONCE", STEP)
    monkeypatch.setattr(service.store, "mark_read", noted)
    return marked


async def many(services: Services) -> None:
    for user_id in ("ada", "bob"):
        for _ in range(MANY):
            await notify(services, user_ids=[user_id], kind="info", title="x", message="")


async def test_many_are_marked_as_read_in_steps_and_told_once(services: Services, steps: list[int], settings: Settings):
    await many(services)
    noted = len(rows(settings, "SELECT * FROM unsent WHERE what = 'notification.all-read'"))
    assert (MANY, (0, 0)) == await mark_all_read(services, "ada")
    assert [STEP, STEP, STEP, MANY - 3 * STEP] == steps
    assert 1 == len(rows(settings, "SELECT * FROM unsent WHERE what = 'notification.all-read'")) - noted
    assert [(MANY,)] == rows(settings, UNREAD)  # those of somebody else
    assert (0, (0, 0)) == await mark_all_read(services, "ada")


async def test_what_fails_in_its_middle_is_made_up_for_when_it_is_tried_again(
    services: Services, steps: list[int], settings: Settings
):
    def refuse(_connection: object) -> None:
        message = "it was lost"
        raise Unavailable(message)

    await many(services)
    token = BEFORE_COMMIT.set(refuse)
    with pytest.raises(Unavailable):
        await mark_all_read(services, "ada")
    BEFORE_COMMIT.reset(token)
    assert [STEP, STEP, STEP, MANY - 3 * STEP] == steps
    assert [(MANY + MANY - 3 * STEP,)] == rows(settings, UNREAD)  # the steps stay: nothing says of them that all was done
    assert (MANY - 3 * STEP, (0, 0)) == await mark_all_read(services, "ada")
    assert [(MANY,)] == rows(settings, UNREAD)
