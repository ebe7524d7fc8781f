"""Where a server is and how it is spoken to: with its own key alone, directly if it is here."""

from __future__ import annotations

import os
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase

from cinecut.errors import InferenceError, UsageError

# The first one that is set holds, as with curl; `requests` itself knows only two of them.
_CERTIFICATES: Final = (
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
)


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


def server_root(url: str) -> str:
    """Return the root address that `url` names: with its scheme, without a `/v1` at its end.

    Raises:
        UsageError: It is no address. A message never repeats what may be a secret.
    """
    given = url.strip()
    if "@" in given:
        # Not as curl does, which takes it for a password: any user can read a command line.
        raise UsageError(
            "--server-url has a user name or a password in it, where any user can read it.",
            tip="Give the address alone, and the server's key in CINECUT_API_KEY.",
        )
    whole = given if "://" in given else f"http://{given}"
    if not _is_root(whole):
        raise UsageError(
            f"--server-url {given.partition('?')[0]} is no address of a server.",
            tip="Such as: --server-url http://127.0.0.1:8080",
        )
    return whole.rstrip("/").removesuffix("/v1").rstrip("/")


def checked_key(api_key: str | None) -> str | None:
    """Return the API key without white space around it, and None for an empty one.

    Raises:
        UsageError: It has characters that no header of HTTP can hold.
    """
    key = (api_key or "").strip()
    if not (key.isascii() and key.isprintable()):
        raise UsageError(
            "The key in CINECUT_API_KEY has characters that no key has: other than ASCII.",
            tip="Copy the key anew, without quotation marks and line breaks.",
        )
    return key or None


def ways_to(url: str, api_key: str | None = None) -> dict[str, Any]:
    """Return what a call of `requests` needs so that it reaches the server at `url` and no other.

    No redirect is followed: it would take the picture, and to another port the key, elsewhere. A
    server on this machine is reached without a proxy, whatever the environment says; one that is
    far goes the way that the environment names, as with curl.

    Raises:
        InferenceError: The environment names certificates that are not there.
    """
    ways: dict[str, Any] = {"auth": _OwnKey(api_key), "allow_redirects": False}
    if is_on_this_machine(url):
        # Empty and not None: `requests` takes None for a question to the environment.
        ways["proxies"] = {"http": "", "https": ""}
    if url.lower().startswith("https:"):
        ways["verify"] = _certificates()
    return ways


def is_on_this_machine(url: str) -> bool:
    """Say whether `url` names a loopback address."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_unspecified  # to connect to 0.0.0.0 is to stay here


def _is_root(url: str) -> bool:
    try:
        parts = urlsplit(url)
        requests.Request("GET", url).prepare()  # knows which names of hosts there can be
        is_whole = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except (ValueError, requests.RequestException):
        return False
    has_more = parts.query or parts.fragment or "\\" in url or " " in url or not url.isprintable()
    return bool(is_whole) and not has_more


def _certificates() -> str | bool:
    """Return where the certificates to trust are: True for those that come with `requests`."""
    for name in _CERTIFICATES:
        if path := os.environ.get(name):
            if not Path(path).exists():
                raise InferenceError(
                    f"{name} names certificates that are not there: {path}",
                    check=f"echo ${name}",
                    tip=f"Unset {name}, or let it name the file of the certificates to trust.",
                )
            return path
    return True
