"""The short form of the fuzzing that is guided by coverage: seconds for each target, from the same seed each time."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.abuse.targets import TARGETS
from tests.support.missing import skip_or_fail

pytestmark = pytest.mark.slow

SECONDS = 2
"""For each target; ``tox -e fuzz`` takes minutes."""

PLANTED = """
import sys
from pathlib import Path

from tests.abuse import fuzz

fuzz.load_targets()
from tests.abuse.target import raw_target, target
from hypothesis import strategies as st
from channels.names import require_group_name


@raw_target(b"a")
def broken():
    '''Takes for granted what a client chooses.'''
    yield lambda data: require_group_name(data.decode("latin-1"))


@target(st.lists(st.integers(), min_size=1))
def broken_values():
    '''Fails for some values.'''
    yield lambda numbers: 1 // (len(numbers) - 3)


for each in (broken, broken_values):
    print(fuzz.run(each, 30, 1, Path(sys.argv[1])).failure)
"""


def run_python(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a Python that can fuzz."""
    if importlib.util.find_spec("atheris") is None:
        skip_or_fail("atheris is missing: pip install -e '.[tests]' brings it where it has wheels.")
    root = Path(__file__).parents[2]
    path = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False, timeout=900)


def test_fuzzing_finds_nothing(tmp_path: Path) -> None:
    """And did try: each target reached code of the package. In one test, as the code is made ready for it once."""
    done = run_python("-m", "tests.abuse.fuzz", "--seconds", str(SECONDS), "--seed", "1", "--directory", str(tmp_path))
    found = {line.split()[0]: line for line in done.stdout.splitlines() if line.endswith("edges  ok")}
    assert sorted(found) == sorted(TARGETS), done.stdout + done.stderr
    assert done.returncode == 0
    for line in found.values():
        _, runs, _, edges, *_ = line.split()
        assert int(runs) > 10, line
        assert int(edges) > 5, line


def test_fuzzing_finds_what_is_broken(tmp_path: Path) -> None:
    """With a traceback and the input, be it bytes or a value; else all of the above would prove nothing."""
    done = run_python("-c", PLANTED, str(tmp_path))
    assert "TypeError: Group name must be a valid unicode string" in done.stdout
    assert "ZeroDivisionError" in done.stdout
    assert sorted(path.stem for path in tmp_path.glob("*.failed")) == ["broken", "broken_values"]
