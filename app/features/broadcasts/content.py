"""HTML of the back office. A key without the scope `html:raw` may not put scripts, forms or active attributes into pages."""

import nh3

from app.auth.keys import Caller
from app.auth.scopes import HTML_RAW, allows
from app.wire.update import Fragment, Update

_KEPT = {"class", "id", "title", "lang", "dir", "role"}
_ATTRIBUTES = {tag: {*allowed, *_KEPT} for tag, allowed in nh3.ALLOWED_ATTRIBUTES.items()} | {"*": _KEPT}
_CLEANER = nh3.Cleaner(attributes=_ATTRIBUTES, generic_attribute_prefixes={"aria-"}, link_rel="noopener noreferrer")


def clean(update: Update, caller: Caller) -> Update:
    """The update as this caller may send it.

    Cleaned HTML keeps text, structure, links and images; what acts is gone: scripts, styles, `on…`, `wx-…`, `hx-…` and `data-…`
    attributes, forms, frames, `javascript:` links.
    """
    if allows(caller.scopes, HTML_RAW):
        return Update(update.target, update.html, update.swap, update.oob)
    return Update(
        update.target,
        _CLEANER.clean(update.html),
        update.swap,
        tuple(Fragment(part.target, _CLEANER.clean(part.html), part.swap) for part in update.oob),
    )
