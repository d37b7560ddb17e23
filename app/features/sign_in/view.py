"""What a page is answered that has said who it is."""

from markupsafe import Markup

from app.hub.face import html
from app.kernel.identity import User


def signed_in(user: User) -> Markup:
    """Who it is now."""
    return html("<div>Signed in as {}</div>", user.name)


def renewed(user: User) -> Markup:
    """Until when it stays so."""
    if user.expires_at is None:
        return signed_in(user)
    return html(
        '<div>Signed in until <time datetime="{}">{}</time></div>',
        user.expires_at.isoformat(),
        user.expires_at.strftime("%d %B %Y, %H:%M UTC"),
    )
