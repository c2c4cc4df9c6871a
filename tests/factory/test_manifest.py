"""An output is reused exactly when the same things would make it, and one folder belongs to one run at a time."""

from __future__ import annotations

import hashlib
import importlib
import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.errors import UserError
from factory.manifest import code_digest, digest, exclusive, read_record, write_record

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


def shuffled(value: Any, order: random.Random) -> Any:
    """The same value with the keys of every mapping in another order."""
    if isinstance(value, dict):
        keys = list(value)
        order.shuffle(keys)
        return {key: shuffled(value[key], order) for key in keys}
    return [shuffled(item, order) for item in value] if isinstance(value, list) else value


def test_a_digest_is_the_sha_256_of_compact_json() -> None:
    assert digest({"b": [1, "台"], "a": None}) == hashlib.sha256('{"a":null,"b":[1,"台"]}'.encode()).hexdigest()


@given(json_values, st.randoms(use_true_random=False))
def test_a_digest_does_not_depend_on_the_order_of_keys(value: Any, order: random.Random) -> None:
    assert digest(value) == digest(shuffled(value, order))


@given(json_values, json_values)
def test_different_values_have_different_digests(first: Any, second: Any) -> None:
    assert (digest(first) == digest(second)) == (json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True))


def test_a_digest_depends_on_the_order_of_lists() -> None:
    assert digest(["a", "b"]) != digest(["b", "a"])


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A small package of code and data, importable as `digested`."""
    folder = tmp_path / "digested"
    for name, content in {
        "__init__.py": "",
        "one.py": "A = 1\n",
        "data/words.txt": "台灣\n",
        "deep/__init__.py": "",
        "deep/two.py": "B = 2\n",
        "deep/data/list.tsv": "a\t1\n",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == "digested"]:
        del sys.modules[name]
    code_digest.cache_clear()


def digest_now(*packages: str, distributions: tuple[str, ...] = ()) -> str:
    """As a new process would compute it."""
    code_digest.cache_clear()
    return code_digest(packages, distributions)


def append(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\n")


CHANGES: dict[str, Callable[[Path], object]] = {
    "source": lambda folder: append(folder / "one.py"),
    "source below": lambda folder: append(folder / "deep" / "two.py"),
    "data": lambda folder: append(folder / "data" / "words.txt"),
    "data below": lambda folder: append(folder / "deep" / "data" / "list.tsv"),
    "one character of data": lambda folder: (folder / "data" / "words.txt").write_text("台湾\n", encoding="utf-8"),
    "a new file": lambda folder: (folder / "data" / "new.txt").touch(),
    "a removed file": lambda folder: (folder / "data" / "words.txt").unlink(),
    "a renamed file": lambda folder: (folder / "data" / "words.txt").rename(folder / "data" / "terms.txt"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_packages_digest_changes_with(package: Path, change: str) -> None:
    before = digest_now("digested")
    CHANGES[change](package)
    assert digest_now("digested") != before


def test_contents_that_swap_their_names_change_the_digest(package: Path) -> None:
    before = digest_now("digested")
    (package / "one.py").write_text("B = 2\n")
    (package / "deep" / "two.py").write_text("A = 1\n")
    assert digest_now("digested") != before


@pytest.mark.parametrize(
    "name", ["__pycache__/one.cpython-311.pyc", "deep/__pycache__/x.txt", "k-1.py311.nbi", "k-1.py311.1.nbc", "one.pyc"]
)
def test_what_python_and_numba_compiled_does_not_count(package: Path, name: str) -> None:
    before = digest_now("digested")
    (package / name).parent.mkdir(exist_ok=True)
    (package / name).write_bytes(b"compiled")
    assert digest_now("digested") == before


def test_the_digest_of_a_module_is_that_of_its_one_file(package: Path) -> None:
    before = digest_now("digested.deep.two")
    append(package / "one.py")
    append(package / "deep" / "data" / "list.tsv")
    assert digest_now("digested.deep.two") == before
    append(package / "deep" / "two.py")
    assert digest_now("digested.deep.two") != before


def test_a_package_below_stands_for_what_is_below_it(package: Path) -> None:
    before = digest_now("digested.deep")
    append(package / "one.py")
    assert digest_now("digested.deep") == before
    append(package / "deep" / "data" / "list.tsv")
    assert digest_now("digested.deep") != before


def test_the_digest_covers_the_versions_of_libraries(package: Path) -> None:
    digests = {digest_now("digested", distributions=names) for names in ((), ("pydantic",), ("pydantic", "fsspec"))}
    assert len(digests) == 3


def test_a_library_that_is_not_installed_is_an_error(package: Path) -> None:
    with pytest.raises(PackageNotFoundError):
        digest_now("digested", distributions=("no-such-distribution-of-twllm",))


def test_the_digest_is_the_same_in_another_process(package: Path) -> None:
    code = "import sys; from factory.manifest import code_digest; print(code_digest(('digested',), ('pydantic',)))"
    environment = {"PYTHONPATH": f"{package.parent}:{Path(__file__).parents[2]}", "PYTHONHASHSEED": "7"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == digest_now("digested", distributions=("pydantic",))


@pytest.fixture(params=["local", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An output folder with two files, on disk and on a remote file system."""
    place = str(tmp_path) if request.param == "local" else f"memory://{tmp_path.name}"
    for name, content in (("b.bin", b"12345"), ("a.bin", b"")):
        with fsspec.open(f"{place}/{name}", "wb") as stream:
            stream.write(content)
    yield place
    if request.param == "memory":
        fsspec.filesystem("memory").rm(f"/{tmp_path.name}", recursive=True)


