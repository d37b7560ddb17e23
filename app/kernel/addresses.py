"""Addresses of the Internet, and what counts as one of them."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

Address = IPv4Address | IPv6Address

IPV6_PREFIX: Final = 64
"""Bits of an IPv6 address that count: whoever has one has all that begin so (RFC 6177)."""


def as_address(text: str) -> Address | None:
    """An address of the Internet; of one of IPv4 that is written as IPv6, the former. None: it is none."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def network_of(text: str) -> str:
    """What stands for all addresses of one client: of IPv6 its network. What is no address stays as it is."""
    address = as_address(text)
    if address is None:
        return text
    return str(ip_network((address, IPV6_PREFIX), strict=False)) if isinstance(address, IPv6Address) else str(address)
