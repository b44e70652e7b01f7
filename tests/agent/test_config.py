from pathlib import Path

import pytest

from secondread.agent.config import Settings, debugging, resolve, user_dir
from secondread.schema.errors import UsageError


@pytest.fixture
def places(tmp_path: Path) -> dict[str, str]:
    """An environment whose home is the test's own folder."""
    return {"HOME": str(tmp_path / "home")}


def write(folder: Path, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "secondread.toml").write_text(text)


def test_argument_beats_environment_beats_files_beats_default(places: dict[str, str], tmp_path: Path) -> None:
    write(tmp_path / "home" / ".config" / "secondread", "max_steps = 2\nmax_calls = 2\nthreads = 2\nmax_tokens = 2")
    write(tmp_path / "here", "max_steps = 3\nmax_calls = 3\nthreads = 3")
    env = {**places, "SECONDREAD_MAX_STEPS": "4", "SECONDREAD_MAX_CALLS": "4"}
    settings, origin = resolve(environ=env, cwd=tmp_path / "here", max_steps=5)
    assert (settings.max_steps, settings.max_calls, settings.threads, settings.max_tokens) == (5, 4, 3, 2)
    assert origin["max_steps"] == "argument"
    assert origin["max_calls"] == "SECONDREAD_MAX_CALLS"
    assert origin["threads"] == str(tmp_path / "here" / "secondread.toml")
    assert origin["max_tokens"].endswith(".config/secondread/secondread.toml")
    assert (settings.max_seconds, origin["max_seconds"]) == (Settings().max_seconds, "default")


def test_an_argument_of_none_is_not_given_and_false_is(places: dict[str, str], tmp_path: Path) -> None:
    env = {**places, "SECONDREAD_RISK": "0.1"}
    settings = Settings.load(environ=env, cwd=tmp_path, risk=None, rethink=False)
    assert settings.risk == 0.1
    assert settings.rethink is False


def test_text_spells_none_lists_and_booleans(places: dict[str, str], tmp_path: Path) -> None:
    env = {
        **places,
        "SECONDREAD_TRACE_DIR": "none",
        "SECONDREAD_ANATOMY_MEMBERS": "0, 2",
        "SECONDREAD_RETHINK": "off",
        "SECONDREAD_DATA": "/data",
    }
    settings = Settings.load(environ=env, cwd=tmp_path)
    assert settings.trace_dir is None
    assert settings.anatomy_members == (0, 2)
    assert settings.rethink is False
    assert settings.data_dir == Path("/data")


@pytest.mark.parametrize(
    ("name", "value"),
    [("RISK", "0"), ("RISK", "1"), ("RISK", "nan"), ("MAX_STEPS", "0"), ("MAX_SECONDS", "inf"), ("RETHINK", "maybe")],
)
def test_a_bad_value_names_the_setting_and_its_origin(
    name: str, value: str, places: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=rf"Setting {name.lower()} \(SECONDREAD_{name}\)"):
        Settings.load(environ={**places, f"SECONDREAD_{name}": value}, cwd=tmp_path)


@pytest.mark.parametrize("text", ["max_steps = ", "no_such_name = 1", "max_steps = 'many'"])
def test_a_bad_file_is_one_clear_error(text: str, places: dict[str, str], tmp_path: Path) -> None:
    write(tmp_path, text)
    with pytest.raises(UsageError, match=r"secondread\.toml"):
        Settings.load(environ=places, cwd=tmp_path)


def test_an_unknown_argument_is_refused(places: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        Settings.load(environ=places, cwd=tmp_path, colour="red")


def test_folders_follow_xdg_when_it_is_absolute(places: dict[str, str]) -> None:
    assert user_dir("state", {**places, "XDG_STATE_HOME": "/state"}) == Path("/state/secondread")
    assert user_dir("config", {**places, "XDG_CONFIG_HOME": "relative"}).is_relative_to(places["HOME"])


def test_debugging_is_off_unless_asked_for() -> None:
    assert not debugging({})
    assert not debugging({"SECONDREAD_DEBUG": "0"})
    assert debugging({"SECONDREAD_DEBUG": "1"})
