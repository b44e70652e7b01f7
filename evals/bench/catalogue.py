"""Every reader, by name."""

from secondread.evals.bench.readers.base import Reader
from secondread.evals.bench.readers.deeptumor import DEEPTUMORVQA
from secondread.evals.bench.readers.mediconfusion import MEDICONFUSION
from secondread.evals.bench.readers.pmc_vqa import CHESTAGENTBENCH, PMC_VQA
from secondread.evals.bench.readers.point_detect_count import POINT_DETECT_COUNT
from secondread.evals.bench.readers.rad_restruct import RAD_RESTRUCT
from secondread.evals.bench.readers.smmile import SMMILE
from secondread.evals.bench.readers.tsv import GMAI_MMBENCH, MEDQ_BENCH
from secondread.evals.bench.readers.vqa_med import VQA_MED
from secondread.evals.bench.readers.vqa_rad import SLAKE, VQA_RAD
from secondread.schema.errors import UsageError

READERS: dict[str, Reader] = {
    r.name: r
    for r in (
        VQA_RAD, SLAKE, RAD_RESTRUCT, MEDICONFUSION, SMMILE, DEEPTUMORVQA, PMC_VQA, VQA_MED, GMAI_MMBENCH, MEDQ_BENCH,
        CHESTAGENTBENCH, POINT_DETECT_COUNT,
    )
}  # fmt: skip


def reader(name: str) -> Reader:
    """A reader by its name.

    Raises:
        UsageError: There is none.
    """
    if name not in READERS:
        raise UsageError(f"There is no benchmark {name!r}.", hint=f"Benchmarks: {', '.join(READERS)}.")
    return READERS[name]
