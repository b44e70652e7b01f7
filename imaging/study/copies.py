"""Files that are one object twice, and objects that share a UID although they differ."""

from collections import defaultdict

from secondread.imaging.study import tags
from secondread.imaging.study.header import Header
from secondread.imaging.study.held import Held


def without_copies(headers: list[Header]) -> tuple[list[Header], list[Held], list[str]]:
    """Each object once.

    Files of one SOP Instance UID are copies when every header value the scan reads and their length agree: the first is
    kept. When they differ in position, number or size they are different images under one UID, and all are kept. When
    they are one image in two forms (another compression), the first is kept.

    Returns:
        The objects kept, the files left out, and what has to be said.
    """
    groups: dict[str, list[Header]] = defaultdict(list)
    kept: list[Header] = []
    for header in headers:
        if header.uid:
            groups[header.uid].append(header)
        else:
            kept.append(header)
    left_out: list[Held] = []
    same = other = shared = 0
    for members in groups.values():
        kept.append(members[0])
        seen = {_slot(members[0]): members[0]}
        for header in members[1:]:
            first = seen.get(_slot(header))
            if first is None:
                seen[_slot(header)] = header
                kept.append(header)
                shared += 1
                continue
            left_out.append(header.held)
            equal = first.content == header.content and first.bytes_on_disk == header.bytes_on_disk
            same, other = same + equal, other + (not equal)
    told: list[str] = []
    if same:
        told.append(f"Left out as copies of other files: {same}.")
    if other:
        told.append(f"Left out for the instance UID of another file, although the content differs: {other}.")
    if shared:
        told.append(f"Different images that share one instance UID, all kept: {shared}.")
    return kept, left_out, told


def _slot(header: Header) -> tuple[object, ...]:
    """Which image of its series a file is."""
    return (
        header.position, header.raw.get(tags.INSTANCE_NUMBER), header.rows, header.columns, header.frames, header.series
    )  # fmt: skip
