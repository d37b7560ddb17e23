"""What pages are told of a publication."""

from collections.abc import Sequence

from app.hub.publication import Part, Publication
from app.wire.dialect import Dialect
from app.wire.prepared import Prepared


def prepared(dialect: Dialect, publication: Publication, parts: Sequence[Part], cursor: str) -> Prepared:
    """What a page is told that hears these parts of the publication.

    What shows a stored thing has the key of that for its id, by whatever publication it comes: pages drop the second.
    """
    if len(parts) == 1 and not publication.is_batch:
        (part,) = parts
        return Prepared.of_update(dialect.encode_update(part.key or publication.id, part.update, cursor), part.update)
    updates, keys = [part.update for part in parts], [part.key for part in parts]
    return Prepared.of(dialect.encode_batch(publication.id, updates, cursor, keys))
