# Each CPython that the module is for and that is found here, with what builds a wheel.
# shellcheck shell=bash

python_of() { # python_of X.Y: the path of that interpreter, also where pyenv keeps it
  local found
  found=$(command -v "python$1") && "$found" -c '' 2>/dev/null && { echo "$found"; return 0; }
  found=$(pyenv root 2>/dev/null) || return 1
  for found in "$found"/versions/"$1".*/bin/python; do
    "$found" -c '' 2>/dev/null && { echo "$found"; return 0; }
  done
  return 1
}

install_pythons() {
  local version found names=
  for version in 3.10 3.11 3.12 3.13; do
    found=$(python_of $version) || { say "pythons: no CPython $version here"; continue; }
    PYTHON=$found venv "python$version" "$PYTHON_PACKAGES" || return 1
    names="$names $version"
  done
  say "pythons:$names"
  [ -n "$names" ] && touch "$ROOT/.pythons"
}
