"""The questions file of a batch.

A YAML list. Each entry is a question in plain words, or a mapping:

    - Is the heart enlarged?
    - id: ctr
      question: What is the cardiothoracic ratio?
      when: {view: [PA, AP]}
    - id: size
      question: How large is the heart?
      choices: [normal, enlarged]

`when` names fields of `ImageInfo` and the values they must have; an image that does not fit gets a skipped row. An
entry without `id` is called q1, q2, .. by its place in the list.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, field_validator

from secondread.schema.errors import UsageError
from secondread.schema.image import ImageInfo
from secondread.schema.record import Record

CONDITIONS = ("view", "modality", "body_part", "position", "sex", "source_format", "portable")


class BatchQuestion(Record):
    """One question, its choices, and the images it is meant for."""

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")
    question: Annotated[str, Field(min_length=1)]
    choices: Annotated[tuple[str, ...], Field(min_length=2)] | None = None
    when: dict[str, tuple[str | bool | None, ...]] = Field(default_factory=dict)

    @field_validator("when", mode="before")
    @classmethod
    def _lists(cls, value: Any) -> Any:
        """A single value stands for a list of one."""
        if not isinstance(value, Mapping):
            return value
        return {k: v if isinstance(v, list | tuple) else (v,) for k, v in value.items()}

    @field_validator("when")
    @classmethod
    def _known(cls, value: dict[str, tuple[str | bool | None, ...]]) -> dict[str, tuple[str | bool | None, ...]]:
        unknown = sorted(set(value) - set(CONDITIONS))
        if unknown:
            raise ValueError(f"unknown conditions {', '.join(unknown)}; known are {', '.join(CONDITIONS)}")
        return value

    def misfit(self, info: ImageInfo) -> str | None:
        """Which condition an image does not meet, or None when the question is meant for it."""
        for name, wanted in self.when.items():
            found = getattr(info, name)
            if found not in wanted:
                return f"{name} is {found}"
        return None


def read_questions(path: Path) -> tuple[BatchQuestion, ...]:
    """The questions of a file.

    Raises:
        UsageError: The file is missing, is not YAML, holds no question, or repeats an id.
    """
    import yaml

    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The questions file {path} cannot be read: {type(error).__name__}.") from None
    except yaml.YAMLError as error:
        raise UsageError(f"The questions file {path} is not YAML: {' '.join(str(error).split())}.") from None
    if not isinstance(entries, list) or not entries:
        raise UsageError(f"The questions file {path} is not a list of questions.")
    questions = tuple(_question(path, place, entry) for place, entry in enumerate(entries, 1))
    ids = [q.id for q in questions]
    repeated = sorted({i for i in ids if ids.count(i) > 1})
    if repeated:
        raise UsageError(f"The questions file {path} has an id more than once: {', '.join(repeated)}.")
    return questions


def _question(path: Path, place: int, entry: object) -> BatchQuestion:
    fields = {"question": entry} if isinstance(entry, str) else entry
    if not isinstance(fields, Mapping):
        raise UsageError(f"{path}, entry {place}, is neither a question nor a mapping with one.")
    try:
        return BatchQuestion.model_validate({"id": f"q{place}", **{str(k): v for k, v in fields.items()}})
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "entry"
        raise UsageError(f"{path}, entry {place}, {where}: {first['msg']}.") from None
