"""Print how quality attributes are spread over real films, and write their limits (`tools/quality/ranges.json`).

    python -m secondread.training.quality_ranges DATA_FOLDER [--write]

reads the permissive training rows. The ok range of an attribute is the widest over the sources of its 0.5 to 99.5
percent range, rounded outwards: beyond it, a film looks like none that the calibrations were fitted on. Limits for
rejection are conventions, each with its reason. With the limits in place it prints the grades per source.
"""

import argparse
import hashlib
import json
from collections import Counter
from math import ceil, floor
from pathlib import Path

import numpy as np

from secondread.tools.quality import measures
from secondread.tools.quality.film_quality import report
from secondread.tools.quality.grid import content, to_grid
from secondread.tools.quality.pose import pose
from secondread.tools.quality.ranges import RANGES
from secondread.training.quality_rows import permissive_rows, read_grey

TAIL = 0.005
LEAST = 20
"""Sources with fewer films are printed, not fitted."""
STEP = {"exposure": 0.01, "contrast": 0.01, "clipping": 0.01, "sharpness": 0.01, "noise": 0.001, "text_burden": 0.001}
LOW = {"exposure": "too dark (overexposed, in the words of film)", "contrast": "too little contrast"}
HIGH = {
    "exposure": "too bright (underexposed, in the words of film)",
    "clipping": "grey values are clipped to black or white",
    "noise": "noisy",
    "text_burden": "many burned-in letters or wires",
}
LOW["sharpness"] = "blurred"
REJECT: dict[str, tuple[float | None, float | None, str]] = {
    "exposure": (0.02, 0.98, "almost all of the film is black, or white"),
    "contrast": (0.02, None, "five grey levels of 8 bits are left"),
    "clipping": (None, 0.5, "half of the body is clipped"),
    "sharpness": (0.08, None, "as sharp as a film blurred over a tenth of its side"),
    "noise": (None, 0.15, "noise of 0.15 of the grey range in every pixel of a 256-pixel film"),
    "text_burden": (None, None, ""),
}
FIXED = {
    "inversion": {
        "ok_high": 0.1,
        "high_words": "grey levels look inverted (air bright)",
        "source": "score of the pose map; errors with a source left out stand in pose.json",
    },
    "orientation": {
        "ok_high": 0.5,
        "reject_high": 0.95,
        "high_words": "the film looks turned by a quarter or a half",
        "source": "score of the pose map; errors with a source left out stand in pose.json",
    },
    "cropping": {
        "ok_high": 0.2,
        "reject_high": 0.32,
        "high_words": "a side of the chest seems to be cut off",
        "source": "estimated share of the width missing at a side; figures with a source left out stand in pose.json",
    },
    "resolution": {
        "ok_low": 160,
        "reject_low": 96,
        "low_words": "few pixels",
        "source": "convention: at 96 pixels one pixel is one percent of the thorax",
    },
    "aspect": {
        "ok_low": 0.6,
        "ok_high": 1.7,
        "reject_low": 0.33,
        "reject_high": 3.0,
        "low_words": "narrow for a chest film",
        "high_words": "wide for a chest film",
        "source": "convention: detectors are 35 x 43 cm, either way round",
    },
    "colour": {"ok_high": 0.5, "high_words": "a colour picture", "source": "radiographs have no colour"},
}


def raw(grey: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> dict[str, float]:
    """The attributes whose limits come from films, and the pose and margin of a film."""
    film = to_grid(grey)
    found = pose(content(film))
    values = {name: float(getattr(measures, name)(film)) for name in STEP}
    return {**values, "inversion": found.inverted, "orientation": found.turned, "cropping": found.missing}


def outwards(low: float, high: float, step: float) -> tuple[float, float]:
    """A range rounded outwards to multiples of `step`."""
    return round(floor(low / step) * step, 6), round(ceil(high / step) * step, 6)


def main() -> None:
    """Print quantiles and grades per source; store the limits with `--write`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    rows = permissive_rows(args.data, "train")
    values: dict[str, list[dict[str, float]]] = {}
    for row in rows:
        values.setdefault(row.source, []).append(raw(read_grey(row.path)))
    spans: dict[str, list[tuple[float, float]]] = {}
    for source, found in values.items():
        print(f"{source}, {len(found)} films: quantiles {TAIL}, 0.05, 0.5, 0.95, {1 - TAIL}")
        for name in found[0]:
            q = np.quantile([f[name] for f in found], [TAIL, 0.05, 0.5, 0.95, 1 - TAIL])
            print(f"  {name:12s} " + " ".join(f"{v:8.4f}" for v in q))
            if len(found) >= LEAST:
                spans.setdefault(name, []).append((float(q[0]), float(q[-1])))
    if args.write:
        limits: dict[str, dict[str, object]] = {}
        for name, step in STEP.items():
            low, high = outwards(min(s[0] for s in spans[name]), max(s[1] for s in spans[name]), step)
            reject_low, reject_high, why = REJECT[name]
            limits[name] = {
                "ok_low": low if name in LOW else None,
                "ok_high": high if name in HIGH else None,
                "reject_low": reject_low,
                "reject_high": reject_high,
                "low_words": LOW.get(name, ""),
                "high_words": HIGH.get(name, ""),
                "source": f"widest {TAIL:.1%} to {1 - TAIL:.1%} range of the sources"
                + (f"; reject: {why}" if why else ""),
            }
        digest = hashlib.sha256("\n".join(sorted(r.sha256 for r in rows)).encode()).hexdigest()
        counts = Counter(r.source for r in rows)
        data = "permissive training films: " + ", ".join(f"{s} {n}" for s, n in sorted(counts.items()))
        RANGES.write_text(
            json.dumps({"data": data, "data_sha256": digest, "limits": {**limits, **FIXED}}, indent=1) + "\n"
        )
        print(f"limits written to {RANGES.name}")
    if not RANGES.exists():
        return
    for source in values:
        grades: Counter[str] = Counter()
        reasons: Counter[str] = Counter()
        for row in rows:
            if row.source == source:
                said = report(read_grey(row.path))
                grades[said.overall] += 1
                reasons.update(a.name for a in said.attributes if a.grade != "ok")
        print(f"{source}: {dict(grades)}; not ok: {dict(reasons.most_common())}")


if __name__ == "__main__":
    main()
