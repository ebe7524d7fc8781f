"""An environment as companies set it up, and then some: nothing of it concerns this machine."""

from __future__ import annotations

from pathlib import Path

PROXY_VARIABLES = (
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
)


def variables(home: Path, proxy: str) -> dict[str, str]:
    """Return the variables; `home` gets a netrc with a login for everybody."""
    netrc = home / ".netrc"
    netrc.write_text("machine 127.0.0.1 login u password p\ndefault login u password p\n")
    netrc.chmod(0o600)
    return {
        **dict.fromkeys(PROXY_VARIABLES, proxy),
        "NO_PROXY": "",
        "no_proxy": "",
        "HOME": str(home),
        "NETRC": str(netrc),
        "REQUESTS_CA_BUNDLE": str(home / "missing.pem"),
    }
