#!/bin/sh
# @TITLE@
# One file: this script, the bundled program (gzip) and its runtime (gzip, last). The first start unpacks
# both into a private directory named by their hash; every start then runs the runtime from there with
# these permissions and no more (permissions.json in that directory):
#   @PERMISSIONS@
# Needs sh, tail, gzip and the C library. Binary data follows.
self=$0
program=${0##*/}
case ${1-} in
  --as=*) program=${1#--as=}; shift ;;
esac
case $program in
  peipkg-build | peipkg-build[-._]*) program=peipkg-build entry=build_main.js ;;
  peipkg-repo | peipkg-repo[-._]*) program=peipkg-repo entry=repo_main.js ;;
  *) program=peipkg entry=main.js ;;
esac
tree=@TREE@

# Whether $1 holds the unpacked tree, as its unpacker left it.
#
# An attacker: the directories and the files must belong to the caller and be no links. The unpacker makes
# them inaccessible to everybody else (0700), after hashing every byte; only the caller could undo that.
# Accidents (a cleaner of temporary files, a restored backup, a careless hand): nothing may be newer than the
# stamp, which was written last, and owner, mode, inode, size and both times of runtime and program directory
# must be those in it; this second half needs stat(1) and is left out where there is none. Hashing 90 MB again
# would cost more than the whole start.
usable() {
  directory=$1/$tree
  [ -O "$1" ] && [ ! -h "$1" ] && [ -O "$directory" ] && [ ! -h "$directory" ] || return 1
  [ -O "$directory/deno" ] && [ -x "$directory/deno" ] && [ ! -h "$directory/deno" ] || return 1
  [ -O "$directory/program" ] && [ -r "$directory/program/$entry" ] && [ -r "$directory.stamp" ] || return 1
  for file in "$directory/deno" "$directory/program" "$directory/program"/*; do
    [ ! "$file" -nt "$directory.stamp" ] || return 1
  done
  { IFS= read -r first && IFS= read -r second && IFS= read -r third; } <"$directory.stamp" || return 1
  facts=$(stat -c '%u:%a:%i:%s:%Y:%Z' "$directory" "$directory/deno" "$directory/program" 2>&1) || return 0
  [ "$facts" = "$first
$second
$third" ]
}

# Unpacks into $1. The shell only writes the runtime, to a new file nobody else may read (umask, noclobber);
# the runtime, started through the C library's loader, does the rest: it needs no mkdir, chmod, mv or
# sha256sum on this machine, nor any device, and a file system mounted noexec is found out here. gzip checks what
# it read. What went wrong is kept in `reason`.
unpack() {
  directory=$1/$tree
  parent=$1
  while [ ! -d "$parent" ]; do
    case $parent in
      /*/*) parent=${parent%/*} ;;
      *) parent=/ ;;
    esac
  done
  reason="$parent is not writable"
  [ -w "$parent" ] || return 1
  reason="$parent belongs to somebody else"
  [ -O "$parent" ] || [ -k "$parent" ] || [ "$1" = "$chosen" ] || return 1
  reason=$(
    exec 2>&1
    umask 077
    set -C
    for number in 0 1 2 3 4 5 6 7 8 9 none; do
      [ "$number" != none ] || exit 1
      temporary=${parent%/}/.peipkg-unpack-$$-$number
      (: >"$temporary") && break
    done
    # Emptied first: there may be no rm, and then its absence is nothing to report.
    trap 'exec >&- 2>&-; : >|"$temporary"; rm -f "$temporary"' 0
    trap 'exit 1' 1 2 13 15
    tail -c +@RUNTIME_START@ "$self" | gzip -dc >>"$temporary" || exit 1
    DENO_DIR="$temporary/none" DENO_NO_UPDATE_CHECK=1 NO_COLOR=1 \
      @LOADER@ "$temporary" eval --no-config --no-lock '@UNPACKER@' \
      "$self" @PROGRAM_START@ @PROGRAM_SIZE@ "$1" "$tree" "$temporary" @RUNTIME_HASH@ @PROGRAM_HASH@ || exit 1
    trap - 0
  ) || return 1
}

# Sets `uid` to the effective user.
user() {
  while read -r key _ uid _; do
    [ "$key" != Uid: ] || return 0
  done </proc/self/status
}

# Sets `directory` from the first of: the caller's choice, the machine's cache for whoever owns the machine,
# the caller's own cache, the shared temporary directory.
chosen=${PEIPKG_RUNTIME_DIR-}
locate() {
  for step in "$@"; do
    if [ -n "$chosen" ]; then "$step" "$chosen" && return; fi
    if [ -O / ]; then "$step" /var/cache/peipkg/runtime && return; fi
    case ${XDG_CACHE_HOME-} in
      /*) if [ -O "$XDG_CACHE_HOME" ]; then "$step" "$XDG_CACHE_HOME/peipkg" && return; fi ;;
    esac
    case ${HOME-} in
      /*) if [ -O "$HOME" ]; then "$step" "${HOME%/}/.cache/peipkg" && return; fi ;;
    esac
    if [ -O /tmp ] || [ -k /tmp ]; then
      user
      "$step" "/tmp/peipkg-runtime-$uid" && return
    fi
  done
  return 1
}

if [ ! -r /proc/self/status ]; then
  echo "$program: cannot start: /proc is not mounted, and the runtime needs it" >&2
  exit 1
fi
case $chosen in
  '' | /*) ;;
  *) echo "$program: PEIPKG_RUNTIME_DIR must be an absolute path: \"$chosen\"" >&2; exit 2 ;;
esac
if ! locate usable unpack; then
  # Its last line.
  reason=${reason##*
}
  echo "$program: cannot unpack the runtime: ${reason:-there is no directory for it}" >&2
  echo "hint: name a directory of yours with 150 MiB free, not mounted noexec, in PEIPKG_RUNTIME_DIR" >&2
  exit 1
fi
unset PEIPKG_RUNTIME_DIR DENO_V8_FLAGS NODE_OPTIONS
export _PEIPKG_PROGRAM="$self" DENO_DIR="${directory%/*}/deno-dir" DENO_NO_UPDATE_CHECK=1 @RUNTIME_ENVIRONMENT@
exec "$directory/deno" run -q --no-prompt --no-lock --no-remote --no-npm @RUNTIME_OPTIONS@ \
  --config="$directory/program/permissions.json" -P=peipkg "$directory/program/$entry" "$@"
exit 126
