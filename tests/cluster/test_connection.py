"""Being connected, with a Ray that does nothing."""

from __future__ import annotations

import pytest
import ray

from cinecut.cluster.connection import connected


def test_what_ray_says_at_its_end_is_no_output(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The word of a lost worker's machine may come late, on a thread of Ray's."""
    monkeypatch.setattr(ray, "init", lambda **_: print("at first"))
    monkeypatch.setattr(ray, "shutdown", lambda: print("at last"))

    with connected("local"):
        print("meanwhile")

    assert capsys.readouterr().out == ""
