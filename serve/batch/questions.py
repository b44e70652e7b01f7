"""The questions file of a batch: a YAML list, see docs/batch.md.

    - Is the heart enlarged?
    - id: ctr
      question: What is the cardiothoracic ratio?
      when: {view: [PA, AP]}
      if: {question: q1, verdict: [yes, indeterminate]}
    - id: width-{side}
      question: How wide is the {side} lung?
      each: {side: [left, right]}
    - id: indication
      question: "{indication}"

`when` names fields of `ImageInfo` and the values they must have; `if` looks at the row of an earlier question; `each`
makes one question of each value; another name in braces is a column of the manifest. A question whose condition is not
met gets a skipped row. An entry without `id` is called q1, q2, .. by its place in the list.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from secondread.schema.errors import UsageError
from secondread.schema.image import ImageInfo
from secondread.schema.record import Record

CONDITIONS = ("view", "modality", "body_part", "position", "sex", "source_format", "portable")
OWN = "own-"
"""Start of the ids of questions that a manifest asks of one study alone."""
_NAME = re.compile(r"\{([A-Za-z_]\w*)\}")
Verdict = Literal["yes", "no", "indeterminate"]


class FollowUp(Record):
    """What the row of an earlier question has to say for a question to be asked."""

    question: str
    """Id of the earlier question."""
    verdict: tuple[Verdict, ...] | None = None
    choice: tuple[str, ...] | None = None
    abstained: bool | None = None
    above: float | None = None
    """The value asked for lies above."""
    below: float | None = None
    confidence_from: float | None = Field(default=None, ge=0, le=1)
    confidence_below: float | None = Field(default=None, ge=0, le=1)
    """A confidence that is not known counts as 0."""

    @field_validator("verdict", "choice", mode="before")
    @classmethod
    def _lists(cls, value: Any) -> Any:
        """A single value stands for a list of one; YAML reads a bare yes or no as true or false."""
        values = value if isinstance(value, list | tuple) else None if value is None else [value]
        words = {True: "yes", False: "no"}
        return None if values is None else tuple(words[v] if isinstance(v, bool) else v for v in values)

    @model_validator(mode="after")
    def _says_something(self) -> "FollowUp":
        if len(self.model_fields_set) < 2:
            raise ValueError("it names a question and no condition")
        return self

    def unmet(self, row: Mapping[str, Any] | None) -> str | None:
        """Why a row does not meet it, or None when it does."""
        if row is None or "error" in row or "skipped" in row:
            return f"{self.question} has no answer"
        value = (row.get("value") or {}).get("value")
        confidence = row.get("confidence") or 0.0
        for fails, said in (
            (self.verdict is not None and row.get("verdict") not in self.verdict, f"is {row.get('verdict')}"),
            (self.choice is not None and row.get("choice") not in self.choice, f"is {row.get('choice')}"),
            (self.abstained is not None and row.get("abstained") != self.abstained, "abstained differently"),
            (self.above is not None and (value is None or value <= self.above), f"is {value}"),
            (self.below is not None and (value is None or value >= self.below), f"is {value}"),
            (self.confidence_from is not None and confidence < self.confidence_from, f"has confidence {confidence}"),
            (self.confidence_below is not None and confidence >= self.confidence_below, f"has confidence {confidence}"),
        ):
            if fails:
                return f"{self.question} {said}"
        return None


class BatchQuestion(Record):
    """One question, its choices, and what it is meant for."""

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")
    question: Annotated[str, Field(min_length=1)]
    choices: Annotated[tuple[str, ...], Field(min_length=2)] | None = None
    when: dict[str, tuple[str | bool | None, ...]] = Field(default_factory=dict)
    follows: FollowUp | None = Field(default=None, alias="if")
    prior: bool | None = None
    """Hand over the earlier study too; None: when the question asks about change."""

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

    def worded(self, fields: Mapping[str, str]) -> tuple[str | None, str]:
        """The question with the columns of the manifest in place of their names; None and the first one missing."""
        missing = next((name for name in _NAME.findall(self.question) if name not in fields), None)
        if missing is not None:
            return None, f"the manifest gives no {missing}"
        return _NAME.sub(lambda match: fields[match[1]], self.question), ""


def read_questions(path: Path | str) -> tuple[BatchQuestion, ...]:
    """The questions of a file.

    Raises:
        UsageError: The file is missing, is not YAML, holds no question, or an entry is wrong, with its line.
    """
    import yaml

    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        entries = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The questions file {path} cannot be read: {type(error).__name__}.") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}," if mark is not None else ""
        raise UsageError(f"The questions file {path}{where} is not YAML: {' '.join(str(error).split())}.") from None
    if not isinstance(entries, list) or not entries or node is None:
        raise UsageError(f"The questions file {path} is not a list of questions.")
    questions: list[BatchQuestion] = []
    for place, (entry, at) in enumerate(zip(entries, node.value, strict=True), 1):
        for one in _questions(path, place, entry, at):
            _fits_in(path, one, questions, at)
            questions.append(one)
    return tuple(questions)


def _fits_in(path: Path, one: BatchQuestion, earlier: list[BatchQuestion], node: Any) -> None:
    ids = {q.id for q in earlier}
    if one.id.startswith(OWN):
        raise UsageError(f"{path}, line {_line(node, 'id')}: ids that start with {OWN} are kept for manifests.")
    if one.id in ids:
        raise UsageError(f"{path}, line {_line(node, 'id')}: the id {one.id} is there more than once.")
    if one.follows is not None and one.follows.question not in ids:
        raise UsageError(
            f"{path}, line {_line(node, 'if')}: there is no question {one.follows.question} before this one."
        )


def _questions(path: Path, place: int, entry: object, node: Any) -> Iterator[BatchQuestion]:
    """The questions that one entry stands for."""
    fields = {"question": entry} if isinstance(entry, str) else entry
    if not isinstance(fields, Mapping):
        raise UsageError(f"{path}, line {_line(node)}: an entry is a question, or a mapping with one.")
    values = {"id": f"q{place}", **{str(k): v for k, v in fields.items()}}
    each = values.pop("each", None)
    if each is None:
        yield _question(path, values, node)
        return
    if not isinstance(each, Mapping) or len(each) != 1 or not isinstance(next(iter(each.values())), list):
        raise UsageError(f"{path}, line {_line(node, 'each')}: `each` is one name with a list of values.")
    name, options = next(iter(each.items()))
    if not options or f"{{{name}}}" not in str(values.get("question")):
        raise UsageError(f"{path}, line {_line(node, 'each')}: the question has no {{{name}}}, or there is no value.")
    for option in options:
        made = {k: v.replace(f"{{{name}}}", str(option)) if isinstance(v, str) else v for k, v in values.items()}
        if made["id"] == values["id"]:
            made["id"] = f"{values['id']}-{re.sub(r'[^A-Za-z0-9_.-]+', '_', str(option))}"
        yield _question(path, made, node)


def _question(path: Path, values: Mapping[str, Any], node: Any) -> BatchQuestion:
    try:
        return BatchQuestion.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "entry"
        key = str(first["loc"][0]) if first["loc"] else ""
        raise UsageError(f"{path}, line {_line(node, key)}, {where}: {first['msg']}.") from None


def _line(node: Any, key: str = "") -> int:
    """Line of a key of an entry, or of the entry itself."""
    if isinstance(node.value, list):
        for pair in node.value:
            if isinstance(pair, tuple) and pair[0].value == key:
                return int(pair[0].start_mark.line) + 1
    return int(node.start_mark.line) + 1
