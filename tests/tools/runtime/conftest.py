"""A runtime around small tools, closed when the test ends."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from secondread.tools.base import Tool
from secondread.tools.catalogue import Catalogue
from secondread.tools.runtime.runtime import Runtime

Open = Callable[..., Runtime]


@pytest.fixture
def open_runtime() -> Iterator[Open]:
    """`open_runtime(*tools, ..)`: runtimes that are closed when the test ends."""
    opened: list[Runtime] = []

    def make(*tools: Tool, **options: Any) -> Runtime:
        made = Runtime(tools=Catalogue({t.card.name: t for t in tools}), **options)
        opened.append(made)
        return made

    yield make
    for one in opened:
        one.close()


@pytest.fixture
def grey() -> Any:
    """A bright square on dark ground, shape (40, 60)."""
    image = np.zeros((40, 60), np.float32)
    image[10:20, 15:35] = 0.8
    return image
