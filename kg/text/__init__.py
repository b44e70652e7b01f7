"""From report text to concepts: normalising, dictionary, abbreviations, sections, assertion of a mention."""