def put(path: str, content: bytes) -> None:
    with fsspec.open(path, "wb") as stream:
        stream.write(content)


def remove(path: str) -> None:
    fs, inner = fsspec.core.url_to_fs(path)
    fs.rm(inner)


def test_a_record_holds_key_files_and_facts_and_is_read_back(folder: str) -> None:
    written = write_record(f"{folder}/stage.json", "k1", ["b.bin", "a.bin"], rows=7, note="完成")
    assert written == {
        "key": "k1",
        "files": {
            "a.bin": {"bytes": 0, "sha256": hashlib.sha256(b"").hexdigest()},
            "b.bin": {"bytes": 5, "sha256": hashlib.sha256(b"12345").hexdigest()},
        },
        "rows": 7,
        "note": "完成",
    }
    assert read_record(f"{folder}/stage.json", "k1") == written


def test_the_bytes_of_a_record_do_not_depend_on_the_order_given(folder: str) -> None:
    write_record(f"{folder}/one.json", "k1", ["a.bin", "b.bin"], x=1, y=2)
    write_record(f"{folder}/two.json", "k1", ["b.bin", "a.bin"], y=2, x=1)
    with fsspec.open(f"{folder}/one.json") as one, fsspec.open(f"{folder}/two.json") as two:
        assert one.read() == two.read()


DAMAGE: dict[str, Callable[[str], object]] = {
    "a file is missing": lambda folder: remove(f"{folder}/b.bin"),
    "a file is truncated": lambda folder: put(f"{folder}/b.bin", b"1234"),
    "a file is empty": lambda folder: put(f"{folder}/b.bin", b""),
    "a file is longer": lambda folder: put(f"{folder}/b.bin", b"123456"),
    "an empty file is missing": lambda folder: remove(f"{folder}/a.bin"),
    "the record is missing": lambda folder: remove(f"{folder}/stage.json"),
    "the record is empty": lambda folder: put(f"{folder}/stage.json", b""),
    "the record is cut": lambda folder: put(f"{folder}/stage.json", b'{"key": "k1", "files": {'),
    "the record is no UTF-8": lambda folder: put(f"{folder}/stage.json", b'{"key": "\xff"}'),
    "the record is a list": lambda folder: put(f"{folder}/stage.json", b'["k1"]'),
    "the record has no key": lambda folder: put(f"{folder}/stage.json", b'{"files": {}}'),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_stage_is_done_again_when(folder: str, damage: str) -> None:
    write_record(f"{folder}/stage.json", "k1", ["a.bin", "b.bin"])
    assert read_record(f"{folder}/stage.json", "k1") is not None
    DAMAGE[damage](folder)
    assert read_record(f"{folder}/stage.json", "k1") is None


@pytest.mark.parametrize("key", ["k2", "", "K1", "k"])
def test_a_record_with_another_key_is_not_reused(folder: str, key: str) -> None:
    write_record(f"{folder}/stage.json", "k1", [])
    assert read_record(f"{folder}/stage.json", key) is None


def test_a_record_that_names_a_missing_file_is_never_written(folder: str) -> None:
    with pytest.raises(UserError, match="absent.bin"):
        write_record(f"{folder}/stage.json", "k1", ["a.bin", "absent.bin"])
    assert read_record(f"{folder}/stage.json", "k1") is None


def test_a_folder_that_another_run_holds_is_refused(tmp_path: Path) -> None:
    folder = str(tmp_path / "new" / "run")
    with exclusive(folder), pytest.raises(UserError) as caught, exclusive(folder):
        pytest.fail("two runs hold one folder")
    assert str(caught.value) == f"{folder}: another run is writing there. Wait for it, or choose another output."


def test_a_folder_is_free_after_a_run_and_after_a_failed_one(tmp_path: Path) -> None:
    with exclusive(str(tmp_path)):
        pass
    with pytest.raises(ZeroDivisionError), exclusive(str(tmp_path)):
        raise ZeroDivisionError
    with exclusive(str(tmp_path)):
        pass


def test_two_folders_are_held_at_once(tmp_path: Path) -> None:
    with exclusive(str(tmp_path / "a")), exclusive(str(tmp_path / "b")):
        pass


def test_another_process_is_refused_until_the_holder_is_killed(tmp_path: Path) -> None:
    code = "import sys; from factory.manifest import exclusive\nwith exclusive(sys.argv[1]): print('held', flush=True); sys.stdin.read()"
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(UserError, match="another run is writing there"), exclusive(str(tmp_path)):
            pass
        holder.kill()
    with exclusive(str(tmp_path)):
        pass


def test_a_place_that_cannot_be_written_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder = str(tmp_path / "file" / "run")
    with pytest.raises(UserError) as caught, exclusive(folder):
        pass
    assert str(caught.value) == f"{folder}: cannot write there: Not a directory. Choose another 'output' or --output."
