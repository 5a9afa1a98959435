#!/usr/bin/env bash
# Trains on every host of a Cloud TPU slice: installs, then runs the same command everywhere. JAX finds the other hosts.
#
#   PROJECT=my-project ZONE=us-east5-b TPU=my-slice BUCKET=my-bucket REPOSITORY=URL bash experiments/launch/tpu_vm.sh
#
# The slice exists already (`gcloud compute tpus tpu-vm create $TPU --accelerator-type v5litepod-16 --version
# v2-alpha-tpuv5-lite ...`). The bucket for the runs needs a hierarchical namespace, for it must rename folders atomically.
set -euo pipefail

on_all_hosts() {
    gcloud compute tpus tpu-vm ssh "$TPU" --project "$PROJECT" --zone "$ZONE" --worker=all --command "$1"
}

on_all_hosts "
    git clone --depth 1 ${REPOSITORY:?the address of this repository} jaxgen
    pip install --quiet -e 'jaxgen[tpu]'
    mkdir -p /mnt/runs && { mountpoint -q /mnt/runs || gcsfuse --implicit-dirs ${BUCKET:?a bucket for the runs} /mnt/runs; }
"
on_all_hosts "
    cd jaxgen && jaxgen train ${EXPERIMENT:-dcgan} --data ${DATA:-cifar10} \
        --data-dir /mnt/runs/data --run-dir /mnt/runs/${EXPERIMENT:-dcgan}-${DATA:-cifar10} --mesh.fsdp ${FSDP:-1}
"
