"""The sum at the end of .ci/run is true, and evidence that did not run is named."""

from pathlib import Path

import pytest

import ci_summary

REPORT = """<?xml version="1.0"?><testsuites><testsuite>
<testcase classname="tests.x.test_a.TestB" name="test_c[1-2]" file="tests/kits.py" time="1.5"/>
<testcase classname="tests.x.test_a" name="test_d" time="0.5">
{inside}</testcase></testsuite></testsuites>
"""


def run(root: Path, inside: str, *tests: str) -> int:
    (root / "reports").mkdir()
    (root / "reports" / "unit.xml").write_text(REPORT.format(inside=inside))
    module = root / "tests" / "x" / "test_a.py"
    module.parent.mkdir(parents=True)
    module.touch()
    card = root / "components" / "lamina" / "shops" / "brick.toml"
    card.parent.mkdir(parents=True)
    card.write_text(f'[plugins.shops.corner]\ntier = "core"\nevidence = {list(tests)}\n')
    return ci_summary.main(root / "reports", root)


@pytest.mark.parametrize(
    "test",
    [
        "tests/x/test_a.py",
        "tests/x/test_a.py::TestB",
        "tests/x/test_a.py::TestB::test_c",
        "tests/x/test_a.py::TestB::test_c[1-2]",
    ],
)
def test_evidence_that_passed_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], test: str
) -> None:
    assert run(tmp_path, "<skipped/>", test) == 0
    assert "= 1 passed, 1 skipped in 2.00s =" in capsys.readouterr().out


@pytest.mark.parametrize("test", ["tests/x/test_a.py::test_d", "tests/x/test_z.py"])
def test_evidence_that_was_skipped_or_never_ran_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], test: str
) -> None:
    assert run(tmp_path, "<skipped/>", test) == 1
    assert f"shops.corner (core): {test} did not pass" in capsys.readouterr().out


@pytest.mark.parametrize("inside", ["<failure/>", "<error/>"])
def test_a_failure_is_a_failure(tmp_path: Path, inside: str) -> None:
    assert run(tmp_path, inside) == 1


def test_no_tests_are_no_proof(tmp_path: Path) -> None:
    assert ci_summary.main(tmp_path, tmp_path) == 1
