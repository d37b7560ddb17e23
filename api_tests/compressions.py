"""How often messages were compressed: a thing that is made once for all must not be made twice."""

import pytest

from app.wire import prepared
from app.wire.deflate import deflate


def noted_compressions(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The payloads that are compressed from now on, as often as they are."""
    found: list[bytes] = []

    def noted(payload: bytes) -> bytes:
        found.append(payload)
        return deflate(payload)

    monkeypatch.setattr(prepared, "deflate", noted)
    return found
