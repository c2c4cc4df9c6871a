"""One review server's folder: where it is, what lies in it, and who may log in. Files are 0600, the folder 0700."""

from __future__ import annotations

import json
import os
import re
import secrets
import string
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from factory.errors import UserError

LOOPBACK = "127.0.0.1"
WORKSPACE = "review"
OWNER = "owner"
AUTH_KEY_BYTES = 32
_OURS = {"accounts.json", "instance.json", "lock", "logs", "pseudonyms.key", "redis", "reviews", "run", "secrets.json", "tmp"}
_NOT_IN_URL = re.compile(r"[?#%\x00-\x1f\x7f]")
_LETTERS_AND_DIGITS = string.ascii_letters + string.digits


class Account(NamedTuple):
    """One who may log in: `password` for the page, `api_key` for programs."""

    name: str
    password: str
    api_key: str


class Instance(NamedTuple):
    """A running server and its accounts."""

    home: str
    url: str
    workspace: str
    owner: Account
    annotators: tuple[Account, ...]


class Settings(NamedTuple):
    """What stays the same from one start to the next. Stored in `instance.json`, without anything secret."""

    port: int
    schema: str = ""  # Argilla's version / revision of the database; empty before the first migration
    shown: tuple[str, ...] = ()  # names of the accounts whose passwords were printed
    renewed: tuple[str, ...] = ()  # names of those whose new passwords are on file and perhaps not in the database yet


class Home(NamedTuple):
    """The folder of one server and the places in it."""

    path: Path

    @property
    def settings(self) -> Path:
        return self.path / "instance.json"

    @property
    def secrets(self) -> Path:
        return self.path / "secrets.json"

    @property
    def accounts(self) -> Path:
        return self.path / "accounts.json"

    @property
    def database(self) -> Path:
        return self.path / "argilla.db"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def run(self) -> Path:
        return self.path / "run"

    @property
    def temporary(self) -> Path:
        return self.path / "tmp"

    def log(self, role: str) -> Path:
        return self.logs / f"{role}.log"


def home(chosen: str | None = None) -> Home:
    """The folder that `--home`, else TWLLM_REVIEW_HOME, else the user's data folder names."""
    named = chosen or os.environ.get("TWLLM_REVIEW_HOME")
    if named:
        return Home(Path(named).expanduser().absolute())
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return Home(data / "twllm" / "review")


def prepare(place: Home) -> None:
    """Makes the folder and closes it to others. Raises UserError where it is another's, holds something else, or cannot have its name."""
    if _NOT_IN_URL.search(str(place.path)):
        raise UserError(f"{str(place.path)!r} holds one of ? # % or a control character, which no database URL may; choose another --home")
    if strangers := [] if place.settings.exists() or not place.path.is_dir() else sorted({*os.listdir(place.path)} - _OURS):
        raise UserError(f"{place.path} holds {strangers[0]!r} and no review server; choose an empty or new folder with --home")
    for folder in (place.path, place.logs, place.run, place.temporary):
        try:
            folder.mkdir(mode=0o700, parents=folder is place.path, exist_ok=True)
        except (FileExistsError, NotADirectoryError, PermissionError) as error:
            raise UserError(f"{folder} cannot be a folder of the review server ({error.strerror}); choose another with --home") from None
        if folder.stat().st_uid != os.getuid():
            raise UserError(f"{folder} belongs to another user; choose another with --home")
        folder.chmod(0o700)


def write_private(path: Path, content: Any) -> None:
    """JSON, whole or not at all, readable by its owner alone."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mkstemp makes it 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(content, stream, ensure_ascii=False, indent=1)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read_private(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (ValueError, OSError) as error:
        raise UserError(f"{path} cannot be read ({error}); restore the folder from a backup with `twllm review restore`") from None


def read_settings(place: Home) -> Settings | None:
    """None where no server has ever been started in that folder."""
    if not place.settings.exists():
        return None
    found = read_private(place.settings)
    try:
        shown, renewed = (tuple(map(str, found.get(key, ()))) for key in ("shown", "renewed"))
        return Settings(int(found["port"]), str(found.get("schema", "")), shown, renewed)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UserError(f"{place.settings} states no port; restore the folder from a backup with `twllm review restore`") from None


def write_settings(place: Home, settings: Settings) -> None:
    write_private(place.settings, settings._asdict())


def secret_of(place: Home) -> dict[str, str]:
    """The key that signs logins, and the mark by which this folder's processes are known. Made the first time."""
    if not place.secrets.exists():
        write_private(place.secrets, {"auth_secret_key": secrets.token_hex(AUTH_KEY_BYTES), "mark": secrets.token_hex(16)})
    found = read_private(place.secrets)
    if not isinstance(found, dict) or not all(isinstance(found.get(key), str) and found[key] for key in ("auth_secret_key", "mark")):
        raise UserError(f"{place.secrets} lacks its keys; restore the folder from a backup with `twllm review restore`")
    return found


def new_account(name: str) -> Account:
    """With a password of 20 letters and digits (119 bits) and a key of 40, easy to copy by a double click."""
    return Account(name, _random(20), _random(40))


def _random(length: int) -> str:
    return "".join(secrets.choice(_LETTERS_AND_DIGITS) for _ in range(length))


def read_accounts(place: Home) -> tuple[str, Account, tuple[Account, ...]]:
    """Workspace, owner, annotators."""
    found = read_private(place.accounts)
    try:
        annotators = tuple(Account(**account) for account in found["annotators"])
        return str(found["workspace"]), Account(**found["owner"]), annotators
    except (KeyError, TypeError):
        raise UserError(f"{place.accounts} lacks its accounts; restore the folder from a backup with `twllm review restore`") from None


def write_accounts(place: Home, workspace: str, owner: Account, annotators: tuple[Account, ...]) -> None:
    content = {"workspace": workspace, "owner": owner._asdict(), "annotators": [account._asdict() for account in annotators]}
    write_private(place.accounts, content)


def url(port: int) -> str:
    return f"http://{LOOPBACK}:{port}"


def load(home_path: str | None = None) -> Instance:
    """The server that runs in that folder (see `home`). Raises UserError where none is up."""
    from curation.server.processes import running

    place = home(home_path)
    settings = read_settings(place)
    if settings is None or not running(place, "server"):
        raise UserError(f"no review server is up in {place.path}; start one with `twllm review up`")
    workspace, owner, annotators = read_accounts(place)
    return Instance(str(place.path), url(settings.port), workspace, owner, annotators)
