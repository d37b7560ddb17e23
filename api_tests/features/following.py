"""Making followers and friends."""

from api_tests.client import ApiClient


async def follow(api: ApiClient, *pairs: tuple[str, str]) -> None:
    """The first of each pair follows the second."""
    for follower, followee in pairs:
        answer = await api.post("/follows", {"follower_id": follower, "followee_id": followee})
        assert answer.status_code in {200, 201}, answer.text


async def befriend(api: ApiClient, one: str, *others: str) -> None:
    """They follow each other."""
    for other in others:
        await follow(api, (one, other), (other, one))
