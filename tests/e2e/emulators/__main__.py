"""Installs every emulator, or says in one line what is missing."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from emulators import Missing, install_all  # noqa: E402 (found by the path above)

try:
    install_all()
except Missing as failure:
    print(str(failure).replace("\n", " "))
    sys.exit(1)
