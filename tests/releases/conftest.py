"""What the tests need that run on other releases of Debian."""

import os
import pathlib

import pytest

from chroots import Missing, TOP, check_machine


def pytest_addoption(parser):
    group = parser.getgroup("campaignstore")
    group.addoption("--bundle", help="the archive that make bundle made")


@pytest.fixture(scope="session")
def machine():
    try:
        check_machine()
    except Missing as why:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(str(why))


@pytest.fixture(scope="session")
def bundle(request):
    path = request.config.getoption("--bundle")
    if path is None:
        found = sorted((TOP / "build").glob("*/campaignstore-*-linux-x86_64.tar.gz"))
        path = found[-1] if found else pytest.fail("no bundle: make bundle")
    return pathlib.Path(path)
