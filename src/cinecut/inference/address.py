"""How a server is spoken to: one on this machine directly, and each with its own key alone."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase


class _OwnKey(AuthBase):
    """The key of this server, or none.

    Whatever is passed as `auth` keeps `requests` from taking another one out of ~/.netrc.
    """

    def __init__(self, api_key: str | None) -> None:
        self._api_key = api_key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._api_key:
            request.headers["Authorization"] = f"Bearer {self._api_key}"
        return request


def ways_to(url: str, api_key: str | None = None) -> dict[str, Any]:
    """Return what a call of `requests` needs so that it reaches the server at `url` and no other.

    No redirect is followed: it would take the picture, and to another port the key, elsewhere. A
    server on this machine is reached without a proxy, whatever the environment says; one that is
    far goes the way that the environment names, as with curl.
    """
    ways: dict[str, Any] = {"auth": _OwnKey(api_key), "allow_redirects": False}
    if is_on_this_machine(url):
        # Empty and not None: `requests` takes None for a question to the environment.
        ways["proxies"] = {"http": "", "https": ""}
    return ways


def is_on_this_machine(url: str) -> bool:
    """Say whether `url` names a loopback address."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
