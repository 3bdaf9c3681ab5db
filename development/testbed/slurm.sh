#!/bin/bash
# A real Slurm on one machine: munged, slurmctld, slurmdbd with its database, one slurmd per node.
#
#   slurm.sh up | env | status | down | logs
#   slurm.sh crash-node N | start-node N     as a power cut: slurmd, its steps and their processes
#   slurm.sh hang-node N | resume-node N     the node stops answering, its jobs go on
#   slurm.sh down-node N | drain-node N      the administrator's word; resume-node takes it back
#   slurm.sh crash-ctld | start-ctld         the controller alone
#
# SLURM_NODES (2) nodes of SLURM_CPUS (2) cores and 4000 MB each, named n1, n2 and so on. With
# SLURM_MIN_JOB_AGE (300) it says for how many seconds squeue still knows a job that has ended.
# Partitions: debug (the default; preempted jobs are requeued), high (preempts), scavenge
# (preempted jobs are cancelled), short (one minute), closed (starts nothing).
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$HERE/boxes.sh"

S=$TESTBED_DIR/slurm
NODES=${SLURM_NODES:-2} CPUS=${SLURM_CPUS:-2} MIN_AGE=${SLURM_MIN_JOB_AGE:-300}
# Later commands see what `up` was called with.
if [ -s "$S/parameters" ] && [ "${1:-}" != up ]; then . "$S/parameters"; fi
export SLURM_CONF=$S/slurm.conf

names() { local n; for n in $(seq 1 "$NODES"); do echo "n$n"; done; }
box_of() { echo "$S/run/slurmd-$1.pid"; }

