"""The measurements of bench/ explain themselves to who has not the packages that they need."""

import subprocess
import sys

import pytest
from support import TOP

pytestmark = pytest.mark.plain_build

SCRIPTS = ("aws", "render", "requests")


@pytest.fixture(name="build")
def fixture_build(request):
    return request.config.getoption("--build-dir")


def run(script, *arguments):
    """Without any package: -S leaves the standard library alone."""
    return subprocess.run([sys.executable, "-B", "-S", TOP / "bench" / script, *arguments],
                          capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_needs_no_package(script):
    told = run(script, "--help")
    assert told.returncode == 0 and not told.stderr
    assert told.stdout.startswith(f"usage: bench/{script} [-h] [BUILD-DIR]")


@pytest.mark.parametrize("script", ("aws", "requests"))
def test_a_missing_package_is_told_with_the_remedy(script, build):
    told = run(script, build)
    assert told.returncode == 1 and not told.stdout
    assert told.stderr == (
        f"bench/{script}: the Python package requests is missing: let tests/run units make "
        f"build/venv, and run build/venv/bin/python bench/{script}\n")


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_folder_without_the_program_is_told(script, tmp_path):
    told = run(script, tmp_path)
    assert told.returncode == 2 and not told.stdout
    assert f"bench/{script}: error: there is no {tmp_path}/" in told.stderr


def test_a_count_that_is_none_is_told(build):
    told = run("aws", build, "many")
    assert told.returncode == 2 and "many is no number of requests" in told.stderr
