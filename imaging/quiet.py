"""Keeps warnings and log lines of the image libraries off the terminal: they may echo header values."""

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_LIBRARIES = r"(pydicom|PIL|pylibjpeg|openjpeg|rle|jpeg_ls|gdcm|secondread\.imaging)\b.*"
_LOGGERS = ("pydicom", "PIL", "pylibjpeg", "openjpeg")

_lock = threading.Lock()
_depth = 0
_saved: list[bool] = []
_filter: "warnings.catch_warnings[None] | None" = None


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the image libraries; nests, and works across threads (the last one out restores the settings)."""
    global _depth, _filter
    with _lock:
        if _depth == 0:
            _saved[:] = [logging.getLogger(name).disabled for name in _LOGGERS]
            for name in _LOGGERS:
                logging.getLogger(name).disabled = True
            _filter = warnings.catch_warnings()
            _filter.__enter__()
            warnings.filterwarnings("ignore", module=_LIBRARIES)
        _depth += 1
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            if _depth == 0:
                for name, disabled in zip(_LOGGERS, _saved, strict=True):
                    logging.getLogger(name).disabled = disabled
                if _filter is not None:
                    _filter.__exit__(None, None, None)
                    _filter = None
