#!/bin/bash
# A real Grid Engine on one machine: sge_qmaster, and one sge_execd with 4 slots.
#
#   gridengine.sh up | env | status | down | logs
#   gridengine.sh crash-exec | start-exec      as a power cut of the execution host
#   gridengine.sh hang-exec | resume-exec      its daemon stops answering, its jobs go on
#   gridengine.sh crash-master | start-master
#
# Queues all.q and short.q (10 s; asked for with -q short.q -l short=TRUE); parallel environments
# smp and mpi. Its package and slurm-wlm-torque exclude each other.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$HERE/boxes.sh"

S=$TESTBED_DIR/gridengine
HOST=$(hostname)
SHARE=/usr/share/gridengine LIB=/usr/lib/gridengine
export SGE_ROOT=$S/root SGE_CELL=default
if [ -s "$S/ports" ]; then
    read -r SGE_QMASTER_PORT SGE_EXECD_PORT <"$S/ports"
    export SGE_QMASTER_PORT SGE_EXECD_PORT
fi

has() { qconf "$1" 2>/dev/null | grep -qx -- "$2"; }        # has -sel NAME
as_admin() { setpriv --reuid=sgeadmin --regid=sgeadmin --clear-groups "$@"; }

prepare() {
    local common=$S/root/default/common one
    [ -e "$S/spooldb/sge" ] && return 0
    getent hosts "$HOST" >/dev/null || die "the name of this machine, $HOST, is not in /etc/hosts"
    mkdir -p "$S"/{spooldb,qmaster/job_scripts,execd,log,run} "$common"
    chmod 755 "$TESTBED_DIR" "$S"
    for one in bin lib utilbin util; do ln -sfn "/var/lib/gridengine/$one" "$S/root/$one"; done
    free_ports 2 >"$S/ports"
    read -r SGE_QMASTER_PORT SGE_EXECD_PORT <"$S/ports"
    export SGE_QMASTER_PORT SGE_EXECD_PORT
    sed "s#^spooling_params .*#spooling_params $S/spooldb#; s#^qmaster_spool_dir .*#qmaster_spool_dir $S/qmaster#" \
        $SHARE/default-bootstrap >"$common/bootstrap"
    echo "$HOST" >"$common/act_qmaster"
    echo testbed >"$common/cluster_name"
    # The loopback address has several names; Grid Engine must see one.
    echo "$HOST localhost $(getent hosts 127.0.0.1 | tr -s ' ' '\n' | tail -n +2 | grep -vx -e "$HOST" -e localhost | sort -u | tr '\n' ' ')" \
        >"$common/host_aliases"
    # root may submit; what is dead or done is noticed within seconds.
    sed "s#^execd_spool_dir .*#execd_spool_dir $S/execd#; s#^min_uid .*#min_uid 0#; s#^min_gid .*#min_gid 0#
        s#^shell_start_mode .*#shell_start_mode unix_behavior#; s#^load_report_time .*#load_report_time 00:00:02#
        s#^max_unheard .*#max_unheard 00:00:10#; s#^reschedule_unknown .*#reschedule_unknown 00:00:15#
        s#^mailer .*#mailer /bin/true#
        s#^reporting_params .*#reporting_params accounting=true reporting=false flush_time=00:00:01 joblog=false sharelog=00:00:00#
        s#^execd_params .*#execd_params ENABLE_ADDGRP_KILL=true#" $SHARE/default-configuration >"$S/configuration"
    chown -R sgeadmin:sgeadmin "$S/spooldb" "$S/qmaster" "$S/execd" "$S/root" "$S/configuration"
    as_admin $LIB/spoolinit berkeleydb libspoolb "$S/spooldb" init
    as_admin $LIB/spooldefaults configuration "$S/configuration"
    as_admin $LIB/spooldefaults complexes $SHARE/util/resources/centry
    as_admin $LIB/spooldefaults usersets $SHARE/util/resources/usersets
    as_admin $LIB/spooldefaults managers sgeadmin
    as_admin $LIB/spooldefaults managers root
}

start_master() {
    running "$S/run/qmaster.pid" >/dev/null && return 0
    # SGE_ND: it stays in the foreground.
    SGE_ND=1 background "$S/run/qmaster.pid" "$S/log/qmaster.log" /usr/sbin/sge_qmaster
    wait_for 20 qconf -sm || die "sge_qmaster did not start: $(cat "$S/log/qmaster.log" "$S/qmaster/messages")"
}

add_queue() {   # add_queue NAME RUNTIME COMPLEXES
    local file
    has -sql "$1" && return 0
    file=$(mktemp)
    cat >"$file" <<QUEUE
qname $1
hostlist @allhosts
seq_no 0
load_thresholds NONE
suspend_thresholds NONE
nsuspend 1
suspend_interval 00:05:00
priority 0
min_cpu_interval 00:05:00
processors UNDEFINED
qtype BATCH INTERACTIVE
ckpt_list NONE
pe_list smp mpi
rerun FALSE
slots 4
tmpdir /tmp
shell /bin/bash
prolog NONE
epilog NONE
shell_start_mode unix_behavior
starter_method NONE
suspend_method NONE
resume_method NONE
terminate_method NONE
notify 00:00:02
owner_list NONE
user_lists NONE
xuser_lists NONE
subordinate_list NONE
complex_values $3
projects NONE
xprojects NONE
calendar NONE
initial_state default
s_rt INFINITY
h_rt $2
$(for one in s_cpu h_cpu s_fsize h_fsize s_data h_data s_stack h_stack s_core h_core s_rss h_rss s_vmem h_vmem; do echo "$one INFINITY"; done)
QUEUE
    qconf -Aq "$file" >/dev/null
    rm -f "$file"
}

