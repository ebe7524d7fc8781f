"""Stands in for llama-server: its command line and its protocol, without a model or a GPU.

`CINECUT_LLAMA_SERVER=cinecut-mock-server cinecut describe clip.mkv …` is how a user's CI tries
a script; CineCut's own tests use it to show every way in which a server can fail.
What it is told to do wrong stands in environment variables: see `faults` and `--help`.

It needs the standard library alone, and knows nothing of CineCut: a reply has the keys that the
request's schema or grammar asks for, and prose where it asks for none, as the real server does.
"""

from cinecut.mock_server.process import main

__all__ = ["main"]
