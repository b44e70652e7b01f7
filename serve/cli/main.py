"""`secondread COMMAND ...`: finds the command, runs it, turns every failure into one line and an exit code.

Exit codes: 0 answered, 1 internal failure or cancelled, 2 bad usage or input, 3 abstained, 4 waits for a yes. This
module and those of the commands import nothing heavy at the top, so that `--help` is quick.
"""

import os
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from secondread.schema.errors import SecondReadError, UsageError
from secondread.serve.cli.console import Parser, report_error

COMMANDS = {
    "ask": "ask a question about an image, or a question of knowledge",
    "batch": "ask the same questions about many studies",
    "tools": "list the expert tools, or show the card of one",
    "kg": "look into the knowledge graph",
    "index": "build, search and change corpora of images and texts",
    "deidentify": "write a cleaned copy of DICOM files",
    "resume": "go on with a run that was cut off or waits for a yes",
    "replay": "re-execute a recorded run and compare",
    "report": "show a run as a page: answer, claims, pictures and every step",
    "audit": "list what was sent to language models",
    "eval": "examine the agent or another subject on a benchmark",
    "calibrate": "fit a calibration on scores with truth, show one, or look for drift",
    "mcp": "serve the agent and its tools to MCP clients over stdio or HTTP",
    "config": "print the settings and where each comes from",
    "doctor": "check the installation",
}
OK, INTERNAL, USAGE, ABSTAINED = 0, 1, 2, 3


class Cancelled(SecondReadError):
    """The user stopped the command."""

    code = "cancelled"


class InternalError(SecondReadError):
    """A defect of the program, reported without a traceback."""

    code = "internal"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line.

    Args:
        argv: Words after the program name. None takes those of the process and then ends it at once with the exit
            code: a worker thread that ran past its time limit must not keep the process alive.

    Returns:
        The exit code.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    as_json = "--json" in (words[: words.index("--")] if "--" in words else words)
    try:
        code = dispatch(words)
        sys.stdout.flush()
    except SecondReadError as error:
        report_error(error, as_json=as_json)
        code = error.exit_code
    except KeyboardInterrupt:
        report_error(Cancelled("Cancelled."), as_json=as_json)
        code = INTERNAL
    except BrokenPipeError:
        # The reader of our output has gone; Python would complain again when it flushes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = INTERNAL
    except SystemExit as leaving:  # argparse prints help and leaves
        code = leaving.code if isinstance(leaving.code, int) else OK
    except Exception as error:  # the last resort of the program: a defect ends as one line, its traceback in a file
        code = _internal(error, as_json)
    if argv is None:
        _leave(code)
    return code


def dispatch(words: list[str]) -> int:
    """Find the command and run it.

    Raises:
        UsageError: There is no such command, or its words are wrong.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    if not words or words[0] in ("-h", "--help"):
        print(_help())
        return OK if words else USAGE
    if words[0] in ("-V", "--version"):
        from importlib.metadata import version

        print(f"secondread {version('secondread')}")
        return OK
    name, rest = words[0], words[1:]
    if name not in COMMANDS:
        raise UsageError(f"There is no command {name!r}.", hint=f"Commands: {', '.join(COMMANDS)}.")
    command = import_module(f"secondread.serve.cli.{name}")
    parser = Parser(prog=f"secondread {name}", description=command.__doc__, allow_abbrev=False)
    command.options(parser)
    args = parser.parse_intermixed_args(rest)
    if not sys.warnoptions:
        # Warnings of libraries are for developers (`python -W default`), and can quote a header.
        warnings.simplefilter("ignore")
    code: int = command.run(args)
    return code


def _help() -> str:
    width = max(map(len, COMMANDS))
    commands = "\n".join(f"  {name.ljust(width)}  {what}" for name, what in COMMANDS.items())
    return (
        "usage: secondread COMMAND ...\n\n"
        "A second reader for medical images: measures, checks, and answers with cited evidence or abstains.\n"
        "Research use only; not a medical device.\n\n"
        f"commands:\n{commands}\n\n"
        "`secondread COMMAND --help` shows the options of a command; `secondread --version` the version.\n"
        "Exit codes: 0 answered, 1 internal failure or cancelled, 2 bad usage or input, 3 abstained, "
        "4 waits for a yes."
    )


def _internal(error: Exception, as_json: bool) -> int:
    """Report a defect: one line, with the traceback in a file, or on stderr when `SECONDREAD_DEBUG` asks for it."""
    import traceback

    from secondread.agent.config import debugging

    if debugging():
        traceback.print_exception(error)
    where = _keep_traceback("".join(traceback.format_exception(error)))
    hint = f"The traceback is in {where}." if where else "Set SECONDREAD_DEBUG=1 to see the traceback."
    report_error(InternalError(f"Internal failure: {type(error).__name__}.", hint=hint), as_json=as_json)
    return INTERNAL


def _keep_traceback(text: str) -> str | None:
    """Write a traceback where only the user can read it; None when that is not possible or traces are off."""
    import tempfile

    from secondread.agent.config import Settings

    try:
        folder = Settings.load().trace_dir
        if folder is None:
            return None
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", dir=folder, prefix="failure-", suffix=".txt", delete=False, encoding="utf-8", errors="backslashreplace"
        ) as file:
            file.write(text)
            return file.name
    except (OSError, SecondReadError):
        return None


def _leave(code: int) -> NoReturn:
    """End the process without waiting for threads that are still busy."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            code = code or INTERNAL
    os._exit(code)


if __name__ == "__main__":
    main()