configure() {
    local file one
    file=$(mktemp)
    has -sh "$HOST" || qconf -ah "$HOST" >/dev/null
    has -ss "$HOST" || qconf -as "$HOST" >/dev/null
    if ! has -sel "$HOST"; then
        printf '%s\n' "hostname $HOST" 'load_scaling NONE' 'complex_values NONE' 'user_lists NONE' \
            'xuser_lists NONE' 'projects NONE' 'xprojects NONE' 'usage_scaling NONE' 'report_variables NONE' >"$file"
        qconf -Ae "$file" >/dev/null
    fi
    if ! has -shgrpl @allhosts; then
        printf 'group_name @allhosts\nhostlist %s\n' "$HOST" >"$file"
        qconf -Ahgrp "$file" >/dev/null
    fi
    for one in 'smp $pe_slots' 'mpi $round_robin'; do
        has -spl "${one% *}" && continue
        printf '%s\n' "pe_name ${one% *}" 'slots 999' 'user_lists NONE' 'xuser_lists NONE' 'start_proc_args NONE' \
            'stop_proc_args NONE' "allocation_rule ${one#* }" 'control_slaves TRUE' 'job_is_first_task FALSE' \
            'urgency_slots min' 'accounting_summary FALSE' 'qsort_args NONE' >"$file"
        qconf -Ap "$file" >/dev/null
    done
    if ! qconf -sc | grep -q '^short '; then
        { qconf -sc | grep -v '^#'; echo 'short short BOOL == FORCED NO 0 0'; } >"$file"
        qconf -Mc "$file" >/dev/null
    fi
    add_queue all.q INFINITY NONE
    add_queue short.q 00:00:10 short=TRUE
    # Jobs start at once, not every 15 s.
    qconf -ssconf | sed 's/^schedule_interval .*/schedule_interval 0:0:1/; s/^flush_submit_sec .*/flush_submit_sec 1/
        s/^flush_finish_sec .*/flush_finish_sec 1/; s/^queue_sort_method .*/queue_sort_method seqno/' >"$file"
    qconf -Msconf "$file" >/dev/null
    rm -f "$file"
}

exec_ready() {
    [ -z "$(qstat -f -q all.q 2>/dev/null | awk '$1 ~ /^all.q@/ { print $6 }')" ] &&
        qhost 2>/dev/null | awk 'NR > 3 && $4 == "-" { bad = 1 } END { exit bad }'
}
start_exec() {
    running "$S/run/execd.pid" >/dev/null && return 0
    SGE_ND=1 box "$S/run/execd.pid" "$S/log/execd.log" '' /usr/sbin/sge_execd
    wait_for 30 exec_ready || die "sge_execd did not start: $(cat "$S/log/execd.log")"
}

up() {
    local began=$SECONDS
    need_root
    if [ "$(dpkg-query -W -f='${db:Status-Status}' gridengine-master 2>/dev/null)" != installed ]; then
        packages debconf
        # The package is not to make a cluster of its own.
        printf 'gridengine-common %s\n' 'shared/gridenginemaster string localhost' \
            'shared/gridenginecell string default' 'shared/gridengineconfig boolean false' | debconf-set-selections
    fi
    packages gridengine-master gridengine-exec gridengine-client util-linux python3
    prepare >/dev/null
    start_master
    configure
    start_exec
    say "Grid Engine is up after $((SECONDS - began)) s"
    print_environment
}
print_environment() {
    environment "$S/env" SGE_ROOT "$SGE_ROOT" SGE_CELL "$SGE_CELL" \
        SGE_QMASTER_PORT "$SGE_QMASTER_PORT" SGE_EXECD_PORT "$SGE_EXECD_PORT"
}
down() {
    local process
    [ -d "$S" ] || return 0
    process=$(box_process "$S/run/execd.pid" sge_execd) && kill -CONT "$process" || true
    box_kill "$S/run/execd.pid"
    stop "$S/run/qmaster.pid"
    rm -rf "$S"
}

[ "${1:-}" = up ] || [ -s "$S/ports" ] || { [ "${1:-}" = down ] && exit 0; die "it is not up"; }
case ${1:-} in
    up) up ;;
    down) down ;;
    env) print_environment ;;
    status) qhost; qstat -f -u '*' ;;
    crash-exec) box_kill "$S/run/execd.pid" ;;
    start-exec) start_exec ;;
    hang-exec) kill -STOP "$(box_process "$S/run/execd.pid" sge_execd)" ;;
    resume-exec) kill -CONT "$(box_process "$S/run/execd.pid" sge_execd)" ;;
    crash-master) stop "$S/run/qmaster.pid" ;;
    start-master)
        start_master
        # One that is away would be waited for in vain.
        running "$S/run/execd.pid" >/dev/null || exit 0
        wait_for 40 exec_ready || say "the execution host does not answer"
        ;;
    logs) tail -n 30 "$S"/log/* "$S"/qmaster/messages "$S"/execd/*/messages ;;
    *) sed -n '2,10p' "${BASH_SOURCE[0]}" | sed 's/^# \{0,1\}//' >&2; exit 2 ;;
esac