configure() {
    local ports one n=1
    [ -s "$S/ports" ] || free_ports $((NODES + 2)) >"$S/ports"
    read -r -a ports <"$S/ports"
    # cred_expire: a job that is requeued waits until its old credential has expired.
    cat >"$S/slurm.conf" <<CONF
ClusterName=testbed
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmctldPort=${ports[0]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$S/munge/munge.socket,cred_expire=10
CredType=cred/munge
StateSaveLocation=$S/state
SlurmdSpoolDir=$S/spool/%n
SlurmctldPidFile=$S/run/slurmctld.own
SlurmdPidFile=$S/run/slurmd-%n.own
SlurmctldLogFile=$S/log/slurmctld.log
SlurmdLogFile=$S/log/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
DefMemPerCPU=500
SlurmdParameters=config_overrides
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
ReturnToService=2
SlurmdTimeout=6
SlurmctldTimeout=30
MessageTimeout=5
BatchStartTimeout=10
KillWait=2
CompleteWait=0
EnforcePartLimits=ALL
MinJobAge=$MIN_AGE
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,sched_min_interval=100000,batch_sched_delay=0,bf_interval=2
GresTypes=gpu
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort=${ports[1]}
AccountingStoragePass=$S/munge/munge.socket
AccountingStorageTRES=gres/gpu
JobAcctGatherType=jobacct_gather/linux
CONF
    : >"$S/gres.conf"
    for one in $(names); do
        n=$((n + 1))
        echo "NodeName=$one NodeHostname=$one NodeAddr=127.0.0.1 Port=${ports[$n]} CPUs=$CPUS RealMemory=4000 Gres=gpu:2 State=UNKNOWN" >>"$S/slurm.conf"
        # Two devices that stand for GPUs.
        [ -e "$S/dev/$one-gpu0" ] || mknod "$S/dev/$one-gpu0" c 1 3
        [ -e "$S/dev/$one-gpu1" ] || mknod "$S/dev/$one-gpu1" c 1 3
        echo "NodeName=$one Name=gpu File=$S/dev/$one-gpu[0-1]" >>"$S/gres.conf"
    done
    cat >>"$S/slurm.conf" <<CONF
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE DefaultTime=10 State=UP PriorityTier=10 PreemptMode=REQUEUE
PartitionName=high Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=100
PartitionName=scavenge Nodes=ALL MaxTime=60 State=UP PriorityTier=1 PreemptMode=CANCEL GraceTime=0
PartitionName=short Nodes=ALL MaxTime=1 State=UP PriorityTier=10
PartitionName=closed Nodes=ALL MaxTime=60 State=DOWN
CONF
    # The same cluster as it looks to a client where there is no accounting.
    mkdir -p "$S/no-accounting"
    sed 's/^AccountingStorageType=.*/AccountingStorageType=accounting_storage\/none/
        /^AccountingStorage[HPT]/{/Type=/!d}' "$S/slurm.conf" >"$S/no-accounting/slurm.conf"
    cp "$S/gres.conf" "$S/no-accounting/"
    echo CgroupAutomount=no | tee "$S/cgroup.conf" >"$S/no-accounting/cgroup.conf"
}

start_munge() {
    running "$S/run/munged.pid" >/dev/null && return 0
    mkdir -p "$S/munge"
    [ -s "$S/munge/key" ] || head -c 1024 /dev/urandom >"$S/munge/key"
    chown -R munge:munge "$S/munge"
    chmod 755 "$S/munge"
    chmod 400 "$S/munge/key"
    background "$S/run/munged.pid" "$S/log/munged.out" setpriv --reuid=munge --regid=munge --clear-groups \
        munged --foreground --key-file="$S/munge/key" --socket="$S/munge/munge.socket" \
        --pid-file="$S/munge/own.pid" --log-file="$S/munge/munged.log" --seed-file="$S/munge/seed"
    wait_for 20 munge -n -S "$S/munge/munge.socket" || die "munged did not start: $(cat "$S/log/munged.out")"
}
sql() { mariadb --no-defaults -S "$S/db/socket" "$@"; }
start_accounting() {
    local ports
    read -r -a ports <"$S/ports"
    if ! running "$S/run/mariadbd.pid" >/dev/null; then
        mkdir -p "$S/db"
        chown mysql:mysql "$S/db"
        [ -d "$S/db/mysql" ] || mariadb-install-db --no-defaults --user=mysql --datadir="$S/db" \
            --auth-root-authentication-method=socket --skip-test-db >"$S/log/mariadb-install.log" 2>&1
        background "$S/run/mariadbd.pid" "$S/log/mariadbd.log" mariadbd --no-defaults --user=mysql \
            --datadir="$S/db" --socket="$S/db/socket" --skip-networking --pid-file="$S/db/own.pid" \
            --innodb-buffer-pool-size=64M --innodb-log-file-size=16M --innodb-lock-wait-timeout=900 \
            --innodb-flush-log-at-trx-commit=0 --performance-schema=off
        wait_for 30 sql -e 'select 1' || die "the database did not start: $(tail -n 20 "$S/log/mariadbd.log")"
    fi
    running "$S/run/slurmdbd.pid" >/dev/null && return 0
    sql -e 'create database if not exists slurm_acct_db'
    cat >"$S/slurmdbd.conf" <<CONF
AuthType=auth/munge
AuthInfo=socket=$S/munge/munge.socket,cred_expire=10
DbdHost=$(hostname -s)
DbdAddr=127.0.0.1
DbdPort=${ports[1]}
SlurmUser=root
LogFile=$S/log/slurmdbd.log
PidFile=$S/run/slurmdbd.own
StorageType=accounting_storage/mysql
StorageLoc=slurm_acct_db
StorageUser=root
StorageHost=localhost
CONF
    chmod 600 "$S/slurmdbd.conf"
    MYSQL_UNIX_PORT=$S/db/socket background "$S/run/slurmdbd.pid" "$S/log/slurmdbd.out" slurmdbd -D
    wait_for 30 port_open "${ports[1]}" || die "slurmdbd did not start: $(tail -n 20 "$S/log/slurmdbd.log")"
    sacctmgr -i add cluster testbed >/dev/null 2>&1 || true
    sacctmgr -i add account testbed Description=testbed Organization=testbed >/dev/null 2>&1 || true
    sacctmgr -i add user root Account=testbed >/dev/null 2>&1 || true
}
ctld_answers() { scontrol ping 2>/dev/null | grep -q UP; }
start_ctld() {
    running "$S/run/slurmctld.pid" >/dev/null && return 0
    background "$S/run/slurmctld.pid" "$S/log/slurmctld.out" slurmctld -D -i
    wait_for 20 ctld_answers || die "slurmctld did not start: $(tail -n 20 "$S/log/slurmctld.log")"
}

node_state() { sinfo -h -N -n "$1" -p debug -o %T 2>/dev/null | head -1; }
node_ready() { case $(node_state "$1") in idle | mixed | allocated) ;; *) return 1 ;; esac; }
start_node() {
    running "$(box_of "$1")" >/dev/null && return 0
    mkdir -p "$S/spool/$1"
    box "$(box_of "$1")" "$S/log/slurmd-$1.out" "$1" slurmd -D -N "$1"
}
wait_node() { wait_for 30 node_ready "$1" || die "node $1 is $(node_state "$1"): $(tail -n 20 "$S/log/slurmd-$1.log")"; }

