"""One warm agent for the whole test run, and films of nobody with known truth."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from secondread.agent.agent import Agent
from secondread.agent.config import Settings
from secondread.evals.phantom import Film, generate
from secondread.tools.runtime.runtime import Runtime


@pytest.fixture(scope="session")
def runtime() -> Iterator[Runtime]:
    made = Runtime()
    yield made
    made.close()


@pytest.fixture(scope="session")
def traces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("traces")


@pytest.fixture(scope="session")
def make_agent(runtime: Runtime, traces: Path) -> Callable[..., Agent]:
    """An agent on the shared runtime; keyword arguments are settings, `planner` and `risk` included."""

    def make(planner: Any = None, **settings: Any) -> Agent:
        risk = settings.pop("risk", None)
        return Agent(planner, risk=risk, settings=Settings(**{"trace_dir": traces, **settings}), runtime=runtime)

    return make


@pytest.fixture(scope="session")
def agent(make_agent: Callable[..., Agent]) -> Agent:
    return make_agent()


@pytest.fixture(scope="session")
def film() -> Callable[..., Film]:
    """`film(seed, ctr)`: a generated film with known masks; the same one for the same arguments."""
    return cache(lambda seed=1, ctr=None: generate(seed, ctr=ctr))
