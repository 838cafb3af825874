#!/usr/bin/env bash
# Set up this clone: `tools/setup.sh start` for the course, `tools/setup.sh test` for everything that the tests need.
# Safe to run again: it does only what is missing. Needs no rights; uses them for Debian packages where they are there.
set -euo pipefail
cd "$(dirname "$0")/.."

what=${1:-start}
case $what in
  start) extras=book,portal packages="bubblewrap libseccomp2" ;;
  test) extras=dev packages="bubblewrap libseccomp2 chromium" ;;
  *) echo "usage: tools/setup.sh start|test" >&2; exit 2 ;;
esac

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

missing_packages() {
  for package in $packages; do
    case $package in
      bubblewrap) command -v bwrap >/dev/null || echo "$package" ;;
      chromium) command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || echo "$package" ;;
      libseccomp2) ldconfig -p 2>/dev/null | grep -q 'libseccomp\.so\.2' || echo "$package" ;;
      *) dpkg -s "$package" >/dev/null 2>&1 || echo "$package" ;;
    esac
  done
}

why_needed() {
  case $1 in
    bubblewrap | libseccomp2) echo "it isolates student code: without it nothing is graded, and the tests of grading are skipped" ;;
    chromium) echo "the tests that open the book's pages are skipped without it" ;;
    *) echo "Python needs it for virtual environments" ;;
  esac
}

install_packages() {  # names as arguments; quiet where there is no apt or no right to use it
  local as_root=()
  command -v apt-get >/dev/null || return 0
  if [ "$(id -u)" != 0 ]; then
    sudo -n true 2>/dev/null || return 0
    as_root=(sudo -n)
  fi
  say "Installing Debian packages: $*"
  "${as_root[@]}" apt-get update -qq || true
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null || true
}

find_python() {
  for name in "${PYTHON:-}" python3.11 python3.12 python3.13 python3 python; do
    if [ -n "$name" ] && "$name" -c 'import sys; sys.exit(not sys.version_info >= (3, 11))' 2>/dev/null; then
      command -v "$name"
      return
    fi
  done
}

python=$(find_python)
if [ -z "$python" ] || { [ ! -x .venv/bin/python ] && ! "$python" -c 'import venv, ensurepip' 2>/dev/null; }; then
  packages="python3 python3-venv $packages"
fi
wanted=$(missing_packages)
if [ -n "$wanted" ]; then
  # shellcheck disable=SC2086
  install_packages $wanted
fi
for package in $(missing_packages); do
  printf 'Missing: %s (%s). To have it: apt-get install %s\n' "$package" "$(why_needed "$package")" "$package" >&2
done
python=$(find_python)
if [ -z "$python" ]; then
  echo "Python 3.11 or newer is needed and was not found; install it or set PYTHON=/path/to/python3" >&2
  exit 1
fi

stamp=.venv/.unseg-$what
state=$(cat pyproject.toml constraints.txt | sha256sum | cut -d' ' -f1)
if [ ! -x .venv/bin/python ]; then
  say "Creating .venv with $("$python" --version)"
  "$python" -m venv .venv
fi
if [ "$(cat "$stamp" 2>/dev/null)" != "$state" ]; then
  say "Installing the course and its Python packages (minutes, once)"
  .venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[$extras]"
  echo "$state" >"$stamp"
fi
