#!/bin/bash
# Runs a job list on a real Slurm: a controller and two nodes on this machine, one of which is killed in the middle.
#
#     sudo apt-get install --no-install-recommends slurm-wlm munge
#     scripts/check_slurm.sh [UNMAR]        as root, about two minutes
#
# The joined pictures must have the bytes of a run in one process.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
unmar=$(realpath "${1:-$root/build/release/apps/cli/unmar}")
work=$(mktemp -d)
host=$(hostname -s)
export SLURM_CONF=$work/slurm.conf
pids=()
finish() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait
  rm -rf "$work"
}
trap finish EXIT

mkdir -m 0755 "$work/munge"
mkdir "$work/state" "$work/spool" "$work/out"
cat > "$SLURM_CONF" <<CONF
ClusterName=unmar
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$work/munge/socket
CredType=cred/munge
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmctldPort=27817
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool/%n
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd-%n.pid
SlurmctldLogFile=$work/slurmctld.log
SlurmdLogFile=$work/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=bf_interval=1,sched_interval=1,batch_sched_delay=0
SlurmdTimeout=10
ReturnToService=2
MailProg=/bin/true
SlurmdParameters=config_overrides
NodeName=n[1-2] NodeHostname=$host NodeAddr=127.0.0.1 Port=[27821-27822] CPUs=1 RealMemory=4000
PartitionName=main Nodes=n[1-2] Default=YES MaxTime=INFINITE State=UP
CONF
echo "CgroupPlugin=cgroup/v1" > "$work/cgroup.conf"
(umask 077 && head -c 1024 /dev/urandom > "$work/munge/key")
munged -F --force --key-file="$work/munge/key" --socket="$work/munge/socket" \
  --pid-file="$work/munge/pid" --seed-file="$work/munge/seed" 2> "$work/munge/log" &
pids+=($!)
until [ -S "$work/munge/socket" ]; do sleep 0.1; done
slurmctld -D -c > /dev/null 2>&1 &
pids+=($!)
for node in n1 n2; do
  mkdir "$work/spool/$node"
  slurmd -D -N $node > /dev/null 2>&1 &
  pids+=($!)
done
second=${pids[3]}
for _ in $(seq 200); do
  [ "$(sinfo -h -N -o %T 2> /dev/null | grep -c '^idle')" = 2 ] && break
  sleep 0.2
done
sinfo

cd "$work"
"$unmar" degrade "$root/samples/astronaut.png" -o a.png --noise 25 --seed 1
"$unmar" degrade "$root/samples/astronaut.png" -o b.png --noise 25 --seed 2
options=(--tile 160 --method dip --iterations 40 --stop none)
"$unmar" denoise a.png b.png -o alone/ "${options[@]}" --quiet
"$unmar" plan jobs.json a.png b.png -o out/ "${options[@]}"
"$unmar" slurm jobs.json --tasks 6 --cores 1 -- --output="$work/out/%A_%a.log" > submit.sh
cat submit.sh
sh submit.sh
for _ in $(seq 300); do
  [ "$(find jobs.json.work -name '*.tile' | wc -l)" -ge 3 ] && break
  sleep 0.2
done
echo "a node is lost, with the tile it was at"
kill -KILL "$second"
pkill -KILL -f "unmar work $work/jobs.json" || true
squeue
for _ in $(seq 600); do
  [ -z "$(squeue -h)" ] && break
  sleep 0.5
done
squeue
if [ ! -e out/b.png ]; then
  echo "submitted again, it does what is missing"
  "$unmar" slurm jobs.json --tasks 2 --cores 1 -- --nodelist=n1 | sh
  for _ in $(seq 600); do
    [ -e out/b.png ] && [ -e out/a.png ] && break
    sleep 0.5
  done
fi
cmp alone/a.png out/a.png
cmp alone/b.png out/b.png
echo "slurm: the pictures are those of one process"