up() {
    local one began=$SECONDS
    need_root
    packages munge slurmctld slurmd slurm-client slurm-wlm-basic-plugins slurmdbd slurm-wlm-mysql-plugin \
        mariadb-server util-linux python3
    local parameters="NODES=$NODES CPUS=$CPUS MIN_AGE=$MIN_AGE"
    if [ -s "$S/parameters" ] && [ "$(cat "$S/parameters")" != "$parameters" ]; then down; fi
    mkdir -p "$S"/{run,log,state,spool,dev}
    chmod 755 "$TESTBED_DIR" "$S"
    echo "$parameters" >"$S/parameters"
    [ -s "$S/slurm.conf" ] || configure
    start_munge
    start_accounting
    start_ctld
    for one in $(names); do start_node "$one"; done
    for one in $(names); do wait_node "$one"; done
    say "Slurm is up after $((SECONDS - began)) s: $(sinfo -h -p debug -o '%D nodes %T')"
    print_environment
}
print_environment() {
    environment "$S/env" SLURM_CONF "$S/slurm.conf" TESTBED_SLURM_NO_ACCOUNTING "$S/no-accounting/slurm.conf"
}
down() {
    local one process
    [ -d "$S" ] || return 0
    for one in $(names); do
        process=$(box_process "$(box_of "$one")" slurmd 2>/dev/null) && kill -CONT "$process" || true
        box_kill "$(box_of "$one")"
    done
    stop "$S/run/slurmctld.pid"
    stop "$S/run/slurmdbd.pid"
    stop "$S/run/mariadbd.pid" 30
    stop "$S/run/munged.pid"
    rm -rf "$S"
}
resume_node() {
    local process
    process=$(box_process "$(box_of "$1")" slurmd) && kill -CONT "$process"
    case $(node_state "$1") in down* | drain*) scontrol update "NodeName=$1" State=RESUME ;; esac
    wait_node "$1"
}

[ "${1:-}" = up ] || [ -s "$S/parameters" ] || { [ "${1:-}" = down ] && exit 0; die "it is not up"; }
case ${1:-} in
    up) up ;;
    down) down ;;
    env) print_environment ;;
    status) scontrol ping; sinfo -N -l; squeue -a ;;
    crash-node) box_kill "$(box_of "$2")" ;;
    start-node) start_node "$2"; wait_node "$2" ;;
    hang-node) kill -STOP "$(box_process "$(box_of "$2")" slurmd)" ;;
    resume-node) resume_node "$2" ;;
    down-node) scontrol update "NodeName=$2" State=DOWN Reason=testbed ;;
    drain-node) scontrol update "NodeName=$2" State=DRAIN Reason=testbed ;;
    crash-ctld) stop "$S/run/slurmctld.pid" ;;
    start-ctld) start_ctld; for one in $(names); do wait_node "$one"; done ;;
    logs) tail -n 30 "$S"/log/*.log ;;
    *) sed -n '2,13p' "${BASH_SOURCE[0]}" | sed 's/^# \{0,1\}//' >&2; exit 2 ;;
esac
