"""Does an image lie inside what a tool is valid for?"""

import re

from secondread.schema.image import ImageInfo
from secondread.tools.base import Card

_REGIONS = {
    "head": r"head|skull|brain|cerebr|hippocamp|face|facial|jaw|mandib|maxill|sinus|orbit|pituit|temporal",
    "eye": r"\beye|retin|fundus|ophthalm",
    "neck": r"neck|thyroid|larynx|carotid",
    "chest": r"chest|thorax|thorac|lung|heart|cardi|coronary|\brib|sternum|mediastin|pulmon",
    "breast": r"breast|mammo",
    "abdomen": r"abdom|\babd|liver|hepat|kidney|renal|spleen|pancrea|bowel|colon|stomach|gallbl",
    "pelvis": r"pelvi|\bhips?\b|prostat|uterus|bladder|sacr",
    "spine": r"spine|vertebr|cervical|lumbar|\b[clt]spine|\bl ?spine",
    "arm": r"shoulder|humer|elbow|forearm|radius|ulna|wrist|\bhands?\b|finger|thumb|clavic|scapul",
    "leg": r"femur|knee|patell|tibia|fibula|ankle|\bfoot|\bfeet|\btoe|calcan|\bleg",
}
"""Words of DICOM Body Part Examined (PS3.16, Annex L) and of cards, by region of the body."""
_WORDS = {region: re.compile(pattern, re.IGNORECASE) for region, pattern in _REGIONS.items()}


def regions(text: str | None) -> frozenset[str]:
    """Regions of the body that a text names; empty when none is recognised."""
    plain = (text or "").replace("_", " ")
    return frozenset(region for region, pattern in _WORDS.items() if pattern.search(plain))


def outside_validity(card: Card, info: ImageInfo) -> str | None:
    """Why an image lies outside what a tool is valid for, or None when it fits or cannot be told."""
    if card.modality and info.modality and info.modality not in card.modality:
        return f"{card.name} is valid for {'/'.join(card.modality)}, this image is {info.modality}"
    if card.views and info.view != "UNKNOWN" and info.view not in card.views:
        return f"{card.name} is valid for {'/'.join(card.views)} views, this image is {info.view}"
    meant, shown = regions(card.anatomy), regions(info.body_part)
    if meant and shown and not meant & shown:
        return f"{card.name} is valid for the {card.anatomy}, this image shows the {' and '.join(sorted(shown))}"
    return None


def wrong_dimension(card: Card, info: ImageInfo) -> str | None:
    """Why a tool cannot take an image at all, or None."""
    if card.dimension is None or card.dimension == info.dimension:
        return None
    if card.dimension == 3:
        return f"{card.name} takes volumes, this is a single image"
    return f"{card.name} takes single images, this is a volume"
