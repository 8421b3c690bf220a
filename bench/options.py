"""What the measurements begin with: their arguments, before any package is needed, and
a sentence in place of a traceback where one is missing."""

import argparse
import contextlib
import pathlib
import sys

TOP = pathlib.Path(__file__).resolve().parents[1]


def count(text):
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text} is no number of requests")
    return int(text)


def read(text, program="campaignd", requests=None):
    """`text` is the script's own, for --help; `program` must be in the build folder. The
    option `requests` is there where it has a default."""
    script = f"bench/{pathlib.Path(sys.argv[0]).name}"
    parser = argparse.ArgumentParser(
        prog=script, description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", nargs="?", type=pathlib.Path, default=TOP / "build/gcc",
                        metavar="BUILD-DIR", help="build/gcc unless given")
    if requests is not None:
        parser.add_argument("requests", nargs="?", type=count, default=requests,
                            metavar="REQUESTS", help="%(default)s unless given")
    options = parser.parse_args()
    options.build = options.build.resolve()
    if not (options.build / program).exists():
        parser.error(f"there is no {options.build / program}: run make {program} in the build "
                     "folder, or name another one")
    return options


@contextlib.contextmanager
def packages():
    """Around the imports of what the standard library does not have."""
    try:
        yield
    except ModuleNotFoundError as missing:
        script = f"bench/{pathlib.Path(sys.argv[0]).name}"
        sys.exit(f"{script}: the Python package {missing.name} is missing: let tests/run units "
                 f"make build/venv, and run build/venv/bin/python {script}")
