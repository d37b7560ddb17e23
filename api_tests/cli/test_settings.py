"""Settings: each from its variable, defaults, and what a wrong one says."""

import msgspec
import pytest

from app.cluster.client import make_client
from app.settings import Settings, SettingsError

GIVEN = {
    "host": ("0.0.0.0", "0.0.0.0"),  # noqa: S104 - nothing listens there
    "port": ("0", 0),
    "workers": ("3", 3),
    "database_url": ("sqlite+aiosqlite:///x.db", "sqlite+aiosqlite:///x.db"),
    "redis_url": ("redis://:secret@127.0.0.1/3", "redis://:secret@127.0.0.1/3"),
    "admin_key": ("k" * 32, "k" * 32),
    "templates": ("own", "own"),
    "token_secret": ("s" * 32, "s" * 32),
    "token_other_secret": ("o" * 32, "o" * 32),
    "token_public_key": ("", ""),
    "token_jwks_file": ("keys.json", "keys.json"),
    "token_issuer": ("https://site.example", "https://site.example"),
    "token_audience": ("", ""),
    "allowed_origins": (" https://a.example, ,https://b.example:8443 ", ("https://a.example", "https://b.example:8443")),
    "allow_anonymous": (" No ", False),
    "open_rooms": ("off", False),
    "idle_timeout_s": ("0", 0.0),
    "idle_sweep_s": ("1.5", 1.5),
    "presence_grace_s": ("0", 0.0),
    "dashboard_interval_s": ("0.5", 0.5),
    "max_rooms_per_socket": ("1", 1),
    "handlers": ("one,two.three", ("one", "two.three")),
    "ping_interval_s": ("2.5", 2.5),
    "ping_timeout_s": ("3", 3.0),
    "max_message_bytes": ("1024", 1024),
    "max_body_bytes": ("2048", 2048),
    "api_rate_per_min": ("60", 60),
    "socket_rate_per_s": ("0.5", 0.5),
    "socket_burst": ("1", 1),
    "max_sockets_per_user": ("2", 2),
    "auth_timeout_s": ("0.5", 0.5),
    "handshake_rate_per_s": ("1.5", 1.5),
    "handshake_burst": ("1", 1),
    "trusted_proxies": ("10.0.0.0/8, ::1", ("10.0.0.0/8", "::1")),
    "compression": ("off", "off"),
    "outbox_bytes": ("4096", 4096),
    "outbox_total_bytes": ("8192", 8192),
    "replay_entries": ("5", 5),
    "replay_s": ("60", 60.0),
    "message_retention_days": ("30", 30),
    "audit_retention_days": ("90", 90),
    "drain_s": ("0", 0.0),
    "log_format": ("json", "json"),
    "tracing": ("otlp", "otlp"),
}


def test_nothing_set_is_the_documented_default():
    defaults = Settings.from_environment({"PATH": "/bin", "HOME": "/root"})
    assert Settings() == defaults
    assert ("127.0.0.1", 8000, 1, True, (), "") == (
        defaults.host,
        defaults.port,
        defaults.workers,
        defaults.allow_anonymous,
        defaults.allowed_origins,
        defaults.log_format,
    )


def test_every_setting_comes_from_its_variable():
    assert {field.name for field in msgspec.structs.fields(Settings)} == GIVEN.keys()
    read = Settings.from_environment({f"WSX_{name.upper()}": text for name, (text, _) in GIVEN.items()})
    assert {name: value for name, (_, value) in GIVEN.items()} == msgspec.structs.asdict(read)


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("1", True), ("YES", True), ("on", True), ("false", False), ("0", False), ("Off", False)]
)
def test_a_flag_may_be_said_in_several_words(text, value):
    assert value is Settings.from_environment({"WSX_ALLOW_ANONYMOUS": text}).allow_anonymous


