"""Settings: one frozen class, one precedence, and the only place that reads the environment.

Argument, then environment (`SECONDREAD_<FIELD>`), then `secondread.toml` in the working directory, then the one in the
user's configuration folder, then the default.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator

from secondread.agent.witness_names import Name
from secondread.schema.errors import UsageError
from secondread.schema.record import Record

PREFIX = "SECONDREAD_"
FILE_NAME = "secondread.toml"
TOKEN_VARIABLE = "SECONDREAD_MCP_TOKEN"
_ALIASES = {"data_dir": ("SECONDREAD_DATA_DIR", "SECONDREAD_DATA")}
_NONE_WORDS = ("none", "off", "null", "")
_OPTIONAL = ("risk", "threads", "anatomy_members", "guard_member", "trace_dir", "cache_dir", "data_dir")
_LISTS = ("anatomy_members", "allowed_licences", "corpora", "graphs", "mcp_servers", "witnesses_off")

Risk = Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)]


def user_dir(kind: Literal["config", "state", "cache"], environ: Mapping[str, str] | None = None) -> Path:
    """The user's own folder for settings, run traces or kept results, after the XDG base directory rules."""
    env = os.environ if environ is None else environ
    variable, fallback = {
        "config": ("XDG_CONFIG_HOME", Path(".config")),
        "state": ("XDG_STATE_HOME", Path(".local", "state")),
        "cache": ("XDG_CACHE_HOME", Path(".cache")),
    }[kind]
    stated = env.get(variable, "")
    base = Path(stated) if stated.startswith("/") else Path(env.get("HOME") or Path.home()) / fallback
    return base / "secondread"


def debugging(environ: Mapping[str, str] | None = None) -> bool:
    """Whether `SECONDREAD_DEBUG` asks for tracebacks."""
    env = os.environ if environ is None else environ
    return env.get("SECONDREAD_DEBUG", "").strip().lower() not in ("", "0", "false", "no", "off")


def server_token(environ: Mapping[str, str] | None = None) -> str | None:
    """The bearer token that `SECONDREAD_MCP_TOKEN` gives the MCP server, or None. No setting: it is a secret."""
    env = os.environ if environ is None else environ
    return env.get(TOKEN_VARIABLE, "").strip() or None


