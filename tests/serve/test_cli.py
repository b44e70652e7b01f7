import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from secondread.schema.errors import ToolUnavailable
from secondread.serve.cli.console import one_line, printable
from secondread.serve.cli.main import COMMANDS, main


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(list(words))
    seen = capsys.readouterr()
    return code, seen.out, seen.err


def one_error_line(err: str) -> str:
    lines = err.splitlines()
    assert len(lines) == 1, err
    assert lines[0].startswith("secondread: ")
    assert "Traceback" not in err
    return lines[0]


def test_help_lists_every_command_and_each_command_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--help")
    assert code == 0
    for name in COMMANDS:
        assert f"  {name}" in out
        assert main([name, "--help"]) == 0


def test_no_command_is_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys)[0] == 2


@pytest.mark.parametrize(
    "words",
    [
        ("nonsense",),
        ("ask",),
        ("ask", "--unknown", "q"),
        ("ask", ""),
        ("ask", "   "),
        ("ask", "q", "--risk", "2"),
        ("ask", "q", "--risk", "nan"),
        ("ask", "q", "--age", "-3"),
        ("ask", "q", "--view", "SIDEWAYS"),
        ("ask", "q", "--region", "1,2,3"),
        ("ask", "q", "--region", "5,5,1,9"),
        ("ask", "q", "--region", "0,0,inf,9"),
        ("ask", "q", "--choices", "one"),
        ("ask", "q", "--choices", "a,,b"),
        ("ask", "q", "--choices", "a,A"),
        ("ask", "q", "--region", "0,0,5,5"),
        ("tools", "no_such_tool"),
        ("kg", "path", "one"),
        ("kg", "dance"),
        ("batch", "nowhere", "--questions", "none.yaml", "--out", "o"),
        ("replay", "no_such_trace.jsonl"),
        ("mcp", "--root", "no_such_folder"),
    ],
)
def test_bad_usage_is_one_line_and_exit_2(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str], factory: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, *words)
    assert (code, out) == (2, "")
    one_error_line(err)
    assert not list(tmp_path.iterdir())


def test_json_errors_carry_code_message_and_hint(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "tools", "no_such_tool", "--json")
    assert code == 2
    assert set(json.loads(out)) == {"code", "message", "hint"}
    assert json.loads(out)["code"] == "usage"
    one_error_line(err)


def test_an_answer_prints_text_evidence_and_notice(
    capsys: pytest.CaptureFixture[str], factory: Any, film: Path
) -> None:
    code, out, err = run(capsys, "ask", str(film), "Is it bright?")
    assert (code, err) == (0, "")
    assert out.startswith("Bright share 0.5 [E2].")
    assert "*E2 bright_share: bright share 0.5" in out
    assert out.rstrip().endswith("not a medical device.")
    assert factory.last.closed


def test_options_reach_the_agent_in_any_order(capsys: pytest.CaptureFixture[str], factory: Any, film: Path) -> None:
    code, _, _ = run(
        capsys, "ask", "--view", "pa", str(film), "--age", "44", "Is it?", "--choices", "yes, no", "--region",
        "0,0,9.5,9", "--no-rethink", "--risk", "0.1", "--session", "s1", "--offline",
    )  # fmt: skip
    assert code == 0
    asked = factory.last.asked[0]
    assert asked["image"] == str(film)
    assert asked["question"] == "Is it?"
    assert (asked["view"], asked["age"], asked["session"]) == ("PA", 44.0, "s1")
    assert asked["choices"] == ("yes", "no")
    assert asked["region"] == (0.0, 0.0, 9.5, 9.0)
    settings = factory.last.settings
    assert (settings.rethink, settings.risk, settings.offline, settings.send_pixels) == (False, 0.1, True, False)


def test_an_abstention_exits_3_and_json_is_the_answer(
    capsys: pytest.CaptureFixture[str], factory: Any, film: Path
) -> None:
    code, out, err = run(capsys, "ask", str(film), "Is there a pneumothorax?", "--json")
    assert (code, err) == (3, "")
    answer = json.loads(out)
    assert answer["abstained"] is True
    assert {"question", "text", "verdict", "value", "choice", "confidence", "claims", "evidence", "trace"} <= set(
        answer
    )


def test_a_question_without_an_image_is_passed_on(capsys: pytest.CaptureFixture[str], factory: Any) -> None:
    assert run(capsys, "ask", "What does a ratio above 0.5 suggest?")[0] == 3
    assert factory.last.asked[0]["image"] is None


