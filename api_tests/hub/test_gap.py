"""What pages are told when the journal has lost something: those that know the message, and each once."""

from api_tests.hub.recording import PLAIN, V1, make_hub, tab, turns
from app.hub.gap import tell_gap


async def test_all_who_know_the_message_are_told_where_they_go_on_and_the_others_hear_nothing():
    hub = make_hub()
    told = [tab(hub, form=V1) for _ in range(2)]
    silent = [tab(hub, form=PLAIN) for _ in range(2)]
    before = [len(page.sink.writes) for page in silent]
    tell_gap([page.connection for page in (*told, *silent)], hub.delivery, "the head")
    await turns(2)
    assert all("the head" in str(page.sink.messages[-1]) for page in told)
    assert before == [len(page.sink.writes) for page in silent]
