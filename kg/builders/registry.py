"""Which builder reads which source."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from secondread.kg.builders.report import BuildReport
from secondread.schema.errors import UsageError


@dataclass(frozen=True)
class Builder:
    """A kind of source."""

    name: str
    reads: str
    """What it is given, in a few words."""
    module: str
    """Module of `secondread.kg.builders` with `build(source, out, *, strict, version, progress)`."""

    def build(
        self, source: Path, out: Path, *, strict: bool = False, version: str = "",
        progress: Callable[[str, float], None] | None = None, **more: Any,
    ) -> tuple[dict[str, Any], BuildReport]:  # fmt: skip
        """Build a store from a source; see the module, which also says what else it takes."""
        made: tuple[dict[str, Any], BuildReport] = import_module(f"secondread.kg.builders.{self.module}").build(
            source, out, strict=strict, version=version, progress=progress, **more
        )
        return made


BUILDERS = {
    builder.name: builder
    for builder in (
        Builder("umls", "folder of a UMLS release with MRCONSO.RRF, MRREL.RRF and the others", "rrf"),
        Builder("open", "folder of tables of open ontologies (doid, mondo, uberon, radlex, oifm)", "tables"),
        Builder("obo", "an ontology as .obo or obographs .json, plain or gzip", "obo"),
        Builder("mimic", "folder of MIMIC-CXR(-JPG): label tables, reports, pictures", "mimic"),
        Builder("radgraph", "RadGraph JSON, version 1 or XL, or a folder of them", "radgraph"),
        Builder("medmkg", "MedMKG.csv, or its folder", "medmkg"),
    )
}


def builder(name: str) -> Builder:
    """The builder of this name.

    Raises:
        UsageError: There is none.
    """
    if name not in BUILDERS:
        raise UsageError(f"No builder is called {name[:40]!r}.", hint=f"There are: {', '.join(BUILDERS)}.")
    return BUILDERS[name]