class Settings(Record):
    """How an agent runs. `Settings(...)` takes arguments and defaults only; `Settings.load(...)` looks everywhere."""

    planner: str = "protocol"
    """`protocol`, `provider:model`, the base URL of a local server, or a folder with local weights."""
    risk: Risk | None = None
    """Largest P(wrong | answered) that may be promised; None: no promise is asked for."""
    offline: bool = False
    """Refuse any planner that needs a network, and every connection while a question is answered."""
    send_pixels: bool = False
    """Let a remote planner see pixels; without it only text evidence leaves the machine."""
    device: Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")] = "auto"
    """Where networks run: `auto` (the first GPU that a tool can use, else the processor), `cpu`, `cuda`, `cuda:N`,
    `mps`."""
    threads: Annotated[int, Field(ge=1, le=1024)] | None = None
    """Threads of the numeric libraries; None leaves their own choice."""
    allowed_licences: tuple[str, ...] = ("permissive", "copyleft")
    """Licences of tools and weights that may be used: `permissive`, `copyleft`, `non_commercial`, `unknown`, or the
    name of a single licence."""
    pixel_budget_mb: Annotated[int, Field(ge=16)] = 512
    """Decoded pixels kept in memory."""
    model_budget_mb: Annotated[int, Field(ge=16)] = 2048
    """Model parameters kept in memory."""
    max_steps: Annotated[int, Field(ge=1, le=1000)] = 12
    """Rounds of think, act and rethink."""
    max_calls: Annotated[int, Field(ge=1, le=10_000)] = 48
    """Tool calls of one run."""
    max_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 300.0
    """Wall-clock time of one run."""
    max_tokens: Annotated[int, Field(ge=1)] = 200_000
    """Tokens that a chat planner may use in one run."""
    tool_timeout_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 120.0
    """Upper bound on one tool call; a card may ask for less."""
    planner_timeout_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 60.0
    """Upper bound on one request to a language model."""
    rethink: bool = True
    """Second look: checks, closer looks and belief revision between rounds. Off only for experiments."""
    witnesses_off: tuple[Name, ...] = ()
    """Witnesses of a belief to leave out, see `agent.witnesses`. For experiments."""
    exemplars: bool = False
    """Show a chat planner similar cases of the corpora with what is known of them. They establish nothing in the asked
    image; on and off is for measuring what they are worth."""
    anatomy_members: tuple[Annotated[int, Field(ge=0)], ...] | None = None
    """Members of the anatomy ensemble to use; None: all. For out-of-fold evaluation."""
    guard_member: Annotated[int, Field(ge=0)] | None = None
    """Member of the film guard's ensemble to use; None: all. For out-of-fold evaluation."""
    trace_dir: Path | None = Field(default_factory=lambda: user_dir("state") / "traces")
    """Where run traces are written; None keeps them in memory only."""
    audit: bool = True
    """Record every call of a language model beside the traces: when, where to, how much; never what was said."""
    checkpoints: bool = True
    """Keep the state of a running loop beside its trace, so that a run that is cut off can be taken up again."""
    cache_dir: Path | None = Field(default_factory=lambda: user_dir("cache") / "results")
    """Where tool results are kept between runs, readable by the user alone; None keeps them in memory only."""
    cache_mb: Annotated[int, Field(ge=8)] = 512
    """Size of that folder; the least recently used results leave first."""
    cell_detector: Literal["built_in", "yolo"] = "built_in"
    """Which networks find blood cells; `yolo` needs the extra of that name, and its weights are under AGPL-3.0."""
    retrieval: bool = True
    """Offer the tools that search corpora. Off only for experiments."""
    corpora: tuple[Path, ...] = ()
    """Folders of the corpora that retrieval tools search, see `secondread index`."""
    graphs: tuple[Path, ...] = ()
    """Folders of built graphs whose image nodes retrieval tools walk, see `secondread kg build`."""
    mcp_servers: tuple[Path, ...] = ()
    """Files that name other MCP servers whose tools are mounted as experts, see `secondread.tools.remote.servers`."""
    data_dir: Path | None = None
    """Research data folder of evaluations and training recipes; nothing else reads it."""

    @field_validator("trace_dir", "cache_dir", "data_dir")
    @classmethod
    def _home(cls, value: Path | None) -> Path | None:
        return None if value is None else value.expanduser()

    @classmethod
    def load(cls, *, environ: Mapping[str, str] | None = None, cwd: Path | None = None, **given: Any) -> "Settings":
        """Settings by the full precedence. An argument of None counts as not given.

        Raises:
            UsageError: A value is of the wrong type or out of range, a name is unknown, or a file is not TOML.
        """
        return resolve(environ=environ, cwd=cwd, **given)[0]


def resolve(
    *, environ: Mapping[str, str] | None = None, cwd: Path | None = None, **given: Any
) -> tuple[Settings, dict[str, str]]:
    """Settings by the full precedence, and for each field where its value comes from.

    Raises:
        UsageError: See `Settings.load`.
    """
    env = os.environ if environ is None else environ
    values: dict[str, Any] = {}
    origin = dict.fromkeys(Settings.model_fields, "default")
    for path in (user_dir("config", env) / FILE_NAME, (cwd or Path.cwd()) / FILE_NAME):
        for name, value in _from_file(path).items():
            values[name], origin[name] = value, str(path)
    for name in Settings.model_fields:
        for variable in _ALIASES.get(name, (PREFIX + name.upper(),)):
            if variable in env:
                values[name], origin[name] = _from_text(name, env[variable]), variable
                break
    for name, value in given.items():
        if value is not None:
            values[name], origin[name] = value, "argument"
    try:
        return Settings.model_validate(values), origin
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        name = str(first["loc"][0]) if first["loc"] else "settings"
        where = origin.get(name, "argument")
        raise UsageError(f"Setting {name} ({where}): {first['msg']}.", hint="`secondread config` lists them.") from None


def _from_file(path: Path) -> dict[str, Any]:
    """The settings of a TOML file; empty when there is none."""
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The settings file {path} cannot be read: {type(error).__name__}.") from None
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"The settings file {path} is not TOML: {error}.") from None
    unknown = sorted(set(values) - set(Settings.model_fields))
    if unknown:
        raise UsageError(f"The settings file {path} has unknown names: {', '.join(unknown)}.")
    return {n: _from_text(n, v) if isinstance(v, str) else v for n, v in values.items()}


def _from_text(name: str, text: str) -> Any:
    """A value as the environment spells it: `none` for optional fields, numbers of a tuple separated by commas."""
    if name in _OPTIONAL and text.strip().lower() in _NONE_WORDS:
        return None
    if name in _LISTS:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return text
