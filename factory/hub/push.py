"""Uploads a bundle in one commit. Every fault is one line that names the repository and the remedy, never the token."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from factory import __version__
from factory.errors import UserError
from factory.hub.bundle import Bundle
from factory.hub.folder import Kind
from factory.storage import shown

_REPO = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?/[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
# what an earlier publishing wrote and this one did not: left there, old rows would mix with new ones
_OURS = {"dataset": re.compile(r"data/.+-\d{5}-of-\d{5}\.parquet"), "model": re.compile(r"[^/]+\.safetensors(?:\.index\.json)?")}


class Pushed(NamedTuple):
    """Where a bundle is now. `changed` is False where the repository held these very files already."""

    url: str
    commit: str
    private: bool
    changed: bool
    removed: tuple[str, ...]


def check_repo(repo: str) -> None:
    """Raises UserError where `repo` is no ORG/NAME as the Hub takes it."""
    if not _REPO.fullmatch(repo) or "--" in repo or ".." in repo or repo.endswith(".git"):
        raise UserError(f"--to {repo!r}: is no ORG/NAME. Use letters, digits, '-', '_' and '.', with one '/' between owner and name.")


def token() -> str:
    """The token from HF_TOKEN or from `hf auth login`. Raises UserError where there is none."""
    from huggingface_hub import get_token

    with _told("token", ""):
        secret = get_token()  # one from a browser's login may have to be renewed
    if not secret:
        raise UserError("no token: set HF_TOKEN to one with write access, or log in with 'hf auth login'. --dry-run needs none.")
    return secret


def endpoint() -> str:
    """The Hub's address: HF_ENDPOINT, or huggingface_hub's default. Raises UserError where a token would travel in clear."""
    from huggingface_hub import constants

    address = (os.environ.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")
    parts = urlsplit(address)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise UserError(f"HF_ENDPOINT={shown(address)!r}: the token would travel unencrypted. Give an https:// address.")
    return address


def push(bundle: Bundle, kind: Kind, name: str, repo: str, private: bool, secret: str, quiet: bool) -> Pushed:
    """Creates the repository where there is none and uploads the bundle in one commit. Raises UserError for all that can go wrong.

    Repeated after a fault, it sends what is missing; where nothing is missing it commits nothing.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, constants
    from huggingface_hub.errors import RepositoryNotFoundError
    from huggingface_hub.utils.tqdm import disable_progress_bars

    constants.HF_HUB_DISABLE_TELEMETRY = True  # the library would otherwise fetch a list to find out which program calls it
    if "HF_HUB_DISABLE_XET" not in os.environ:
        constants.HF_HUB_DISABLE_XET = True  # plain HTTP, which is what the tests compare; hf-xet also sends telemetry
    if quiet:
        disable_progress_bars()
    address = endpoint()
    api = HfApi(endpoint=address, token=secret, library_name="twllm", library_version=__version__)
    with _told(f"{shown(address)}: {repo}", secret):
        who = api.whoami()["name"]
        try:
            info: Any = api.repo_info(repo, repo_type=kind.repo_type)
        except RepositoryNotFoundError:
            api.create_repo(repo, repo_type=kind.repo_type, private=private, exist_ok=True)
            info = api.repo_info(repo, repo_type=kind.repo_type)
        if private and not info.private:
            raise UserError(f"{repo}: is public on the Hub, and --private is the default. Give --public, or make it private there first.")
        there = {sibling.rfilename for sibling in info.siblings or ()}
        stale = sorted(path for path in there - {file.path for file in bundle.files} if _OURS[kind.repo_type].fullmatch(path))
        operations: list[Any] = [CommitOperationDelete(path, is_folder=False) for path in stale]
        for file in bundle.files:
            operation = CommitOperationAdd(file.path, f"{bundle.folder}/{file.path}")
            operation.upload_info.sha256 = bytes.fromhex(file.sha256)
            operations.append(operation)
        rows = "" if bundle.rows is None else f": {bundle.rows:,} rows"
        commit = api.create_commit(
            repo, operations, repo_type=kind.repo_type, commit_message=f"Publish {' '.join(name.split())[:80]}{rows}",
            commit_description=f"By {who} with twllm {__version__}.", parent_commit=info.sha,
        )  # fmt: skip
    place = "datasets/" if kind.repo_type == "dataset" else ""
    return Pushed(f"{shown(address)}/{place}{repo}", commit.oid, info.private, commit.oid != info.sha, tuple(stale))


@contextmanager
def _told(where: str, secret: str) -> Iterator[None]:
    """Turns what the library raises into one line. Its own messages hold addresses with signatures, so only the server's words are kept."""
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    try:
        yield
    except UserError:
        raise
    except OfflineModeIsEnabled:
        raise UserError(f"{where}: HF_HUB_OFFLINE is set. Unset it to publish, or use --dry-run.") from None
    except Exception as error:
        chain = _chain(error)
        first = next((found for found in chain if isinstance(found, HfHubHTTPError | httpx2.TransportError)), None)
        if isinstance(first, HfHubHTTPError):
            raise UserError(_clean(f"{where}: {_answer(first)}", secret)) from None
        if first is not None:
            told = "cannot be reached, or the connection was cut. Nothing is half published: run the command again"
            raise UserError(f"{where}: {told}.") from None
        if isinstance(error, ValueError) and "README.md" in str(error):
            told = f"the Hub does not take the card: {error}. Correct the header of the run's README.md"
            raise UserError(_clean(f"{where}: {told}.", secret)) from None
        if isinstance(error, ValueError | RuntimeError):
            raise UserError(_clean(f"{where}: the upload failed: {str(error).rstrip('.')}. Run the command again.", secret)) from None
        raise


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _answer(error: Any) -> str:
    status = error.response.status_code
    said = f" ({error.server_message})" if error.server_message else ""
    remedies = {
        401: "the token is not valid. Set HF_TOKEN to a current one, or log in again with 'hf auth login'",
        403: "the token may not write there. Use one with write access to that organisation, or another --to",
        404: "is not there, or the token may not see it. Correct --to, or use a token with access",
        409: "is being changed by someone else. Run the command again",
        412: "was changed by someone else meanwhile. Run the command again",
        413: "the Hub finds the upload too large. Publish in parts",
        429: "the Hub asks to slow down. Run the command again later",
    }
    return f"answer {status}{said}: {remedies.get(status, 'the Hub failed. Run the command again')}."


def _clean(text: str, secret: str) -> str:
    """Without the token and without what stands behind '?' in addresses."""
    return re.sub(r"(https?://[^\s?'\"]+)\?[^\s'\"]*", r"\1", text.replace(secret, "…") if secret else text)
