"""The JavaScript client: its unit tests, what its source makes of the package's files, and its package for npm."""

import json
import re
from pathlib import Path

import pytest

from channels._version import __version__
from tests.support import node
from tests.support.processes import ROOT

STATIC = ROOT / "channels/static/channels/js"
FILES = ["websocketbridge.d.ts", "websocketbridge.esm.d.ts", "websocketbridge.esm.js", "websocketbridge.js"]

USE_AS_MODULE = """
import { WebSocketBridge } from "channels-classic-client";
console.log(new WebSocketBridge().socket);
"""
USE_AS_COMMONJS = """
const { WebSocketBridge } = require("channels-classic-client");
console.log(new WebSocketBridge().socket);
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh build of the source: ``static`` for pages, ``dist`` for npm."""
    program = node.require("node")
    node.install()
    directory = tmp_path_factory.mktemp("client")
    node.run([program, "build.mjs", "--static", directory / "static", "--dist", directory / "dist"])
    return directory


@pytest.fixture(scope="module")
def tarball(built: Path) -> Path:
    """What ``npm pack`` makes, from a fresh build."""
    node.run([node.require("npm"), "pack", "--silent", "--pack-destination", built])
    (packed,) = built.glob("*.tgz")
    return packed


def test_client_passes_its_unit_tests() -> None:
    """With Node's own runner, on the very file that pages load; nothing has to be installed for it."""
    output = node.run([node.require("node"), "--test", "--test-reporter", "tap"])
    found = re.search(r"^# pass (\d+)", output, re.MULTILINE)
    assert found, output
    assert int(found[1]) >= 60


@pytest.mark.parametrize("name", FILES)
def test_file_for_pages_is_built_from_the_source(built: Path, name: str) -> None:
    """Byte for byte; ``npm run build`` in ``js`` makes it so."""
    assert (built / "static" / name).read_text() == (STATIC / name).read_text(), "Run: cd js && npm ci && npm run build"


def test_build_leaves_no_file_out(built: Path) -> None:
    """Nothing in the package's directory that the build does not make, and nothing missing."""
    assert sorted(path.name for path in STATIC.iterdir()) == FILES
    assert sorted(path.name for path in (built / "static").iterdir()) == FILES


def test_types_are_those_of_the_source(tarball: Path) -> None:
    """The compiler accepts the source, uses that are right, and refuses those that are marked as wrong."""
    node.run([node.require("npm"), "run", "types"])


def test_package_for_npm_holds_what_it_should(tarball: Path) -> None:
    """Two forms, their types and the licence; no source, no tests, no dependencies."""
    import tarfile

    with tarfile.open(tarball) as archive:
        names = sorted(archive.getnames())
        member = archive.extractfile("package/package.json")
        assert member is not None
        described = json.load(member)
    dist = ["LICENSE", "index.cjs", "index.d.cts", "index.d.ts", "index.js"]
    assert names == sorted(["package/README.md", "package/package.json", *(f"package/dist/{name}" for name in dist)])
    assert (described["version"], described.get("dependencies")) == (__version__, None)


def test_package_for_npm_is_used_as_module_and_as_commonjs(tarball: Path, tmp_path: Path) -> None:
    """Installed into an empty project."""
    (tmp_path / "package.json").write_text('{"private": true}')
    node.run([node.require("npm"), "install", "--offline", "--no-audit", "--no-fund", tarball], tmp_path)
    (tmp_path / "use.mjs").write_text(USE_AS_MODULE)
    (tmp_path / "use.cjs").write_text(USE_AS_COMMONJS)
    for name in ("use.mjs", "use.cjs"):
        assert node.run([node.require("node"), name], tmp_path).strip() == "null"
