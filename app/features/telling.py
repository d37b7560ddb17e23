"""What nobody stores is told while the journal is away, too: to the pages of this node."""

import structlog

from app.hub.hub import Hub
from app.hub.publication import Publication
from app.kernel.errors import Unavailable, why

_log = structlog.get_logger()


async def tell(hub: Hub, publication: Publication, what: str) -> None:
    """Publish, to settled audiences. While the journal is away this node alone delivers it, which is logged with `what` it is."""
    try:
        await hub.publish(publication)
    except Unavailable as error:
        _log.warning("told on this node alone", what=what, publication=publication.id, **why(error))
        hub.deliver_here(publication)
