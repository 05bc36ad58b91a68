"""nginx, started by tests with a configuration of theirs."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.missing import skip_or_fail
from tests.support.processes import answers, stop, wait_for


def find_nginx() -> str:
    """Return the path of nginx; without one, skip, or fail where CI is set."""
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        skip_or_fail("Install nginx (Debian: apt install nginx-light).")
    return found


@contextmanager
def nginx(directory: Path, configuration: str, port: int) -> Iterator[Path]:
    """Run nginx during a ``with`` block and yield its log.

    Args:
        directory: Where its files go.
        configuration: What stands in its ``http`` block.
        port: One that it listens on.
    """
    # Started as root, nginx would serve as somebody who may not read what tests write.
    user = "user root;" if os.getuid() == 0 else ""
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{kind}_temp_path {directory}/{kind}; " for kind in kinds)
    (directory / "nginx.conf").write_text(
        f"daemon off; pid {directory}/nginx.pid; worker_processes 1; {user}\n"
        f"events {{}}\nhttp {{ access_log off; types {{ text/css css; }} {temporary}\n{configuration}}}\n"
    )
    log = directory / "nginx.log"
    command = [find_nginx(), "-e", str(log), "-p", str(directory), "-c", str(directory / "nginx.conf")]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        wait_for(lambda: process.poll() is not None or answers(port), "nginx listens")
        assert process.poll() is None, log.read_text()
        yield log
    finally:
        stop(process)
