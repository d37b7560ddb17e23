"""The peers. Each is installed at its first use, into a folder that git ignores, by the client of its registry."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from benchmarks.machine import BUILD, HERE, compile_c
from benchmarks.scenario import Unavailable

SOURCES = HERE / "peers"
PEERS = BUILD / "peers"
SOCKETIFY = "socketify==0.0.31"


def _call(command: Sequence[str], where: Path, what: str, **variables: str) -> None:
    """Raises Unavailable, with the command's last words, when it fails or is not there."""
    try:
        done = subprocess.run(
            command,
            cwd=where,
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError:
        message = f"{what}: {command[0]} is needed"
        raise Unavailable(message) from None
    if done.returncode:
        message = f"{what}: {' '.join(command[:3])} failed: {done.stderr[-500:].strip()}"
        raise Unavailable(message)


def _is_newer(made: Path, *sources: Path) -> bool:
    return made.exists() and all(made.stat().st_mtime > source.stat().st_mtime for source in sources)


@cache
def floor() -> Path:
    """The bare loop in C: the program."""
    target = PEERS / "floor"
    compile_c(target, [SOURCES / "floor.c"])
    return target


@cache
def socketify() -> Path:
    """The Python that has socketify."""
    python = PEERS / "socketify" / "bin" / "python"
    if not (python.parent / ".installed").exists():
        PEERS.mkdir(parents=True, exist_ok=True)
        _call([sys.executable, "-m", "venv", "socketify"], PEERS, "socketify")
        _call([str(python), "-m", "pip", "--quiet", "install", SOCKETIFY], PEERS, "socketify")
        _call([str(python), "-c", "import socketify"], PEERS, "socketify (on Debian: apt install libuv1)")
        (python.parent / ".installed").touch()
    return python


@cache
def node() -> Path:
    """The folder of the servers on Node.js, beside what they import."""
    folder = PEERS / "node"
    folder.mkdir(parents=True, exist_ok=True)
    for source in (SOURCES / "package.json", *SOURCES.glob("*.js")):
        if not _is_newer(folder / source.name, source):
            shutil.copyfile(source, folder / source.name)
    if not _is_newer(folder / "node_modules" / ".package-lock.json", SOURCES / "package.json"):
        _call(["npm", "install", "--no-audit", "--no-fund", "--silent"], folder, "Express and ws")
    return folder


@cache
def centrifuge() -> Path:
    """The server on Centrifuge, compiled with Debian's Go and Debian's packages of its sources; nothing of it is installed."""
    program, source, names = PEERS / "centrifuge", SOURCES / "centrifuge.go", SOURCES / "centrifuge.packages"
    if _is_newer(program, source):
        return program
    root, archives = PEERS / "debian", PEERS / "debs"
    if not _is_newer(root / ".unpacked", names):
        archives.mkdir(parents=True, exist_ok=True)
        _call(
            ["apt-get", "download", "-qq", *names.read_text().split()],
            archives,
            "Centrifuge (after `apt-get update`, on Debian 12)",
        )
        for archive in archives.glob("*.deb"):
            _call(["dpkg", "-x", str(archive), str(root)], PEERS, "Centrifuge")
        shutil.rmtree(archives)
        (root / ".unpacked").touch()
    go = root / "usr" / "lib" / "go-1.19"
    _call(
        [str(go / "bin" / "go"), "build", "-o", str(program), str(source)],
        PEERS,
        "Centrifuge",
        GOROOT=str(go),
        GOPATH=str(root / "usr" / "share" / "gocode"),
        GO111MODULE="off",
        GOCACHE=str(PEERS / "go-cache"),
    )
    return program
