"""Of every handler that ships: it is described, and it is for those only whom it is for."""

import re
from pathlib import Path

from api_tests.cases import on_one_server
from api_tests.features.screen import refusal
from api_tests.server import Running
from app.features import FEATURES

PAGE = Path(__file__).parents[2] / "docs" / "handlers.md"
NAMES = sorted(name for feature in FEATURES for name in feature.actions)
FOR_ADMINS = {"admin-announcement", "mass-update", "broadcast-user-updates"}
FOR_NOBODY = {"authenticate"}


def test_each_is_described_with_its_data() -> None:
    section = PAGE.read_text().partition("## Handlers that ship\n")[2].partition("\n\n**")[0]
    described = [re.findall(r"`([a-z-]+)`", line.split("|")[1]) for line in section.splitlines() if line.startswith("| `")]
    assert sorted(name for names in described for name in names) == NAMES


@on_one_server("name", sorted(set(NAMES) - FOR_NOBODY))
async def test_who_is_nobody_or_no_admin_is_refused_before_anything_is_read(server: Running, name: str) -> None:
    async with server.socket() as nobody, server.socket("ada", roles=("premium",)) as ada:
        sentence = await refusal(nobody, name, {"roomId": 5})
        code = nobody.errors[0]["code"]
        assert ("not_admin" if name in FOR_ADMINS else "not_signed_in") == code
        assert sentence.startswith("Admin access required" if name in FOR_ADMINS else "Please log in to ")
        if name in FOR_ADMINS:
            assert "Admin access required" == await refusal(ada, name, {"roomId": 5})
