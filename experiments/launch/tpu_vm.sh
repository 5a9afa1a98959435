#!/usr/bin/env bash
# Trains on every host of a Cloud TPU slice until the run is done: makes the slice, installs, runs the same command on all
# hosts, and after a preemption makes the slice anew and goes on. `README.md` beside this file says what must be there.
#
#   PROJECT=my-project ZONE=us-east5-b TPU=my-slice BUCKET=my-bucket REPOSITORY=URL \
#       bash experiments/launch/tpu_vm.sh dcgan --data cifar10 --mesh.fsdp 4
set -euo pipefail
: "${PROJECT:?the project that pays}" "${ZONE:?where the slice is}" "${TPU:?a name for the slice}"
: "${BUCKET:?a bucket for data and runs}" "${REPOSITORY:?the address of this repository}"
pause=${PAUSE:-60} # seconds between two looks at a slice that comes or goes

tpu() {
    gcloud compute tpus tpu-vm "$1" "$TPU" --project "$PROJECT" --zone "$ZONE" "${@:2}"
}

state() {
    tpu describe --format "value(state)" 2>/dev/null || echo ABSENT
}

make_slice() {
    until [ "$(state)" = READY ]; do
        [ "$(state)" = ABSENT ] || tpu delete --quiet || true
        tpu create --spot --accelerator-type "${ACCELERATOR:-v5litepod-16}" --version "${VERSION:-v2-alpha-tpuv5-lite}" \
            --scopes cloud-platform || sleep "$pause"
    done
}

# Runs a script, read from standard input, on every host, with the variables that are given.
on_all_hosts() {
    tpu ssh --worker=all --command "$(printf '%s\n' "$@"; cat)"
}

install() {
    on_all_hosts "$(printf 'repository=%q bucket=%q' "$REPOSITORY" "$BUCKET")" <<'REMOTE'
set -euo pipefail
cd
[ -d jaxgen ] || git clone --quiet --depth 1 "$repository" jaxgen
python3 -m pip install --quiet --user uv # which brings a Python: the image's own may be older than 3.11
[ -d environment ] || python3 -m uv venv --quiet --python 3.12 environment
python3 -m uv pip install --quiet --python environment/bin/python -e 'jaxgen[tpu]'
if ! command -v gcsfuse >/dev/null; then
    packages=https://packages.cloud.google.com/apt key=/usr/share/keyrings/cloud.google.asc
    curl --fail --silent "$packages/doc/apt-key.gpg" | sudo tee "$key" >/dev/null
    echo "deb [signed-by=$key] $packages gcsfuse-$(lsb_release -cs) main" | sudo tee /etc/apt/sources.list.d/gcsfuse.list
    sudo apt-get update --quiet
    sudo apt-get install --quiet --yes gcsfuse
fi
mkdir -p shared
mountpoint --quiet shared || gcsfuse "$bucket" shared
REMOTE
}

train() {
    on_all_hosts "$(printf '%q ' set -- "$@")" <<'REMOTE'
set -euo pipefail
cd ~/shared
export TFDS_DATA_DIR=~/shared/data
exec ~/environment/bin/jaxgen train "$@"
REMOTE
}

while true; do
    make_slice
    code=0
    { install && train "$@"; } || code=$?
    [ "$code" -ne 0 ] || exit 0
    sleep "$pause" # a slice that is taken away says so a little later
    # 75: stopped by SIGTERM, with the state saved; 255: ssh lost a host.
    if [ "$(state)" = READY ] && [ "$code" -ne 75 ] && [ "$code" -ne 255 ]; then
        exit "$code"
    fi
done
