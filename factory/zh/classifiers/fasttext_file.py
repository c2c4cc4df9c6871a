"""Reads a supervised fastText model file (`.bin` or `.ftz`) as what it is for prediction: one number a token and label.

fastText predicts from the mean of its tokens' vectors, times the output matrix (Joulin et al. 2016, arXiv:1607.01759). Both
steps are linear, so the vectors are multiplied by the output matrix once, at load: a score is then a mean of table rows, and
each row says what its token adds to each label. The file is read as data, field by field, because the library's own reader
trusts the sizes that a file states.
"""

from __future__ import annotations

import hashlib
import struct
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from factory.errors import UserError

Matrix = npt.NDArray[np.float32]

MAX_BYTES = 256 << 20  # of a model file
_MAGIC, _VERSION = 793712314, 12
_SUPERVISED, _SOFTMAX, _ONE_VS_ALL = 3, 3, 4
_LOSSES = {_SOFTMAX: "softmax", _ONE_VS_ALL: "ova"}
_PREFIX = "__label__"
_CENTROIDS = 256  # of a sub-quantizer: codes are bytes
END = "</s>"  # the token that fastText adds at the end of a line


class LinearModel(NamedTuple):
    """A fastText classifier, its matrices multiplied."""

    labels: tuple[str, ...]
    loss: str  # softmax, or ova (independent labels)
    tokens: tuple[str, ...]
    weights: Matrix  # shape (tokens, labels): what a token adds to the sum that is divided by the number of tokens


def sha256(blob: bytes) -> str:
    """Hex digest of a model file."""
    return hashlib.sha256(blob).hexdigest()


def encode(model: LinearModel) -> bytes:
    """A model as a fastText file: the weights are the tokens' vectors, one dimension a label, and the output matrix is the identity."""
    labels, size = len(model.labels), len(model.tokens) + len(model.labels)
    loss = {name: code for code, name in _LOSSES.items()}[model.loss]
    parts = [
        struct.pack("<ii", _MAGIC, _VERSION),
        struct.pack("<12id", labels, 5, 1, 1, 0, 1, loss, _SUPERVISED, 0, 0, 0, 100, 1e-4),
        struct.pack("<iiiqq", size, len(model.tokens), labels, size, -1),
    ]
    parts += [token.encode() + b"\0" + struct.pack("<qb", 1, 0) for token in model.tokens]
    parts += [(_PREFIX + label).encode() + b"\0" + struct.pack("<qb", 1, 1) for label in model.labels]
    for matrix in (model.weights, np.eye(labels)):
        parts += [struct.pack("<?qq", False, *matrix.shape), np.ascontiguousarray(matrix, "<f4").tobytes()]
    return b"".join(parts)


class _Damaged(Exception):
    """What is wrong with the file."""


def parse(blob: bytes, name: str) -> LinearModel:
    """The model in the bytes of a file called `name`.

    Raises UserError for a file that is cut, damaged, of another format or task, or that uses features that this
    package does not apply (subwords, hashed n-grams, hierarchical softmax). Memory: a few times the file's size.
    """
    try:
        return _parse(_Reader(blob))
    except _Damaged as error:
        raise UserError(
            f"{name}: is no usable fastText classifier: {error}. Train it with 'twllm classifiers train', or fetch it again."
        ) from None


class _Reader:
    """Takes fields off a buffer; every size is checked against what is left."""

    def __init__(self, blob: bytes) -> None:
        self.blob, self.position = blob, 0

    def bytes(self, count: int) -> bytes:
        if count < 0 or self.position + count > len(self.blob):
            raise _Damaged(f"the file ends at byte {len(self.blob):,} inside a field of {count:,} bytes")
        self.position += count
        return self.blob[self.position - count : self.position]

    def fields(self, layout: str) -> tuple[Any, ...]:
        return struct.unpack("<" + layout, self.bytes(struct.calcsize("<" + layout)))

    def flag(self) -> bool:
        value = self.bytes(1)[0]
        if value > 1:
            raise _Damaged(f"a yes-or-no field holds {value}")
        return bool(value)

    def word(self) -> str:
        end = self.blob.find(b"\0", self.position, self.position + 1_000)
        if end < 0:
            raise _Damaged("an entry of the dictionary has no end")
        raw = self.bytes(end - self.position)
        self.position += 1
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            raise _Damaged("an entry of the dictionary is not UTF-8") from None

    def floats(self, rows: int, columns: int) -> Matrix:
        if rows < 0 or columns <= 0:
            raise _Damaged(f"a matrix of {rows} x {columns}")
        values: Matrix = np.frombuffer(self.bytes(4 * rows * columns), "<f4").reshape(rows, columns)
        if not np.isfinite(values).all():
            raise _Damaged("a weight is not a number")
        return values


