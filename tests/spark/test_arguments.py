import pytest

from arguments import Placement, parser, placement


def test_placement_is_what_the_command_line_says() -> None:
    told = ["--node", "/n", "--runtime", "/r.js", "--env", "B=gs://b/?x=1", "--env", "A="]
    where = placement(parser("A step.").parse_args(told))
    assert where == Placement("/n", "/r.js", (("A", ""), ("B", "gs://b/?x=1")))
    assert where.env == {"A": "", "B": "gs://b/?x=1"}


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (["--node", "/n"], "--runtime"),
        (["--node", "/n", "--runtime", "/r.js", "--env", "A"], '"A" is not KEY=VALUE'),
        (["--node", "/n", "--runtime", "/r.js", "--env", "=A"], '"=A" is not KEY=VALUE'),
        (["--node", "/n", "--run", "/r.js"], "--runtime"),
        (["--node", "/n", "--runtime", "/r.js", "--environment", "A=1"], "--environment"),
    ],
)
def test_what_is_missing_or_unknown_is_refused(told: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ending:
        parser("A step.").parse_args(told)
    assert ending.value.code == 2
    assert said in capsys.readouterr().err
