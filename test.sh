#!/usr/bin/env bash
# Builds everything once and runs all tests. Needs Debian (or a descendant) with the .NET SDK of global.json; installs the rest.
#   ./test.sh            everything
#   ./test.sh --fast     without the registry clients, the crash tests and the simulation
#   ./test.sh NAME...    the test projects whose names contain one of these, for example: ./test.sh Grains Conformance
set -euo pipefail
cd "$(dirname "$0")"

slow='EndToEnd|Crash|Simulation'
fast=''
if [ "${1:-}" = --fast ]; then
    fast=1
    shift
fi

# The registry clients that the end-to-end tests run, and strace, which records the syncs of the power-cut tests.
tools=(docker.io skopeo buildah podman containerd ca-certificates strace)
[ -z "$fast" ] || tools=()
command -v npm >/dev/null || tools+=(nodejs npm)
missing=()
for package in "${tools[@]}"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
    echo "Installing ${missing[*]}"
    sudo=$([ "$(id -u)" -eq 0 ] || echo sudo)
    $sudo apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

# Azurite, the emulator of an Azure storage account, which the tests of the cluster and of its stores run.
azurite=3.35.0
if ! grep -qs "\"version\": \"$azurite\"" .tools/node_modules/azurite/package.json; then
    echo "Installing azurite $azurite"
    mkdir -p .tools
    npm install --prefix .tools --no-audit --no-fund --silent "azurite@$azurite"
fi

export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
dotnet restore Registry.sln --locked-mode
dotnet build Registry.sln -c Release --no-restore
dotnet format Registry.sln --verify-no-changes --no-restore --severity warn

projects=()
for project in tests/*.Tests; do
    [ -n "$fast" ] && [[ "$project" =~ $slow ]] && continue
    for name in "${@:-}"; do
        [[ "$project" == *"$name"* ]] && projects+=("$project") && break
    done
done

passed=0 failed=0 broken=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for project in "${projects[@]}"; do
    dotnet test "$project" -c Release --no-build --logger "console;verbosity=minimal" 2>&1 | tee "$log" || broken=1
    summary=$(grep -E '(Passed|Failed)! +- Failed:' "$log" | tail -1 || true)
    if [ -z "$summary" ]; then
        echo "$project ran no test"
        failed=$((failed + 1))
        continue
    fi
    failed=$((failed + $(sed -E 's/.*Failed: +([0-9]+).*/\1/' <<<"$summary")))
    passed=$((passed + $(sed -E 's/.*Passed: +([0-9]+),.*/\1/' <<<"$summary")))
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$broken" -eq 0 ]