def _parse(reader: _Reader) -> LinearModel:
    magic, version = reader.fields("ii")
    if magic != _MAGIC:
        raise _Damaged("it does not begin with fastText's mark")
    if version != _VERSION:
        raise _Damaged(f"format version {version} is not {_VERSION}")
    dim, _ws, _epoch, _min_count, _neg, ngrams, loss, kind, _bucket, _minn, maxn, _rate = reader.fields("12i")
    reader.fields("d")
    if kind != _SUPERVISED:
        raise _Damaged("it holds word vectors, not a classifier")
    if loss not in _LOSSES:
        raise _Damaged("its loss is neither softmax nor ova")
    if ngrams > 1 or maxn > 0:
        raise _Damaged("it uses hashed n-grams or subwords")
    tokens, labels = _dictionary(reader)
    vectors = _quantized(reader) if reader.flag() else reader.floats(*reader.fields("qq"))
    output_quantized = reader.flag()
    output = _quantized(reader) if output_quantized else reader.floats(*reader.fields("qq"))
    if len(vectors) < len(tokens) or len(output) != len(labels) or vectors.shape[1] != dim or output.shape[1] != dim:
        raise _Damaged(
            f"matrices of {vectors.shape} and {output.shape} do not fit {len(tokens)} words, {len(labels)} labels, {dim} dimensions"
        )
    if reader.position != len(reader.blob):
        raise _Damaged(f"{len(reader.blob) - reader.position:,} bytes follow its end")
    with np.errstate(over="ignore", invalid="ignore"):
        weights = vectors[: len(tokens)] @ output.T
    if not np.isfinite(weights).all():
        raise _Damaged("a weight is not a number")
    return LinearModel(labels, _LOSSES[loss], tokens, weights)


def _dictionary(reader: _Reader) -> tuple[tuple[str, ...], tuple[str, ...]]:
    size, words, label_count, _tokens, pruned = reader.fields("iiiqq")
    if size != words + label_count or min(words, label_count) < 0 or size > len(reader.blob):
        raise _Damaged(f"a dictionary of {size} entries cannot hold {words} words and {label_count} labels")
    entries: list[str] = []
    for index in range(size):
        entries.append(reader.word())
        _count, kind = reader.fields("qb")
        if kind != (index >= words):
            raise _Damaged("the dictionary mixes words and labels")
    reader.bytes(8 * max(pruned, 0))
    labels = entries[words:]
    if not words or len(labels) < 2 or len(set(entries)) != size or not all(label.startswith(_PREFIX) for label in labels):
        raise _Damaged("its dictionary needs different words and two or more labels")
    return tuple(entries[:words]), tuple(label.removeprefix(_PREFIX) for label in labels)


def _quantized(reader: _Reader) -> Matrix:
    """A product-quantized matrix (Jégou et al. 2011), decoded."""
    with_norms = reader.flag()
    rows, columns, size = reader.fields("qqi")
    codes = np.frombuffer(reader.bytes(size), np.uint8)
    pieces, centroids = _quantizer(reader, columns)
    if rows < 0 or rows * len(centroids) != size:
        raise _Damaged(f"{size:,} codes do not fit {rows} rows")
    matrix = np.empty((rows, columns), np.float32)
    by_row = codes.reshape(rows, len(centroids))
    for index, (start, table) in enumerate(zip(pieces, centroids, strict=True)):
        matrix[:, start : start + table.shape[1]] = table[by_row[:, index]]
    if with_norms:
        norm_codes = np.frombuffer(reader.bytes(rows), np.uint8)
        _, (norms,) = _quantizer(reader, 1)
        with np.errstate(over="ignore"):
            matrix *= norms[norm_codes]
    return matrix


def _quantizer(reader: _Reader, columns: int) -> tuple[list[int], list[Matrix]]:
    """Where each sub-vector begins, and its centroids, shape (256, length)."""
    dim, count, length, last = reader.fields("iiii")
    if dim != columns or count <= 0 or length <= 0 or not 0 < last <= length or (count - 1) * length + last != dim:
        raise _Damaged(f"a quantizer of {count} x {length} does not fit {columns} columns")
    return [i * length for i in range(count)], [reader.floats(_CENTROIDS, last if i == count - 1 else length) for i in range(count)]
