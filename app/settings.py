"""Every setting: its name, meaning, unit, zero. Read once from the environment; a wrong or unknown one refuses to start."""

import re
from collections.abc import Mapping
from math import isinf
from typing import Annotated, Literal, get_args
from urllib.parse import parse_qsl, urlsplit

import msgspec

from app.kernel.wording import in_words

PREFIX = "WSX_"
MIN_SECRET_CHARS = 32
"""Short secrets can be guessed; HS256 wants a key of at least 32 bytes (RFC 7518, 3.2)."""
MAX_DAYS = 36_500
"""Days for which something is kept: a century. More is a mistake, and some of it no date can be reckoned with."""
MAX_WORKERS = 256
"""Each holds some 60 MiB, and connections to the database: a mistyped number must not fill the machine."""

_REDIS_SCHEMES = ("redis", "rediss", "unix")
_REDIS_OPTIONS = {"db", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile"}
_REDIS_DATABASE = re.compile(r"(?:/\d{0,4})?")
_REDIS_EXAMPLE = "redis://127.0.0.1:6379/0"


class SettingsError(ValueError):
    """A setting is unknown or has a value that cannot be meant. The text names it and says what would be right."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an operator can set. The field `host` is the environment variable `WSX_HOST`, and so on."""

    host: str = "127.0.0.1"
    """Address to listen on. Anything but loopback is for a server behind a proxy that ends TLS."""
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 8000
    """TCP port. 0: any free one, printed at start."""
    workers: Annotated[int, msgspec.Meta(ge=1, le=MAX_WORKERS)] = 1
    """Processes."""
    database_url: str = "sqlite+aiosqlite:///var/wsx.db"
    """SQLAlchemy URL."""
    redis_url: str = ""
    """Redis, or Valkey, of a cluster: `redis://[user:password@]host[:port][/number]`, `rediss://` for TLS. Empty: one process."""
    admin_key: str = ""
    """A known admin key of at least 32 characters for automated set-ups. Empty: one is made and printed at the first start."""
    templates: str = ""
    """Folder whose fragments replace the shipped ones, file by file, as `announcements/published.html`. Empty: none."""
    token_secret: str = ""
    """HS256 key of connection tokens, at least 32 characters. Empty: made at first start, kept beside the database, mode 0600; or
    none, where there is a public key."""
    token_other_secret: str = ""
    """A second HS256 key, whose tokens are read and which makes none: for the time of a rotation. Empty: none."""
    token_public_key: str = ""
    """Public keys of connection tokens that the site signs, PEM, one or several: RSA of 2,048 bits or more (RS256), P-256 (ES256),
    Ed25519 (EdDSA). A line break may be written `\\n`. Empty: none."""
    token_jwks_file: str = ""
    """The same as a JSON Web Key Set (RFC 7517) in this file, which is read anew when it changes. Empty: none."""
    token_issuer: str = ""
    """Wanted `iss` of connection tokens. Empty: not looked at."""
    token_audience: str = "wsx"  # noqa: S105 - a name, not a secret
    """Wanted `aud` of connection tokens. Empty: not looked at."""
    allowed_origins: tuple[str, ...] = ()
    """Other origins whose pages may open sockets, `scheme://host[:port]` each. `*`: all, and it must be written to be had."""
    allow_anonymous: bool = True
    """Whether sockets without a token may listen. They hear `everyone` and nothing more."""
    open_rooms: bool = True
    """Whether a signed-in user may create a public room by joining it."""
    handlers: tuple[str, ...] = ()
    """Modules to import at start; they register handlers with `@wsx.on(…)`."""
    ping_interval_s: Annotated[float, msgspec.Meta(gt=0)] = 25.0
    """Seconds between pings. A proxy that drops silent connections after 30 s never sees one."""
    ping_timeout_s: Annotated[float, msgspec.Meta(gt=0)] = 10.0
    """Seconds that a browser may take to answer a ping before it counts as gone."""
    max_message_bytes: Annotated[int, msgspec.Meta(ge=1024)] = 65_536
    """One message from a browser; a larger one closes its connection with 1009. Bounds what a stranger can make us hold."""
    max_body_bytes: Annotated[int, msgspec.Meta(ge=1024)] = 262_144
    """One request body; a larger one is answered 413."""
    api_rate_per_min: Annotated[int, msgspec.Meta(ge=1)] = 600
    """Requests a minute that one API key may make for long, and as many at once; above it, 429. For each process by itself.
    The same holds for failed tries of one address with keys that are none."""
    socket_rate_per_s: Annotated[float, msgspec.Meta(gt=0)] = 20.0
    """Messages a second that one connection may send for long; above it, error answers."""
    socket_burst: Annotated[int, msgspec.Meta(ge=1)] = 40
    """Messages that one connection may send at once. Twice as many refused in a row close it with 4429."""
    max_rooms_per_socket: Annotated[int, msgspec.Meta(ge=1)] = 128
    """Rooms that one connection may be in. Bounds what a stranger can make us remember."""
    max_sockets_per_user: Annotated[int, msgspec.Meta(ge=1)] = 20
    """Connections of one user; the next one is answered 429. One stolen token must not fill the server."""
    auth_timeout_s: Annotated[float, msgspec.Meta(gt=0)] = 10.0
    """Seconds that a socket without a token has to say who it is (`authenticate`), where `allow_anonymous` is off."""
    handshake_rate_per_s: Annotated[float, msgspec.Meta(gt=0)] = 100.0
    """Handshakes a second that one address may begin for long; above it, 429. Those from this machine itself are not counted."""
    handshake_burst: Annotated[int, msgspec.Meta(ge=1)] = 2_000
    """Handshakes that one address may begin at once: an office behind one address comes back together after a restart."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed, as `10.0.0.0/8`. Empty: nobody's."""
    idle_timeout_s: Annotated[float, msgspec.Meta(ge=0)] = 1_800.0
    """Seconds after which a page that sent nothing is closed (4408). 0: never."""
    idle_sweep_s: Annotated[float, msgspec.Meta(ge=0)] = 300.0
    """Seconds between two looks for idle pages. 0: never."""
    presence_grace_s: Annotated[float, msgspec.Meta(ge=0)] = 10.0
    """Seconds within which a user who is back was never offline: a reload, a tunnel."""
    dashboard_interval_s: Annotated[float, msgspec.Meta(gt=0)] = 30.0
    """Seconds between two updates of the dashboard, while an admin is there to see it."""
    compression: Literal["shared", "off"] = "shared"
    """Whether messages are compressed for browsers that can read it: once for all of them, and no context is kept for any."""
    outbox_bytes: Annotated[int, msgspec.Meta(ge=1024)] = 262_144
    """Bytes queued for one connection before it is closed as slow (1013). 262,144 x 2,000 stalled phones = 500 MiB."""
    outbox_total_bytes: Annotated[int, msgspec.Meta(ge=1024)] = 536_870_912
    """Bytes queued for all connections that take nothing, before those with the most are closed (1013)."""
    replay_entries: Annotated[int, msgspec.Meta(ge=1)] = 10_000
    """Publications that the journal keeps, for pages that come back."""
    replay_s: Annotated[float, msgspec.Meta(ge=0)] = 300.0
    """Seconds for which it keeps them."""
    message_retention_days: Annotated[int, msgspec.Meta(ge=0, le=MAX_DAYS)] = 0
    """Days for which messages are kept, those in rooms and private ones. 0: for ever."""
    audit_retention_days: Annotated[int, msgspec.Meta(ge=0, le=MAX_DAYS)] = 0
    """Days for which the audit log is kept. 0: for ever."""
    drain_s: Annotated[float, msgspec.Meta(ge=0)] = 15.0
    """Seconds that a stopping server has: over most of them its pages come back, and running requests are cut behind them."""
    log_format: Literal["", "console", "json"] = ""
    """Empty: `console` on a terminal, else `json`."""
    tracing: Literal["off", "otlp"] = "off"
    """`otlp`: spans of requests are sent by OpenTelemetry's protocol, as the variables `OTEL_…` say."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], **overrides: object) -> "Settings":
        """Read the variables that begin with `WSX_`; `overrides` (from the command line) win where they are not None.

        Raises SettingsError, which names the variable.
        """
        variables = [name for name in environment if name.upper().startswith(PREFIX)]
        known = {field.name: field for field in msgspec.structs.fields(cls)}
        names = [PREFIX + name.upper() for name in known]
        if unknown := sorted(set(variables) - set(names)):
            message = f"{', '.join(unknown)}: no such setting. Known, in capitals: {', '.join(names)}"
            raise SettingsError(message)
        given = {name.removeprefix(PREFIX).lower(): environment[name] for name in variables}
        values: dict[str, object] = {
            name: _as_list(text)
            if known[name].type == tuple[str, ...]
            else _as_flag(name, text)
            if known[name].type is bool
            else text
            for name, text in given.items()
        }
        values |= {name: value for name, value in overrides.items() if value is not None}
        return cls._checked(values)

    @classmethod
    def _checked(cls, values: dict[str, object]) -> "Settings":
        try:
            settings = msgspec.convert(values, cls, strict=False)
        except msgspec.ValidationError as error:
            what, _, where = str(error).partition(" - at `$.")
            name = where.rstrip("`").split("[")[0]
            words = get_args(cls.__annotations__[name]) if what.startswith("Invalid enum value") else ()
            message = f"{PREFIX}{name.upper()}: {in_words(what, [word for word in words if word])}"
            raise SettingsError(message) from None
        for name, value in msgspec.structs.asdict(settings).items():
            if isinstance(value, float) and isinf(value):
                message = f"{PREFIX}{name.upper()}: a finite number is wanted"
                raise SettingsError(message)
        if not settings.host:
            raise SettingsError("WSX_HOST: an address is wanted, such as 127.0.0.1")
        key = settings.admin_key
        if not (key.isascii() and key.isprintable() and key == key.strip()):
            raise SettingsError("WSX_ADMIN_KEY: printable ASCII is wanted, and no space at its ends: it travels in a header")
        if settings.redis_url and (wrong := _wrong_redis_url(settings.redis_url)):
            message = f"WSX_REDIS_URL: {wrong}"
            raise SettingsError(message)
        for name in ("admin_key", "token_secret", "token_other_secret"):
            if 0 < len(getattr(settings, name)) < MIN_SECRET_CHARS:
                message = f"{PREFIX}{name.upper()}: at least {MIN_SECRET_CHARS} characters are needed, and this has fewer"
                raise SettingsError(message)
        if wrong := _wrong_token_keys(settings):
            raise SettingsError(wrong)
        return settings


def _wrong_token_keys(settings: Settings) -> str:
    """What is wrong with how they stand together; empty when nothing is."""
    if settings.redis_url and not settings.token_secret:
        return "WSX_TOKEN_SECRET: needed with WSX_REDIS_URL, and the same on all nodes: each must read tokens and sessions of all"
    if settings.token_other_secret and not settings.token_secret:
        return "WSX_TOKEN_OTHER_SECRET: it is the second one, and WSX_TOKEN_SECRET is not set"
    if settings.token_public_key and settings.token_jwks_file:
        return "WSX_TOKEN_PUBLIC_KEY, WSX_TOKEN_JWKS_FILE: both are set; put all keys into the file"
    if "-----BEGIN" in settings.token_secret + settings.token_other_secret:
        return "WSX_TOKEN_SECRET: this is no secret but a key in PEM; a public one belongs into WSX_TOKEN_PUBLIC_KEY"
    return ""


def _wrong_redis_url(url: str) -> str:
    """What is wrong with it, in words that have no password in them; empty when nothing is."""
    nowhere = f"it does not say where Redis is, as in {_REDIS_EXAMPLE}; / ? # @ in a password are written %2F %3F %23 %40"
    try:
        parts = urlsplit(url)
        has_place = bool(parts.path if parts.scheme == "unix" else parts.hostname) and parts.port != 0
    except ValueError:  # what stands for the port is none: perhaps a part of the password
        return nowhere
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if parts.scheme not in _REDIS_SCHEMES:
        return f"it begins with one of {', '.join(f'{scheme}://' for scheme in _REDIS_SCHEMES)}, as in {_REDIS_EXAMPLE}"
    if not has_place:
        return nowhere
    if parts.scheme != "unix" and not _REDIS_DATABASE.fullmatch(parts.path):
        return f"behind the address only the number of a database may stand, as in {_REDIS_EXAMPLE}"
    if options.keys() - _REDIS_OPTIONS or parts.fragment:
        return f"behind a ? only {', '.join(sorted(_REDIS_OPTIONS))} may stand"
    if not options.get("db", "0").isdecimal():
        return "?db= wants the number of a database"
    return ""


def _as_list(text: str) -> tuple[str, ...]:
    return tuple(part for piece in text.split(",") if (part := piece.strip()))


def _as_flag(name: str, text: str) -> bool:
    words = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
    try:
        return words[text.strip().lower()]
    except KeyError:
        message = f"{PREFIX}{name.upper()}: true or false is wanted, not {text!r}"
        raise SettingsError(message) from None
