"""Coverage-guided fuzzing of every target, each in a process of its own: ``python -m tests.abuse.fuzz``.

atheris mutates bytes and keeps those that reach new code of the package. Where a target takes bytes they go to it as
they are; else hypothesis makes values of them. What was interesting, and what broke a promise, is kept in a directory,
and a later run goes on from there.
"""

import argparse
import contextlib
import io
import os
import random
import re
import sys
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

try:
    import atheris
except ImportError:
    sys.exit("atheris is not installed: it has wheels for Linux on x86-64 only. tests/abuse runs without it.")

SLOW_SECONDS = 60
"""An input that takes longer is one that hangs."""

MEGABYTES = 2048
"""More memory than this is an input that unpacks to too much."""


LONGEST = 8192
"""Bytes of an input that hypothesis makes a value of."""


@dataclass(frozen=True, slots=True)
class Result:
    """What one run found.

    Attributes:
        runs: How many inputs were tried.
        edges: How much of the package's code they reached.
        failure: What broke a promise, with its traceback; empty if nothing did.
    """

    name: str
    runs: int
    edges: int
    failure: str

    @property
    def line(self) -> str:
        """The result in one line."""
        return f"{self.name:30} {self.runs:>10} runs {self.edges:>6} edges  {'FAILED' if self.failure else 'ok'}"


def load_targets() -> dict[str, Any]:
    """Return the targets; the code of the package tells from here on where it has been."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    with contextlib.redirect_stderr(io.StringIO()), atheris.instrument_imports(include=["channels"]):
        import django

        django.setup()
        from django.db import connection

        from tests.abuse.targets import TARGETS

        connection.creation.create_test_db(verbosity=0, serialize=False)
    return TARGETS


def make_entry(target: Any, check: Callable[[Any], None]) -> Callable[[bytes], Any]:
    """Return what atheris calls with bytes."""
    if target.is_raw:
        return check
    from hypothesis import HealthCheck, given, settings

    @settings(database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(target.examples)
    def try_one(value: Any) -> None:
        check(value)

    entry: Callable[[bytes], Any] = try_one.hypothesis.fuzz_one_input  # type: ignore[attr-defined]
    return entry


def _kept(entry: Callable[[bytes], Any], path: Path) -> Callable[[bytes], Any]:
    """Return ``entry``, which keeps an input that breaks a promise at ``path``."""

    def try_and_keep(data: bytes) -> Any:
        try:
            return entry(data)
        except BaseException:
            path.write_bytes(data)
            raise

    return try_and_keep


def run(target: Any, seconds: int, seed: int, directory: Path) -> Result:
    """Try ``target`` for some seconds, in a child of this process."""
    corpus = directory / target.name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(target.seeds or _seeds(seed)):
        (corpus / f"seed-{number}").write_bytes(data)
    failed, log = directory / f"{target.name}.failed", directory / f"{target.name}.log"
    failed.unlink(missing_ok=True)
    child = os.fork()
    if not child:
        try:
            _be_child(target, log, failed, [f"-max_total_time={seconds}", f"-seed={seed}", str(corpus)])
        except BaseException:
            traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    _, status = os.waitpid(child, 0)
    said = log.read_text(errors="replace")
    runs = re.findall(r"^stat::number_of_executed_units:\s+(\d+)", said, re.MULTILINE) or ["0"]
    edges = re.findall(r"cov: (\d+)", said) or ["0"]
    is_well = os.waitstatus_to_exitcode(status) == 0 and int(runs[-1]) > 0
    failure = "" if is_well else f"{said}\nIt ended with {os.waitstatus_to_exitcode(status)}."
    return Result(target.name, int(runs[-1]), int(edges[-1]), failure)


def _seeds(seed: int) -> list[bytes]:
    """Return what hypothesis makes values of, long enough for any; libFuzzer begins with less than it takes."""
    numbers = random.Random(seed)
    return [numbers.randbytes(LONGEST) for _ in range(10)]


def _be_child(target: Any, log: Path, failed: Path, options: Iterable[str]) -> None:
    with log.open("wb") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    with target.checks() as check:
        limits = [f"-timeout={SLOW_SECONDS}", f"-rss_limit_mb={MEGABYTES}", "-print_final_stats=1"]
        limits += [] if target.is_raw else [f"-max_len={LONGEST}", "-len_control=0"]
        found = f"-artifact_prefix={log.parent / target.name}-"
        atheris.Setup([target.name, *limits, found, *options], _kept(make_entry(target, check), failed))
        atheris.Fuzz()


def main() -> int:
    """Run the targets that are asked for; return 1 if one of them failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.abuse.fuzz", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("targets", nargs="*", help="Their names; all of them by default.")
    parser.add_argument("--seconds", type=int, default=300, help="For each target (default: %(default)s).")
    parser.add_argument("--seed", type=int, default=1, help="Of the random numbers (default: %(default)s).")
    parser.add_argument("--replay", type=Path, help="Try only what this file holds, of the one target that is named.")
    parser.add_argument("--directory", type=Path, default=Path("test-output/fuzz"), help="Where inputs are kept.")
    options = parser.parse_args()
    targets = load_targets()
    if unknown := sorted(set(options.targets) - set(targets)):
        parser.error(f"there is no target {', '.join(unknown)}; there are {', '.join(targets)}")
    if options.replay:
        (name,) = options.targets
        with targets[name].checks() as check:
            make_entry(targets[name], check)(options.replay.read_bytes())
        return 0
    failed = 0
    for name in options.targets or targets:
        result = run(targets[name], options.seconds, options.seed, options.directory.absolute())
        print(result.line, flush=True)
        if result.failure:
            failed = 1
            print(result.failure[-4000:], flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
