"""Text of a third party, made fit to be shown as data."""

import unicodedata


def plain(text: str, limit: int) -> str:
    """One line without control and format characters and angle brackets, at most `limit` characters."""
    kept = "".join(c if unicodedata.category(c)[0] not in "CZ" else " " for c in text[: 4 * limit])
    kept = " ".join(kept.replace("<", "\u2039").replace(">", "\u203a").split())
    return kept if len(kept) <= limit else f"{kept[: limit - 6]} [cut]"
