"""A handful of stored edges, with the ids, polarities and evidence that stores give them."""

from collections.abc import Callable

import pytest

from secondread.kg.store.memory import MemoryStore

Row = tuple[str, str, str] | tuple[str, str, str, str]


@pytest.fixture
def stored() -> Callable[..., MemoryStore]:
    """`stored((subject, relation, object[, polarity]), ..)`."""

    def make(*rows: Row) -> MemoryStore:
        made = MemoryStore()
        for number, (subject, relation, obj, *polarity) in enumerate(rows):
            said = polarity[0] if polarity else None
            made.join(subject, relation, obj, source=f"s{number}", polarity=said, text=f"{subject} {relation} {obj}.")
        return made

    return make
