"""What pages see of messages."""

from uuid import UUID

from markupsafe import Markup

from app.features.fragments import fragments
from app.features.messages.model import MessageRow
from app.wire.update import Fragment, Update

CHAT = "#chat-messages"
PRIVATE = "#messages"


def item(row: MessageRow) -> Markup:
    """One message."""
    return fragments.render("messages/message.html" if row.room_id is not None else "messages/private.html", message=row)


def said(row: MessageRow) -> Update:
    """At the end of the conversation."""
    return Update(CHAT if row.room_id is not None else PRIVATE, item(row), "beforeend")


def item_in(update: Update) -> Markup:
    """The message that an update shows, in whichever of the forms here: rendered by this module, if on another node."""
    return Markup(update.html or "".join(fragment.html for fragment in update.oob))


def said_again(row: MessageRow) -> Update:
    """The same, in place of one that is on the screen already."""
    said_now = said(row)
    return Update(_place_of(row.id), "", "delete", (Fragment(said_now.target, said_now.html, said_now.swap),))


def edited(row: MessageRow) -> Update:
    """In place of what it said before."""
    return Update(_place_of(row.id), item(row), "outerHTML")


def removed(message_id: UUID) -> Update:
    """Gone."""
    return Update(_place_of(message_id), "", "delete")


def history(messages: Markup) -> Fragment:
    """What was said in a room, in place of whatever the page shows."""
    return Fragment(CHAT, messages, "innerHTML")


def _place_of(message_id: UUID) -> str:
    return f'[data-message-id="{message_id}"]'
