"""Opaque keys: equal within one corpus, meaningless outside it."""

import hashlib


def opaque(prefix: str, value: str, salt: str) -> str:
    """`prefix-` and 16 hexadecimal digits of a keyed hash; empty for an empty value.

    Args:
        prefix: `pat`, `stu` or `doc`.
        value: What identifies the person or study where it comes from.
        salt: Of the corpus.
    """
    if not value:
        return ""
    digest = hashlib.blake2b(value.encode("utf-8", "surrogateescape"), key=salt.encode()[:64], digest_size=8)
    return f"{prefix}-{digest.hexdigest()}"


def text_id(source: str, text: str, place: str = "") -> str:
    """Stable id of a text by its content and source."""
    return f"doc-{hashlib.sha256(f'{source}|{place}|{text}'.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"