def test_the_command_line_wins_where_it_says_something():
    read = Settings.from_environment({"WSX_PORT": "1", "WSX_HOST": "::1"}, port=2, host=None, workers=None)
    assert (2, "::1", 1) == (read.port, read.host, read.workers)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("PORT", "http", "a whole number is wanted"),
        ("PORT", "", "a whole number is wanted"),
        ("PORT", "8000.5", "a whole number is wanted"),
        ("PORT", "-1", "a whole number of at least 0 is wanted"),
        ("PORT", "65536", "a whole number of at most 65535 is wanted"),
        ("MESSAGE_RETENTION_DAYS", "800000", "a whole number of at most 36500 is wanted"),
        ("AUDIT_RETENTION_DAYS", "36501", "a whole number of at most 36500 is wanted"),
        ("WORKERS", "0", "a whole number of at least 1 is wanted"),
        ("ALLOW_ANONYMOUS", "maybe", "true or false is wanted, not 'maybe'"),
        ("ADMIN_KEY", "k" * 31, "at least 32 characters"),
        ("TOKEN_SECRET", "short", "at least 32 characters"),
        ("TOKEN_SECRET", "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgk", "a public one belongs into WSX_TOKEN_PUBLIC_KEY"),
        ("TOKEN_OTHER_SECRET", "o" * 32, "it is the second one, and WSX_TOKEN_SECRET is not set"),
        ("AUTH_TIMEOUT_S", "0", "a number above 0 is wanted"),
        ("HANDSHAKE_RATE_PER_S", "0", "above 0"),
        ("HANDSHAKE_BURST", "0", "at least 1"),
        ("PING_INTERVAL_S", "0", "above 0"),
        ("PING_TIMEOUT_S", "inf", "finite"),
        ("DRAIN_S", "nan", "a number of at least 0 is wanted"),
        ("OPEN_ROOMS", "perhaps", "true or false is wanted, not 'perhaps'"),
        ("IDLE_TIMEOUT_S", "-1", "at least 0"),
        ("DASHBOARD_INTERVAL_S", "0", "above 0"),
        ("MAX_ROOMS_PER_SOCKET", "0", "at least 1"),
        ("DRAIN_S", "-1", "at least 0"),
        ("DRAIN_S", "Infinity", "finite"),
        ("MAX_MESSAGE_BYTES", "1023", "at least 1024"),
        ("MAX_BODY_BYTES", "1 KiB", "a whole number is wanted"),
        ("SOCKET_RATE_PER_S", "fast", "a number is wanted"),
        ("SOCKET_BURST", "0", "at least 1"),
        ("MAX_SOCKETS_PER_USER", "0", "at least 1"),
        ("OUTBOX_BYTES", "64k", "a whole number is wanted"),
        ("REPLAY_ENTRIES", "0", "at least 1"),
        ("COMPRESSION", "gzip", "one of shared, off is wanted"),
        ("LOG_FORMAT", "xml", "one of console, json is wanted"),
    ],
)
def test_a_wrong_value_names_its_variable(name, text, said):
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment({f"WSX_{name}": text})
    assert str(refused.value).startswith(f"WSX_{name}: ")
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_secret_that_is_refused_is_not_shown():
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment({"WSX_TOKEN_SECRET": "hunter2"})
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1",
        "redis://user:pass%40word@redis.example:6380/15",
        "rediss://[::1]:6380/?ssl_ca_certs=/etc/ca.pem",
        "unix:///run/redis.sock?db=2",
    ],
)
def test_redis_may_be_named_in_these_ways(url):
    assert url == Settings.from_environment({"WSX_REDIS_URL": url, "WSX_TOKEN_SECRET": "-" * 32}).redis_url
    make_client(url, "12345678")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("127.0.0.1:6379", "redis://, rediss://, unix://"),
        ("http://:hunter2@127.0.0.1", "redis://, rediss://, unix://"),
        ("redis://:hunter2@/0", "does not say where Redis is"),
        ("unix://", "does not say where Redis is"),
        ("redis://127.0.0.1:0", "does not say where Redis is"),
        ("redis://:hunter2@127.0.0.1:port", "in a password are written"),
        ("redis://:hunter2/3@127.0.0.1", "in a password are written"),
        ("redis://[::1:hunter2", "in a password are written"),
        ("redis://:hunter2@127.0.0.1/one", "only the number of a database"),
        ("redis://:hunter2@127.0.0.1/0?socket_timeout=1", "only db, ssl_ca_certs, ssl_certfile, ssl_keyfile"),
        ("redis://:hunter#2@127.0.0.1/0", "in a password are written"),
        ("unix:///run/redis.sock?db=two", "the number of a database"),
    ],
)
def test_a_wrong_url_of_redis_is_refused_without_its_password(url, said):
    with pytest.raises(SettingsError, match=r"^WSX_REDIS_URL: ") as refused:
        Settings.from_environment({"WSX_REDIS_URL": url})
    assert said in str(refused.value)
    assert "hunter" not in str(refused.value)


def test_unknown_settings_are_refused_by_name():
    with pytest.raises(SettingsError, match=r"^WSX_COLOUR, WSX_PROT: no such setting\. Known, in capitals: WSX_HOST, WSX_PORT, "):
        Settings.from_environment({"WSX_PROT": "1", "WSX_COLOUR": "red", "WSX_PORT": "1"})
    with pytest.raises(SettingsError, match=r"^Wsx_Port, wsx_redis_url: no such setting"):
        Settings.from_environment({"wsx_redis_url": "redis://127.0.0.1", "Wsx_Port": "1"})


@pytest.mark.parametrize(("name", "text"), [("X", "1"), ("PORT", "http"), ("PORT", "70000"), ("DRAIN_S", "inf")])
@pytest.mark.parametrize("command", ["serve", "check"])
def test_every_command_refuses_wrong_settings_in_one_line(wsx, command, name, text):
    refused = wsx(command, **{name.lower(): text})
    assert (2, "", 1) == (refused.status, refused.out, refused.err.count("\n"))
    assert refused.err.startswith(f"wsx: WSX_{name}: ")


@pytest.mark.parametrize("key", ["é" * 40, "x" * 40 + "\n", " " + "x" * 40])
def test_an_admin_key_that_no_header_can_carry_is_refused(key):
    with pytest.raises(SettingsError, match="WSX_ADMIN_KEY: printable ASCII is wanted"):
        Settings.from_environment({"WSX_ADMIN_KEY": key})


def test_no_address_is_none():
    with pytest.raises(SettingsError, match="WSX_HOST: an address is wanted"):
        Settings.from_environment({"WSX_HOST": ""})
