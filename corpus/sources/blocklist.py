"""Lists of domains and addresses that a recipe does not want: UT1 folders, hosts files and plain lists, matched by label and segment."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote, urlsplit

import idna
from fsspec.core import url_to_fs

from factory.errors import UserError
from factory.storage import READ_ERRORS, list_files, open_binary

MAX_LINE_BYTES = 8192
MAX_SEGMENTS = 64  # of an address that are compared
UT1_NAMES = ("domains", "urls")  # https://dsi.ut-capitole.fr/blacklists/: a folder a category, these two files in each
MAX_BAD_SHARE = 0.5  # of a file's lines; above it the file is no list
_LOCAL = frozenset(
    {"localhost", "localhost.localdomain", "local", "broadcasthost", "ip6-localhost", "ip6-loopback", "ip6-localnet"}
    | {"ip6-mcastprefix", "ip6-allnodes", "ip6-allrouters", "ip6-allhosts", "0.0.0.0"}  # noqa: S104
)
_USUAL = ("0.0.0.0", "127.0.0.1")  # noqa: S104
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_DOMAIN = re.compile(rf"(?=.{{3,253}}\Z)(?:{_LABEL}\.)+(?=[^.]*[a-z_]){_LABEL}")
_NUMERIC = re.compile(r"(?:0x[0-9a-f]*|\d+)(?:\.(?:0x[0-9a-f]*|\d+)){0,3}")
_COMMENT = re.compile(r"(?:^|\s)#.*")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


@dataclass(frozen=True)
class Blocklist:
    """Domains, IP addresses and address prefixes, normalised. About 105 MB and 3 s to load a million (measured, random .com names).

    `example.com` blocks itself and all domains below it, `192.0.2.1` and `2001:db8::1` that host alone, `example.com/path` that
    path and all below it. `bad_lines` counts lines that were none of these.
    """

    entries: Set[str]
    has_paths: bool = False
    bad_lines: int = 0

    @classmethod
    def load(cls, paths: Iterable[str]) -> Blocklist:
        """Reads files and folders (fsspec paths). In a folder with UT1's `domains` and `urls` files only these are read.

        A line is a domain, an address, or `0.0.0.0 host ...` of a hosts file; `#` begins a comment. Raises UserError for a path
        that matches nothing, a file that cannot be read, and one of which more than half the lines are none of these.
        """
        return _load(tuple(list_paths(paths)))

    @classmethod
    def load_once(cls, paths: Iterable[str]) -> Blocklist:
        """`load`, or the last list that this process loaded where it was of the same files and they have not changed."""
        files = tuple(list_paths(paths))
        return _load_states(files, tuple(_state(file) for file in files))

    def match(self, url: str) -> str | None:
        """The entry that blocks an address, the most general one first; None where none does, or where it is no address."""
        if not self.entries:
            return None
        try:
            parts = urlsplit(url if _SCHEME.match(url) else f"//{url.removeprefix('//')}")
            host = normal_host(parts.hostname or "")
        except ValueError:
            return None
        if not host:
            return None
        names = [host] if _is_address(host) else list(_parents(host))
        found = next((name for name in names if name in self.entries), None)
        if found or not self.has_paths:
            return found
        prefixes = list(_prefixes(parts.path, parts.query))
        return next((f"{name}{prefix}" for prefix in prefixes for name in names if f"{name}{prefix}" in self.entries), None)


def _load(files: tuple[str, ...]) -> Blocklist:
    entries: set[str] = set()
    bad_lines = sum(_read(file, entries) for file in files)
    return Blocklist(entries, any("/" in entry for entry in entries), bad_lines)


@lru_cache(maxsize=1)  # a process reads many parts of one source, and a list can be large
def _load_states(files: tuple[str, ...], states: tuple[str, ...]) -> Blocklist:
    return _load(files)


def _state(path: str) -> str:
    fs, target = url_to_fs(path)
    return str(fs.ukey(target))


def _read(path: str, entries: set[str]) -> int:
    """Adds the entries of one file; gives the number of its bad lines."""
    good = bad = 0
    try:
        with open_binary(path) as stream:
            while line := stream.readline(MAX_LINE_BYTES):
                found = _entries(line)
                if found is None:
                    bad += 1
                    while line and not line.endswith(b"\n"):  # the rest of a line that is too long
                        line = stream.readline(MAX_LINE_BYTES)
                elif found:
                    good += 1
                    entries.update(found)
    except READ_ERRORS as error:
        raise UserError(f"blocklist {path}: cannot be read: {error}. Correct the path or replace the file.") from error
    if bad > MAX_BAD_SHARE * (good + bad):
        raise UserError(
            f"blocklist {path}: {bad} of {good + bad} lines are neither domain, address nor hosts line, so it is no list; "
            "give a UT1 folder, a hosts file or a list with one domain a line."
        )
    if not good and path.replace("\\", "/").rpartition("/")[2] not in UT1_NAMES:
        raise UserError(f"blocklist {path}: holds no entry; remove it from the recipe or replace the file.")
    return bad


def list_paths(paths: Iterable[str]) -> list[str]:
    """The files that `Blocklist.load` reads, each once. Raises UserError for a path that matches nothing."""
    found: dict[str, None] = {}
    for path in paths:
        files = list_files(path)
        if not files:
            raise UserError(f"blocklist {path}: matches no file; correct the path or remove it.")
        categories = [file for file in files if file.replace("\\", "/").rpartition("/")[2] in UT1_NAMES]
        found.update(dict.fromkeys(categories or files))
    return list(found)


def normal_host(host: str) -> str:
    """One spelling of a host: lower case, punycode, no final dot, IPv4 in four decimal numbers, IPv6 as short as it goes.

    A name that IDNA refuses (an underscore, an emoji) is kept as it stands in lower case.
    """
    host = host.strip().lower().rstrip(".").removeprefix("[").removesuffix("]")
    if ":" in host:
        try:
            return str(ipaddress.IPv6Address(host.partition("%")[0]))
        except ValueError:
            return ""
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True, transitional=False).decode("ascii")
        except UnicodeError:  # idna's own error is one
            return host
    if _NUMERIC.fullmatch(host):
        try:
            return str(ipaddress.IPv4Address(socket.inet_aton(host)))
        except OSError:
            return host
    return host


def _is_address(host: str) -> bool:
    return ":" in host or host.rpartition(".")[2].isdigit()


def _parents(host: str) -> Iterator[str]:
    """The domain and those above it that still have a dot, the shortest first."""
    labels = host.split(".")
    for start in range(len(labels) - 2, -1, -1):
        yield ".".join(labels[start:])


def _prefixes(path: str, query: str) -> Iterator[str]:
    whole = _normal_path(path, query)
    segments = whole.partition("?")[0].split("/")[1 : MAX_SEGMENTS + 1]
    for end in range(1, len(segments) + 1):
        yield "/" + "/".join(segments[:end])
    if "?" in whole:
        yield whole


def _normal_path(path: str, query: str) -> str:
    bare = "/" + "/".join(part for part in unquote(path).split("/") if part)
    return f"{bare}?{unquote(query)}" if query else bare


def _entries(line: bytes) -> list[str] | None:
    """The entries of a line, none for a blank line, a comment or a local name; None for a bad line."""
    if not line.endswith(b"\n") and len(line) >= MAX_LINE_BYTES:
        return None
    try:
        text = _COMMENT.sub("", line.decode("utf-8-sig")).strip()
    except UnicodeDecodeError:
        return None
    if not text:
        return []
    if _DOMAIN.fullmatch(text):
        return [text] if text not in _LOCAL else []
    words = text.split()
    if len(words) > 1:
        if words[0] not in _USUAL and not _literal_address(words[0]):
            return None
        words = words[1:]
        made = [None if "/" in word else _entry(word) for word in words if word.lower() not in _LOCAL]
    else:
        made = [_entry(words[0])] if words[0].lower() not in _LOCAL else []
    entries = [entry for entry in made if entry]
    return entries if len(entries) == len(made) else None


def _literal_address(word: str) -> bool:
    try:
        ipaddress.ip_address(word.partition("%")[0])
    except ValueError:
        return False
    return True


def _entry(word: str) -> str | None:
    if _DOMAIN.fullmatch(word):
        return word
    word = word.removeprefix("*.").lstrip(".")
    try:
        parts = urlsplit(word if _SCHEME.match(word) else f"//{word}")
        host = normal_host(parts.hostname or "") if not _literal_address(word) else normal_host(word)
    except ValueError:
        return None
    if not (_DOMAIN.fullmatch(host) or _literal_address(host)):
        return None
    path = "" if _literal_address(word) else _normal_path(parts.path, parts.query)
    return host if path in ("", "/") else f"{host}{path}"
