"""The `wsx` command, from its start."""

import gc
from importlib import import_module


def main() -> None:
    """Import the command, run it, and exit.

    What is imported lives as long as the process. While it is made, the garbage collector would walk it again and again: a third of
    all work until a server is ready. Afterwards it never sees it.
    """
    gc.disable()
    command = import_module("app.cli.command")
    gc.freeze()
    gc.enable()
    command.main()