def test_words_in_the_wrong_order_are_explained(capsys: pytest.CaptureFixture[str], factory: Any, film: Path) -> None:
    assert "comes last" in one_error_line(run(capsys, "ask", "Is it bright?", str(film))[2])
    assert "no question" in one_error_line(run(capsys, "ask", str(film))[2])


def test_a_missing_file_is_named_as_typed(
    capsys: pytest.CaptureFixture[str], factory: Any, monkeypatch: Any, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, "ask", "./no such film.png", "Is it bright?", "--out", "made")
    assert (code, out) == (2, "")
    line = one_error_line(err)
    assert "no such film.png" in line
    assert str(tmp_path) not in line
    assert not (tmp_path / "made").exists()


def test_a_defect_is_one_line_with_the_traceback_in_a_private_file(
    capsys: pytest.CaptureFixture[str], factory: Any, film: Path, monkeypatch: Any, tmp_path: Path
) -> None:
    def broken(image: Any, question: str) -> None:
        raise ZeroDivisionError("secret detail")

    factory.prepare = lambda agent: setattr(agent, "before_answer", broken)
    code, out, err = run(capsys, "ask", str(film), "Is it bright?", "--json", "--out", str(tmp_path / "o"))
    assert code == 1
    assert json.loads(out)["code"] == "internal"
    assert "secret" not in one_error_line(err)
    [kept] = (tmp_path / "traces").glob("failure-*.txt")
    assert "ZeroDivisionError: secret detail" in kept.read_text()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert not (tmp_path / "o").exists()
    monkeypatch.setenv("SECONDREAD_DEBUG", "1")
    assert "Traceback" in run(capsys, "ask", str(film), "Is it bright?")[2]


def test_an_interrupt_is_cancelled_with_exit_1(capsys: pytest.CaptureFixture[str], factory: Any, film: Path) -> None:
    def stop(image: Any, question: str) -> None:
        raise KeyboardInterrupt

    factory.prepare = lambda agent: setattr(agent, "before_answer", stop)
    code, _, err = run(capsys, "ask", str(film), "Is it bright?")
    assert code == 1
    assert "Cancelled" in one_error_line(err)
    assert factory.last.closed


def test_an_unavailable_part_exits_1_with_its_code(capsys: pytest.CaptureFixture[str], factory: Any) -> None:
    def refuse(image: Any, question: str) -> None:
        raise ToolUnavailable("The extra llm is missing.", hint='pip install "secondread[llm]"')

    factory.prepare = lambda agent: setattr(agent, "before_answer", refuse)
    code, out, _ = run(capsys, "ask", "Is it bright?", "--json")
    assert code == 1
    assert json.loads(out)["hint"].startswith("pip install")


def test_warnings_of_libraries_stay_off_the_terminal() -> None:
    script = (
        "import warnings\nfrom secondread.serve.cli import tools\nfrom secondread.serve.cli.main import main\n"
        "tools.run = lambda args: warnings.warn('header of Jane Doe') or 0\nmain(['tools'])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True)
    assert done.stderr == ""


def test_control_characters_never_reach_the_terminal() -> None:
    assert printable("a\x1b[2Jb\u202ec\n") == "a?[2Jb?c\n"
    assert "\n" not in one_line("a\nb")
    assert len(one_line("x" * 5000)) <= 1000


def test_config_prints_values_and_where_they_come_from(
    capsys: pytest.CaptureFixture[str], monkeypatch: Any, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SECONDREAD_MAX_STEPS", "5")
    code, out, _ = run(capsys, "config", "--json")
    assert code == 0
    assert json.loads(out)["max_steps"] == {"value": 5, "from": "SECONDREAD_MAX_STEPS"}


def test_output_cut_off_by_the_reader_is_no_traceback() -> None:
    command = f"{sys.executable} -m secondread.serve.cli.main config | head -0"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, env=os.environ, timeout=60)
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_tools_lists_installed_tools_and_cards(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "tools", "--json")
    assert code == 0
    names = [card["name"] for card in json.loads(out)["tools"]]
    assert "cardiothoracic_ratio" in names
    code, out, _ = run(capsys, "tools", "cardiothoracic_ratio")
    assert code == 0
    assert "chest_anatomy" in out
    assert "Apache-2.0" in out
