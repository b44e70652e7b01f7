"""What a licence asks of a user, read from its text, and which of that a user accepts."""

import re
from collections.abc import Sequence
from typing import Literal

from secondread.tools.base import Card

LicenceClass = Literal["permissive", "copyleft", "non_commercial", "unknown"]
"""copyleft: asks for open sources (GPL, LGPL, AGPL, MPL, ..), of a service too for AGPL."""

DEFAULT_ALLOWED: tuple[str, ...] = ("permissive", "copyleft")
"""Non-commercial and unknown licences need the user's word."""

_RESTRICTED: tuple[tuple[LicenceClass, str], ...] = (
    ("non_commercial", r"\bnc\b|non[- ]?commercial|research (use )?only|academic (use )?only|evaluation only"),
    ("copyleft", r"\b[al]?gpl|general public license|\bmpl\b|mozilla public|\bepl\b|\beupl|\bosl\b|\bcc[- ]by[- ]sa"),
    ("unknown", r"\bunknown\b|proprietary|all rights reserved|\bnd\b|no ?derivatives|licenseref"),
)
"""Worst first: the first that occurs decides."""
_PERMISSIVE = re.compile(
    r"apache|\bmit\b|\bbsd\b|0bsd|\bisc\b|\bcc0|\bcc[- ]?by\b|unlicense|\bzlib\b|\bpsf\b|python software|public domain|"
    r"\bbsl-1|boost software|\bncsa\b|hpnd|openrail-free",
    re.IGNORECASE,
)
_ORDER: tuple[LicenceClass, ...] = ("permissive", "copyleft", "unknown", "non_commercial")


def licence_class(text: str) -> LicenceClass:
    """What a licence text asks for.

    Args:
        text: An SPDX expression, or words; `A OR B` counts as the freer of the two, else the strictest part decides.
    """
    options = re.split(r"\s+OR\s+", text)
    if len(options) > 1:
        return min((licence_class(one) for one in options), key=_ORDER.index)
    plain = text.casefold()
    for kind, pattern in _RESTRICTED:
        if re.search(pattern, plain):
            return kind
    return "permissive" if _PERMISSIVE.search(text) else "unknown"


def card_licences(card: Card) -> tuple[tuple[str, str, LicenceClass], ...]:
    """(`code` or `weights`, its text, its class) for a card."""
    found = [("code", card.licence, licence_class(card.licence))]
    if card.weights is not None:
        found.append(("weights", card.weights.licence, licence_class(card.weights.licence)))
    return tuple(found)


def refusal(card: Card, allowed: Sequence[str]) -> str | None:
    """Why the licences of a card are not accepted, or None.

    Args:
        card: The card.
        allowed: Licence classes, and texts of single licences such as `CC-BY-NC-4.0`.
    """
    for part, text, kind in card_licences(card):
        if kind in allowed or text.strip() in allowed or text.partition(";")[0].strip() in allowed:
            continue
        said = f"{text.strip()!r}" if text.strip() else "not stated"
        named = f"the licence of its {part} is {said} ({kind.replace('_', '-')})"
        return f"{named}, and the setting allowed_licences lacks that"
    return None


def notice(card: Card) -> str | None:
    """What evidence of this tool must carry: licences that ask for something, or None."""
    told = [
        f"{part} under {text.strip() or 'an unstated licence'} ({kind.replace('_', '-')})"
        for part, text, kind in card_licences(card)
        if kind != "permissive"
    ]
    return f"licence: {'; '.join(told)}" if told else None
