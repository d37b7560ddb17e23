"""What pages see of follows: the answers, and what friends do."""

from app.features.fragments import fragments
from app.wire.update import Update

ACTIVITY = "#friend-activity"


def following(*, is_new: bool) -> str:
    """The answer to a user who asked to follow somebody."""
    return fragments.render("follows/following.html", is_new=is_new)


def unfollowed(*, was_following: bool) -> str:
    """The answer to a user who asked to follow somebody no longer."""
    return fragments.render("follows/unfollowed.html", was_following=was_following)


def activity(name: str, *, is_online: bool) -> Update:
    """A friend came or went, on top of what happened before."""
    return Update(ACTIVITY, fragments.render("follows/activity.html", name=name, is_online=is_online), "afterbegin")
