"""What somebody asks in their own words, without what they quote."""

import re

MAX_WORDS = 5
"""A longer quotation is what somebody else has said; a shorter one names what is asked about."""
_QUOTED = re.compile(
    '"[^"]{1,4000}"|\u201c[^\u201d]{1,4000}\u201d|\u201e[^\u201c\u201d]{1,4000}[\u201c\u201d]|\u00ab[^\u00bb]{1,4000}\u00bb|`[^`]{1,4000}`'
    r"|(?<!\w)'[^'\n]{1,4000}'(?!\w)"
)
_ASKS = re.compile(r"\w+\W+\w+")


def own_words(text: str) -> str:
    """A question without its longer quotations: a report that is quoted in it asks for nothing.

    A question that is quoted as a whole stays as it is.
    """
    rest = _QUOTED.sub(lambda m: " " if len(m[0].split()) > MAX_WORDS else m[0], text)
    return rest if _ASKS.search(rest) else text
