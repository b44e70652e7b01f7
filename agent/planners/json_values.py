"""JSON inside a model's reply, whatever stands around it."""

import json
import re
from collections.abc import Iterator
from typing import Any

MAX_REPLY = 20_000
"""Characters of a reply that are read; the rest is ignored."""
_MAX_STARTS = 200


def json_values(text: str) -> Iterator[Any]:
    """Every outermost JSON object or array in a text, in order; pieces that are not JSON are passed over.

    Reading ends at a piece that is nested too deeply to be a reply.
    """
    text = text[:MAX_REPLY]
    decoder, position, starts = json.JSONDecoder(), 0, 0
    while starts < _MAX_STARTS:
        match = re.compile(r"[\[{]").search(text, position)
        if match is None:
            return
        starts += 1
        try:
            value, position = decoder.raw_decode(text, match.start())
        except RecursionError:
            return
        except ValueError:
            position = match.start() + 1
            continue
        yield value
