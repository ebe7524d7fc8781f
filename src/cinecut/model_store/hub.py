"""The one door to the Hugging Face Hub: asks for a file, and appends its bytes to one of ours.

`hf_hub_download` is not used: in present versions it throws a partial file away when its process
ends, and it compares a file's size and not its checksum. `http_get`, of the same package, goes on
where a file ends. HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE and the other HF_... settings hold.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import BinaryIO, Final

from cinecut.errors import DownloadError, UsageError

_SHA256: Final = re.compile(r"[0-9a-f]{64}")
# The package takes 10 MiB at a time: what a broken connection loses, and what progress jumps by.
_CHUNK_BYTES: Final = 1 << 20


@dataclass(frozen=True)
class RemoteFile:
    """A file of the hub, as it is there now."""

    repo: str
    path: str
    url: str
    size_bytes: int
    etag: str

    @property
    def sha256(self) -> str | None:
        """Its checksum; None where the hub does not tell one.

        The hub gives the SHA-256 of a large file as its etag:
        https://huggingface.co/docs/huggingface_hub/package_reference/file_download
        """
        return self.etag if _SHA256.fullmatch(self.etag) else None


def cache_folder() -> Path:
    """Return the folder where the hub's own tools keep what they have downloaded.

    Raises:
        UsageError: A variable that begins with HF_ has a value that cannot be.
    """
    with _importing():
        from huggingface_hub.constants import HF_HUB_CACHE
    return Path(HF_HUB_CACHE)


def look_up(repo: str, path: str) -> RemoteFile:
    """Ask the hub for the file at `path` of a repository.

    Raises:
        DownloadError: There is no such file, it may not be read, or the hub does not answer.
    """
    with _explained(repo, path):
        from huggingface_hub import get_hf_file_metadata, hf_hub_url

        url = hf_hub_url(repo, path)
        facts = get_hf_file_metadata(url)
    if not facts.size or not facts.etag:
        raise DownloadError(path, f"The hub does not tell the size of this file of {repo}.")
    return RemoteFile(repo, path, url, facts.size, facts.etag)


def append_missing(remote: RemoteFile, file: BinaryIO) -> None:
    """Append to `file`, which holds the beginning of `remote`, what is missing.

    As long as something comes, a connection that breaks is made anew.

    Raises:
        DownloadError: The hub refuses, or the connection is gone.
        OSError: `file` cannot be written.
    """
    from huggingface_hub import constants
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined] # by __getattr__

    constants.DOWNLOAD_CHUNK_SIZE = _CHUNK_BYTES
    while True:
        here_bytes = file.tell()
        try:
            with _explained(remote.repo, remote.path):
                http_get(
                    remote.url,
                    file,
                    resume_size=here_bytes,
                    # Else a cache in between may compress, and a part of that is no use.
                    headers={**build_hf_headers(), "Accept-Encoding": "identity"},
                    expected_size=remote.size_bytes,
                )
        except DownloadError:
            if file.tell() <= here_bytes:
                raise
        else:
            return


@contextmanager
def _explained(repo: str, path: str) -> Iterator[None]:
    """Keep the package silent, and turn what it raises into our error."""
    with _importing():
        from huggingface_hub import constants

        # HTTPError: the base of all that its HTTP library raises, whichever it is.
        from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]
        from huggingface_hub.utils import disable_progress_bars  # type: ignore[attr-defined]

        disable_progress_bars()
        library = import_module(HTTPError.__module__.partition(".")[0])
        # An address that cannot be, in HF_ENDPOINT or of a proxy.
        invalid_url: type[Exception] = getattr(library, "InvalidURL", ValueError)
    constants.HF_HUB_DISABLE_TELEMETRY = True  # it asks the hub for more than the files
    logging.getLogger("huggingface_hub").setLevel(logging.CRITICAL)
    try:
        yield
    except (HTTPError, OSError, ValueError, invalid_url) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of our file, not of the connection
        raise _download_error(repo, path, error) from error


def _download_error(repo: str, path: str, error: Exception) -> DownloadError:
    from huggingface_hub import errors

    if isinstance(error, errors.OfflineModeIsEnabled):
        return DownloadError(
            path,
            "HF_HUB_OFFLINE is set, so nothing is asked of the hub.",
            check="echo $HF_HUB_OFFLINE",
            tip="unset HF_HUB_OFFLINE",
        )
    if isinstance(error, errors.GatedRepoError):
        return DownloadError(
            path,
            f"Who wants {repo} has to agree to its licence first.",
            check=f"The page of {repo} on the hub.",
            tip="Agree there, make a token, and set it: export HF_TOKEN=...",
        )
    if isinstance(error, errors.RepositoryNotFoundError | errors.HFValidationError):
        return DownloadError(
            path,
            f"The hub has no repository {repo}, or does not show it without a token.",
            check="The name: OWNER/NAME, as in the address of the model's page.",
            tip="cinecut models list shows those that are known. For a private one: "
            "export HF_TOKEN=...",
        )
    if isinstance(error, errors.EntryNotFoundError):
        return DownloadError(
            path,
            f"The repository {repo} has no such file.",
            check=f"The files that the page of {repo} on the hub lists.",
            tip="Name both as they are called there: --file FILE --mmproj-file FILE",
        )
    if isinstance(error, errors.HfHubHTTPError):
        return DownloadError(path, f"The hub answered with status {error.response.status_code}.")
    reason = (str(error) or type(error).__name__).splitlines()[0]
    return DownloadError(path, f"The connection to the hub failed: {reason}")


@contextmanager
def _importing() -> Iterator[None]:
    """For the imports, which read the user's settings, and warn of some."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except ValueError as error:
            raise UsageError(
                f"huggingface_hub cannot use one of its settings: {error}",
                tip="Mend or unset the variable that it is about: env | grep HF_",
            ) from error
