"""Paths taken out of what tools and libraries say: folders and files can be named after a person."""

import re

SHOWN = "[path]"
_QUOTED = re.compile(r"""'[^'\n]*[\\/][^'\n]*'|"[^"\n]*[\\/][^"\n]*\"""")
_PATH = re.compile(
    r"(?<![\w.<\\/])(?:[A-Za-z]:|~)?[\\/]+(?=[^\s\\/'\"<>|:])"  # where an absolute path begins
    r"(?:[^\n'\"<>|:]*[\\/])?"  # folders, with blanks in their names
    r"(?:[^\n'\"<>|:]{0,120}?(?:\.\w{1,8}\b)+|[^\s'\"<>|:]*)"  # the file up to its ending, or the last word
)
_PROGRAMS = re.compile(r"[\\/]([a-z0-9_.-]{1,60}\.(?:bin|safetensors|pt|pth|ckpt|onnx|py|so))['\"]?$")
"""Files of programs and weights, which are not called after patients."""


def without_paths(text: str) -> str:
    """The text with each absolute path, and each quotation that holds a path, shown as `[path]`.

    Where a path ends is not always told by its text: rather too much is taken out than a part left. Of files of
    programs and weights the name stays, without its folders.
    """
    return _PATH.sub(_shown, _QUOTED.sub(_shown, text)) if "/" in text or "\\" in text else text


def _shown(match: re.Match[str]) -> str:
    found = _PROGRAMS.search(match[0])
    return found[1] if found is not None else SHOWN
