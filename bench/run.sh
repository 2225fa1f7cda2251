#!/bin/sh
# Builds RegistryBench if a source is newer, and runs it: bench/run.sh TARGET... [options]
here=$(cd "$(dirname "$0")" && pwd)
out=${BENCH_BUILD:-${XDG_CACHE_HOME:-$HOME/.cache}/registry-bench}
exe=$out/bin/RegistryBench/release/RegistryBench
if [ ! -x "$exe" ] || [ -n "$(find "$here/RegistryBench" -maxdepth 1 -newer "$exe" -name '*.cs*')" ]; then
  dotnet build -c Release -v q --nologo --artifacts-path "$out" "$here/RegistryBench" >&2 || exit 1
fi
exec "$exe" "$@"
