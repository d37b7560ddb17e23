"""Who is behind a proxy: `X-Forwarded-For` and `X-Forwarded-Proto`, believed from the proxies that the operator named."""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final

from app.kernel.addresses import Address, as_address
from app.settings import SettingsError
from app.web.front import Asgi, Receive, Scope, Send

MAX_HOPS: Final = 32
"""Addresses of one header that are looked at, from its end; what stands before them is whatever the client wrote."""
_SCHEMES: Final = {"websocket": {"http": "ws", "https": "wss"}, "http": {"http": "http", "https": "https"}}


class TrustedProxies:
    """Addresses and networks. Raises SettingsError for what is neither."""

    def __init__(self, listed: Iterable[str]) -> None:
        self._networks: tuple[IPv4Network | IPv6Network, ...] = tuple(map(_network, listed))

    def in_front_of(self, app: Asgi) -> Asgi:
        """The application, told of the client in place of the proxy. Where no proxy is trusted, itself."""
        if not self._networks:
            return app

        async def told(scope: Scope, receive: Receive, send: Send) -> None:
            client = scope.get("client")
            if client and scope["type"] in _SCHEMES and (peer := as_address(client[0])) is not None and self._trust(peer):
                self._tell(scope, peer)
            await app(scope, receive, send)

        return told

    def _tell(self, scope: Scope, peer: Address) -> None:
        """Put into the scope what the proxy tells of the client. Into this one: whoever is in front reads what its router found."""
        said: dict[bytes, list[str]] = {}
        for name, value in scope["headers"]:
            if name in {b"x-forwarded-for", b"x-forwarded-proto"}:
                said.setdefault(name, []).append(value.decode("latin-1"))
        protocol = ",".join(said.get(b"x-forwarded-proto", ())).strip().lower()
        scheme = _SCHEMES[scope["type"]].get(protocol, scope.get("scheme"))
        address = self._client(",".join(said.get(b"x-forwarded-for", ())), peer)
        scope["client"], scope["scheme"] = (str(address), 0), scheme

    def _client(self, forwarded: str, peer: Address) -> Address:
        """The last address that no trusted proxy has: whatever stands before it may be made up."""
        for hop in reversed(forwarded.split(",")[-MAX_HOPS:]):
            address = as_address(_without_port(hop.strip()))
            if address is None:
                break
            peer = address
            if not self._trust(peer):
                break
        return peer

    def _trust(self, address: Address) -> bool:
        return any(address in network for network in self._networks)


def _without_port(hop: str) -> str:
    """What some proxies write: `192.0.2.7:4711`, `[2001:db8::7]:4711` or `[2001:db8::7]`."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        message = f"WSX_TRUSTED_PROXIES: {text!r} is no address or network, such as 10.0.0.7 or 10.0.0.0/8"
        raise SettingsError(message) from None
