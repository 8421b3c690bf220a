"""Installs every emulator, or says in one line what is missing."""

import sys

from emulators import Missing, install_all

try:
    install_all()
except Missing as failure:
    print(failure)
    sys.exit(1)
