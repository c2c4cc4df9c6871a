"""What a recipe says about one source, what a source does, and which class reads which type."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Annotated, Literal, Protocol, cast

from pydantic import Field, StringConstraints

from factory.errors import UserError
from factory.recipe import Strict
from factory.records import Document, License, Rejected
from factory.storage import list_files, shown

SourceType = Literal["law", "gazette", "ptt", "forum", "news", "wikipedia", "web", "books", "rows", "datasets"]
NonEmpty = Annotated[str, StringConstraints(min_length=1)]
OptionValue = str | int | bool | None

CLASSES: dict[str, str] = {
    "law": "corpus.sources.law:LawSource",
    "gazette": "corpus.sources.gazette:GazetteSource",
    "ptt": "corpus.sources.ptt:PttSource",
    "forum": "corpus.sources.forum:ForumSource",
    "news": "corpus.sources.news:NewsSource",
    "wikipedia": "corpus.sources.wikipedia:WikipediaSource",
    "web": "corpus.sources.web:WebSource",
    "books": "corpus.sources.books:BooksSource",
    "rows": "corpus.sources.rows:RowsSource",
    "datasets": "corpus.sources.rows:DatasetsSource",
}


class SourceSpec(Strict):
    """One source of a recipe: where its files are, whose they are, and how their columns are called."""

    type: SourceType = Field(description="The layout of the files: which reader turns them into documents.")
    paths: list[NonEmpty] = Field(min_length=1, description="Files, folders or globs (fsspec paths: local, s3://, hf://).")
    license: License = Field(
        default=License.UNKNOWN,
        description="Licence of documents whose row states none. Types law and gazette take public-record where the recipe is silent.",
    )
    rights_holder: str | None = Field(default=None, description="Rights holder of documents whose row names none.")
    priority: int = Field(default=100, description="Of two duplicates the one whose source has the smaller number is kept.")
    weight: float = Field(default=1.0, gt=0, allow_inf_nan=False, description="Share of the source in the mixture, relative to others.")
    max_tokens: int | None = Field(default=None, gt=0, description="Most tokens that the mixture takes from it; null for no limit.")
    fields: dict[str, NonEmpty] = Field(
        default_factory=dict,
        description="Record field -> column of the row, e.g. {id: id, published: date}. A dotted path reaches nested objects.",
    )
    licenses: dict[str, License] = Field(
        default_factory=dict,
        description="The source's own licence strings -> licence, by longest prefix. A stated string that no prefix matches is unknown.",
    )
    pseudonym_key_env: NonEmpty | None = Field(
        default=None,
        description="Environment variable with the key for author pseudonyms (type ptt); null leaves authors out altogether.",
    )
    blocklists: list[NonEmpty] = Field(
        default_factory=list,
        description="Lists of domains and addresses of pages to flag (type web): UT1 folders, hosts files, plain lists; fsspec paths.",
    )
    options: dict[str, OptionValue] = Field(
        default_factory=dict,
        description="ptt: pushes (bool). forum: comments (bool). web: extractor (resiliparse, trafilatura). books: allow_unstated_rights "
        "(bool). datasets: split, config. Other types have none.",
    )


class Source(Protocol):
    """Reads the files of one source of a recipe."""

    def read(self, path: str) -> Iterator[Document | Rejected]:
        """Documents of one file in file order, and a `Rejected` for whatever in it could not be read."""
        ...


def side_files(source: Source, path: str) -> list[str]:
    """Files beside `path` that shape what `source` makes of it (rights of a book, blocklists), so that they enter its part's key."""
    find = getattr(source, "side_files", None)
    return list(find(path)) if find is not None else []


def key_facts(source: Source, path: str) -> list[str]:
    """What beside the content of files shapes a source's documents, such as a page's place in its folder or whether rights have expired."""
    find = getattr(source, "key_facts", None)
    return list(find(path)) if find is not None else []


def input_files(name: str, spec: SourceSpec) -> list[str]:
    """The paths to hand to `Source.read`, sorted within each entry of `paths`; a data set of type `datasets` is one path.

    Raises UserError where an entry of `paths` matches nothing.
    """
    if spec.type == "datasets":
        return list(dict.fromkeys(spec.paths))
    files: dict[str, None] = {}
    for entry in spec.paths:
        found = list_files(entry)
        if not found:
            raise UserError(f"sources.{name}.paths: {shown(entry)} matches no file. Correct the path or remove the entry.")
        files.update(dict.fromkeys(found))
    return list(files)


def open_source(name: str, spec: SourceSpec) -> Source:
    """The reader for a source called `name`; it reads nothing yet.

    Raises UserError for a field, an option or an environment variable that the type cannot use.
    """
    module, class_name = CLASSES[spec.type].split(":")
    source_class = getattr(import_module(module), class_name)
    return cast(Source, source_class(name, spec))


def check_spec(name: str, spec: SourceSpec, fields: frozenset[str], options: dict[str, type]) -> None:
    """Raises UserError where `spec` names a field or option that its type does not know, or gives an option of another kind."""
    if spec.blocklists and spec.type != "web":
        raise UserError(f"sources.{name}.blocklists: type {spec.type} has no addresses to compare; remove the key or use type web.")
    for key in sorted(set(spec.fields) - fields):
        raise UserError(
            f"sources.{name}.fields.{key}: type {spec.type} has no such field; use one of {', '.join(sorted(fields)) or 'none'}."
        )
    for key, value in sorted(spec.options.items()):
        if key not in options:
            known = ", ".join(sorted(options)) or "none"
            raise UserError(f"sources.{name}.options.{key}: type {spec.type} has no such option; it has {known}.")
        if type(value) is not options[key]:
            raise UserError(f"sources.{name}.options.{key}: {value!r} is not a {options[key].__name__}; give one or leave it out.")
