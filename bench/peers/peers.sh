#!/bin/sh
# Prints the peer targets for run.sh: bench/peers/peers.sh DATADIR > peers.targets
# docker-registry is Debian's package of that name. Other peers join when their program is named by
# REGISTRY_V3 (distribution 3) or OLAREG (olareg).
data=${1:?usage: peers.sh DATADIR}
here=$(cd "$(dirname "$0")" && pwd)
distribution() {
  name=$1; program=$2; port=$3
  env="env OTEL_TRACES_EXPORTER=none REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY=$data/$name"
  echo "$name=http://127.0.0.1:$port,data=$data/$name,gc='$env $program garbage-collect $here/distribution.yml',cmd='$env REGISTRY_HTTP_ADDR=127.0.0.1:$port $program serve $here/distribution.yml'"
}
command -v docker-registry >/dev/null && distribution dist2 docker-registry 5102
[ -n "${REGISTRY_V3:-}" ] && distribution dist3 "$REGISTRY_V3" 5103
[ -n "${OLAREG:-}" ] && echo "olareg=http://127.0.0.1:5104,data=$data/olareg,cmd='$OLAREG serve --addr 127.0.0.1 --port 5104 --dir $data/olareg --store-type dir --api-delete --api-blob-delete -v error'"
true
