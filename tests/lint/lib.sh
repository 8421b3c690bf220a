# tests/lint/lib.sh: what every check shares; sourced, not run.
# A check prints what is wrong with file and line, and exits 0 (fine), 1 (not
# fine) or 77 (its tool is not installed).

set -u
# a sort order that does not depend on who runs it
export LC_ALL=C
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1

# Every file of the project, one a line: what git would commit, or in an
# unpacked release all of it.
project_files() {
    if git rev-parse --git-dir >/dev/null 2>&1; then
        git ls-files --cached --others --exclude-standard | while read -r file; do
            [ -f "$file" ] && printf '%s\n' "$file"
        done
    else
        find . -type f -not -path './build/*' -not -path './run/*' \
            -not -path './autom4te.cache/*' | sed 's|^\./||' | sort
    fi
}

c_files() {
    project_files | grep -E '^(src|tests|bench)/.*\.[ch]$'
}

need() {
    command -v "$1" >/dev/null 2>&1 && return
    echo "$1 is not installed"
    exit 77
}

# The folder of a configured build, for the checks that need its compiler flags.
build=${LINT_BUILD:-$PWD/build}
need_build() {
    [ -f "$build/Makefile" ] && [ -f "$build/config.h" ] && return
    echo "$build is not a configured build: run ./configure there, or set LINT_BUILD"
    exit 77
}
