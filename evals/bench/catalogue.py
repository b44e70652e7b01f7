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

UNREAD: dict[str, str] = {
    "medsg_bench": "MedSG-Bench: boxes over sequences of images",
    "cxreasonbench": "CXReasonBench: staged reasoning on chest films, folders by task",
    "temmed_bench": "TemMed-Bench: change between two visits",
    "medvision": "MedVision: boxes, sizes, angles and distances over 22 data sets",
    "omnibrainbench": "OmniBrainBench: brain images, five options",
    "benchx": "BenchX: splits of chest film sets",
}
"""Known benchmarks that no reader takes, so that the list says so."""


def reader(name: str) -> Reader:
    """A reader by its name.

    Raises:
        UsageError: There is none.
    """
    if name in UNREAD:
        raise UsageError(f"No reader takes {name} yet.", hint="`secondread eval list` names those that are read.")
    if name not in READERS:
        raise UsageError(f"There is no benchmark {name!r}.", hint=f"Benchmarks: {', '.join(READERS)}.")
    return READERS[name]
