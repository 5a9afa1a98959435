#!/usr/bin/env bash
# Trains on GPUs of several nodes, a task a GPU; JAX finds the other tasks through SLURM.
#
#   SHARED=/shared sbatch experiments/launch/slurm.sh dcgan --data cifar10 --mesh.fsdp 8
#
# SHARED is a folder on a file system of all nodes, as `README.md` beside this file prepares it: `environment/` with jaxgen
# in it, and `data/`; the run goes to its `runs/`. SIGTERM comes two minutes before the time is up: the run saves and ends
# with code 75, on which the job puts itself back into the queue, and continues.
#SBATCH --job-name=jaxgen
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=8
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=8
#SBATCH --time=24:00:00
#SBATCH --signal=TERM@120
#SBATCH --requeue
#SBATCH --open-mode=append
set -euo pipefail

cd "${SHARED:?a folder that all nodes share}"
export TFDS_DATA_DIR=$PWD/data
# shellcheck disable=SC1091
. environment/bin/activate

code=0
# Since 22.05 srun does not take over the job's --cpus-per-task.
srun --cpus-per-task="$SLURM_CPUS_PER_TASK" --kill-on-bad-exit=0 jaxgen train "$@" || code=$?
if [ "$code" -eq 75 ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
