"""Redis for one server: reached by a socket in the private folder alone, no TCP port, its queue kept on disk there."""

from __future__ import annotations

import re
import socket
import tempfile
from pathlib import Path

from curation.server.instance import Home, secret_of
from factory.errors import UserError

_SOCKET_PATH = re.compile(r"[A-Za-z0-9/._-]{1,100}")  # the system's limit is 108 bytes, on macOS 104; Redis's client trips over spaces


def socket_path(place: Home) -> Path:
    """Within the folder; where a socket cannot have its path, in a private folder of the system's temporary one."""
    path = place.run / "redis.sock"
    if _SOCKET_PATH.fullmatch(str(path)):
        return path
    folder = Path(tempfile.gettempdir()) / f"twllm-{secret_of(place)['mark'][:16]}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != place.path.stat().st_uid or folder.stat().st_mode & 0o077:
        raise UserError(f"{folder} is not private to you; delete it, or choose a shorter --home")
    return folder / "redis.sock"


def clear_socket(place: Home) -> None:
    """Takes away what a Redis that was killed has left, and the folder made for the socket outside the server's own."""
    path = socket_path(place)
    path.unlink(missing_ok=True)
    if path.parent != place.run:
        path.parent.rmdir()


def url(place: Home) -> str:
    return f"unix://{socket_path(place)}?db=0"


def write_configuration(place: Home) -> Path:
    """The file that redis-server is started with."""
    data = place.path / "redis"
    data.mkdir(mode=0o700, exist_ok=True)
    lines = [
        "port 0",
        f"unixsocket {_quoted(socket_path(place))}",
        "unixsocketperm 700",
        "daemonize no",
        f"dir {_quoted(data)}",
        'save ""',
        "appendonly yes",
        "appendfsync everysec",
        "set-proc-title no",
    ]
    path = place.run / "redis.conf"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    path.chmod(0o600)
    return path


def answers(place: Home) -> bool:
    """Whether Redis is there and has read its data."""
    try:
        with socket.socket(socket.AF_UNIX) as asked:
            asked.settimeout(2.0)
            asked.connect(str(socket_path(place)))
            asked.sendall(b"PING\r\n")
            return asked.recv(64).startswith(b"+PONG")
    except OSError:
        return False


def _quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
