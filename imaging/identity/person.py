"""An opaque key of the person an image belongs to, for leak guards; it cannot be turned back without the salt."""

import hashlib

from secondread.imaging.identity.vault import Identity


def person(identity: Identity | None, salt: str) -> str:
    """`pat-` and 16 hexadecimal digits of a keyed hash, or an empty text when nothing tells the person.

    Args:
        identity: Of an image.
        salt: Of whoever keeps the key; keys of two salts cannot be compared.
    """
    if identity is None or not identity:
        return ""
    held = identity.reveal()
    said = held.get("PatientID", "").strip()
    if said:
        said = f"{said}|{held.get('IssuerOfPatientID', '').strip()}"
    elif held.get("PatientName", "").strip():
        said = f"{held['PatientName'].strip()}|{held.get('PatientBirthDate', '').strip()}"
    return f"pat-{_hash(said, salt)}" if said else ""


def _hash(value: str, salt: str) -> str:
    return hashlib.blake2b(value.encode("utf-8", "surrogateescape"), key=salt.encode()[:64], digest_size=8).hexdigest()
