#!/usr/bin/env bash
# Trains on GPUs of several nodes, a task a GPU; JAX finds the other tasks through SLURM.
#
#   sbatch experiments/launch/slurm.sh dcgan --data cifar10 --run-dir /shared/runs/cifar10 --mesh.fsdp 8
#
# The run folder is on a file system that all nodes share. SIGTERM comes two minutes before the time is up: the run saves
# and ends with code 75, on which the job puts itself back into the queue, and continues.
#SBATCH --job-name=jaxgen
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=8
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=8
#SBATCH --time=24:00:00
#SBATCH --signal=TERM@120
#SBATCH --requeue
#SBATCH --open-mode=append
set -uo pipefail

srun --kill-on-bad-exit=0 jaxgen train "$@"
code=$?
if [ "$code" -eq 75 ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
