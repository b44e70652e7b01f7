"""Rows of nodes during a build: numbered keys by the million, text keys one at a time."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondread.kg.store.identity import NUMBER_FORMATS, checked, joined, key_of, number_of, split
from secondread.kg.store.key import columns_of
from secondread.kg.store.spill import Columns
from secondread.schema.errors import InputError

_TABLE_LIMIT = 1 << 26
"""Numbers below this are found in a table (at most 256 MiB), others in a dict."""


class Nodes:
    """Ids to rows, int32 from 0 in order of first appearance."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self.count = 0
        self.formats = dict(NUMBER_FORMATS)
        self.spaces: dict[str, int] = {}
        self._tables: dict[str, NDArray[np.int32]] = {}
        self._rows: dict[tuple[str, str | int], int] = {}
        self._texts = 0

    def space(self, name: str) -> int:
        """Code of a namespace, a new one when it is new.

        Raises:
            InputError: More than 255 namespaces.
        """
        if name not in self.spaces:
            if len(self.spaces) == 255:
                raise InputError("A store holds at most 255 namespaces.")
            self.spaces[name] = len(self.spaces)
        return self.spaces[name]

    def restore(self, spaces: dict[str, int], formats: dict[str, tuple[str, int]]) -> None:
        """Read back what the columns hold."""
        self.spaces, self.formats = dict(spaces), dict(formats)
        names = {code: name for name, code in spaces.items()}
        codes, keys = self._columns.read("node.space", np.uint8), self._columns.read("node.key", np.int64)
        self.count = len(codes)
        sizes = self._columns.read("key.size", np.uint32)
        blob = self._columns.read("key.text", np.uint8).tobytes()
        ends = np.concatenate(([0], np.cumsum(sizes, dtype=np.int64)))
        self._texts = len(sizes)
        for code, name in names.items():
            numbered = np.flatnonzero((codes == code) & (keys >= 0))
            if len(numbered):
                self._enter(name, keys[numbered], numbered.astype(np.int32))
        for row in np.flatnonzero(keys < 0):
            at = -int(keys[row]) - 1
            self._rows[names[int(codes[row])], blob[ends[at] : ends[at + 1]].decode()] = int(row)

    def find_numbers(self, space: str, numbers: NDArray[np.int64]) -> NDArray[np.int32]:
        """Rows of numbered keys, -1 where there is none."""
        table = self._tables.get(space, np.zeros(0, np.int32))
        if len(table) and len(numbers) and numbers.min() >= 0 and numbers.max() < len(table):
            return table[numbers]
        rows = np.full(len(numbers), -1, np.int32)
        inside = (numbers >= 0) & (numbers < len(table))
        rows[inside] = table[numbers[inside]]
        for i in np.flatnonzero(numbers >= _TABLE_LIMIT):
            rows[i] = self._rows.get((space, int(numbers[i])), -1)
        return rows

    def numbers(self, space: str, numbers: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Rows of numbered keys, and those among them that are new.

        Raises:
            InputError: The namespace does not number its keys, or a number is negative.
        """
        if space not in self.formats:
            raise InputError(f"Namespace {space!r} does not number its keys.", hint="Declare it with `namespace`.")
        if len(numbers) and (numbers.min() < 0 or numbers.max() >= 1 << 50):
            raise InputError(f"A key number of {space} is negative or too large.")
        rows = self.find_numbers(space, numbers)
        missing = numbers[rows < 0]
        if not len(missing):
            return rows, np.zeros(0, np.int32)
        _, first = np.unique(missing, return_index=True)
        fresh = missing[np.sort(first)]
        new = np.arange(self.count, self.count + len(fresh), dtype=np.int32)
        self._enter(space, fresh, new)
        self._add(space, fresh)
        return self.find_numbers(space, numbers), new

    def _enter(self, space: str, numbers: NDArray[np.int64], rows: NDArray[np.int32]) -> None:
        small = numbers < _TABLE_LIMIT
        if small.any():
            top = int(numbers[small].max()) + 1
            table = self._tables.get(space, np.zeros(0, np.int32))
            if top > len(table):
                grown = np.full(min(_TABLE_LIMIT, max(top, 2 * len(table), 1024)), -1, np.int32)
                grown[: len(table)] = table
                self._tables[space] = table = grown
            table[numbers[small]] = rows[small]
        for i in np.flatnonzero(~small):
            self._rows[space, int(numbers[i])] = int(rows[i])

    def _add(self, space: str, keys: NDArray[np.int64]) -> None:
        self._columns.append("node.space", np.full(len(keys), self.space(space), np.uint8))
        self._columns.append("node.key", keys.astype(np.int64))
        self.count += len(keys)

    def find(self, node: str) -> int:
        """Row of an id, -1 when there is none."""
        space, key = split(node)
        number = number_of(space, key, self.formats)
        if number is None or number >= _TABLE_LIMIT:
            return self._rows.get((space, key if number is None else number), -1)
        table = self._tables.get(space)
        return -1 if table is None or number >= len(table) else int(table[number])

    def add(self, node: str) -> tuple[int, bool]:
        """Row of an id, and whether it is new.

        Raises:
            InputError: The id is malformed.
        """
        row = self.find(node)
        if row >= 0:
            return row, False
        space, key = split(checked(node))
        row = self.count
        number = number_of(space, key, self.formats)
        if number is not None:
            table = self._tables.get(space)
            if table is not None and number < len(table):
                table[number] = row
            else:
                self._enter(space, np.array([number]), np.array([row], np.int32))
            self._add(space, np.array([number]))
        else:
            self._rows[space, key] = row
            self._texts += 1
            self._columns.texts("key", *columns_of([key]))
            self._add(space, np.array([-self._texts]))
        return row, True

    def id_of(self, space: str, key: Any) -> str:
        """The id of a namespace and a number."""
        return joined(space, key_of(space, int(key), self.formats))
