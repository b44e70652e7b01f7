"""The passages that ship with the program: a corpus in memory, made once per process."""

from functools import cache
from importlib.resources import as_file, files

from secondread.tools.retrieve.corpus.corpus import Corpus
from secondread.tools.retrieve.readers.draft import Defaults
from secondread.tools.retrieve.readers.texts import read_text
from secondread.tools.retrieve.retriever import Retriever

NAME = "secondread passages"


@cache
def shipped() -> Retriever:
    """The authored passages, ready for search."""
    from secondread.tools.retrieve.build import concepts_of

    corpus = Corpus.in_memory(NAME)
    with as_file(files("secondread.tools.retrieve").joinpath("passages")) as folder:
        items = [
            draft.item
            for path in sorted(folder.glob("*.md"))
            for draft in read_text(path, Defaults(source=NAME, licence="Apache-2.0"))
        ]
    corpus.add(items, concepts=[concepts_of(i) for i in items])
    return Retriever(corpus)
