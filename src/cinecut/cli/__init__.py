"""The command line: parse, call, print, exit code. The only room that knows typer and rich."""

from __future__ import annotations

from cinecut.cli.app import main

__all__ = ["main"]
