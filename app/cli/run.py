"""Commands that prepare the server, or describe it."""

import argparse
import asyncio
import json
from pathlib import Path

import msgspec

from app.auth.tokens import SECRET_FILE
from app.cli.console import Failure, migrated, missing_file, read_settings, say
from app.cli.needs import check_database, check_room_for_workers
from app.cli.serving import application
from app.cluster.client import check as check_redis
from app.main import describe, state_folder
from app.settings import MIN_SECRET_CHARS
from app.web.asyncapi import describe_socket


def migrate(_options: argparse.Namespace) -> None:
    migrated()
    say("database: up to date")


def check(_options: argparse.Namespace) -> None:
    settings = read_settings()
    say("settings: ok")

    if missing_file(settings) is None:
        say(f"database: {check_database(settings)}")
        check_room_for_workers(settings)
    else:
        say("database: not there yet; `wsx serve` makes it")
    if settings.redis_url:
        if trouble := asyncio.run(check_redis(settings.redis_url)):
            raise Failure(trouble.text)
        say("redis: ok")
    if not settings.token_secret and not settings.redis_url and not (state_folder(settings) / SECRET_FILE).exists():
        settings = msgspec.structs.replace(settings, token_secret="-" * MIN_SECRET_CHARS)  # else it would be made now
    application(settings)
    say("handlers and templates: ok")


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
