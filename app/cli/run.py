"""Commands that prepare the server, or describe it."""

import argparse
import asyncio
import json
import os
from pathlib import Path

import msgspec

from app.auth.from_settings import make_tokens, secret_file
from app.cli.console import Failure, migrated, missing_file, read_settings, say
from app.cli.needs import check_database, check_room_for_workers
from app.cli.serving import application
from app.cluster.client import check as check_redis
from app.main import describe
from app.settings import MIN_SECRET_CHARS, Settings
from app.web.asyncapi import describe_socket


def migrate(_options: argparse.Namespace) -> None:
    migrated()
    say("database: up to date")


def check(_options: argparse.Namespace) -> None:
    settings = read_settings()
    say("settings: ok")

    missing = missing_file(settings)
    if missing is None:
        say(f"database: {check_database(settings)}")
        check_room_for_workers(settings)
    else:
        _check_may_be_made(missing)
        say("database: not there yet; `wsx serve` makes it")
    if settings.redis_url:
        if trouble := asyncio.run(check_redis(settings.redis_url)):
            raise Failure(trouble.text)
        say("redis: ok")
    say(f"tokens: {_token_keys(settings)}")
    kept = secret_file(settings)
    if kept is not None and not kept.exists():
        settings = msgspec.structs.replace(settings, token_secret="-" * MIN_SECRET_CHARS)  # else it would be made now
    application(settings)
    say("handlers and templates: ok")


def _check_may_be_made(file: Path) -> None:
    """Raise Failure where a server could not make this file, and the folders that it is in."""
    folder = next(one for one in file.absolute().parents if one.exists())
    if not folder.is_dir():
        message = f"{file} cannot be made: {folder} is no folder"
        raise Failure(message)
    if not os.access(folder, os.W_OK | os.X_OK):
        message = f"{file} cannot be made: this user may not write into {folder}"
        raise Failure(message)


def _token_keys(settings: Settings) -> str:
    """Which keys verify connection tokens, without showing one."""
    kept = secret_file(settings)
    if kept is not None and not kept.exists():
        _check_may_be_made(kept)
        return "HS256, its secret is not there yet; `wsx serve` makes it"
    keys = make_tokens(settings).keys
    return ", ".join(key.algorithm if key.name is None else f"{key.algorithm} (kid {key.name!a})" for key in keys)


def openapi(options: argparse.Namespace) -> None:
    folder = Path(options.folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, document in (("openapi.json", describe()), ("asyncapi.json", describe_socket())):
            (folder / name).write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
            say(f"{folder / name}: written")
    except OSError as error:
        message = f"{error.filename}: {error.strerror}"
        raise Failure(message) from None
