#!/bin/bash
# Real OpenSSH servers on the loopback interface, each a box with a host name and a boot id.
#
#   sshd.sh up | env | status | down | logs
#   sshd.sh crash NAME | start NAME      kill that server and all its connections; start it again
#   sshd.sh freeze NAME | thaw NAME      connections stay and nothing answers; go on
#   sshd.sh otp                          the next one-time password; each is good once
#
# Their names say how they let somebody in:
#   key     a public key; workers' ports only at the loopback interface, as sshd has it by default
#   wide    the same, and GatewayPorts clientspecified
#   shut    the same, and no forwarding at all
#   pw      a password, or keyboard-interactive with the password
#   otp     keyboard-interactive: the password, then a one-time password
#   both    a public key and then a one-time password
# The user lamina-ssh, of this testbed alone, has the password that `env` prints. There can be only
# one such testbed on a machine.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$HERE/boxes.sh"

S=$TESTBED_DIR/ssh
ACCOUNT=lamina-ssh
NAMES="key wide shut pw otp both"
if [ -s "$S/parameters" ]; then . "$S/parameters"; fi

port_of() {
    local one number=0 ports
    [ -s "$S/ports" ] || free_ports 6 >"$S/ports"
    read -r -a ports <"$S/ports"
    for one in $NAMES; do
        [ "$one" != "$1" ] || { echo "${ports[$number]}"; return 0; }
        number=$((number + 1))
    done
    die "there is no server $1; there are $NAMES"
}

configure() {
    cat <<CONF
Port $(port_of "$1")
ListenAddress 127.0.0.1
HostKey $S/host_key
PidFile none
AuthorizedKeysFile $S/authorized_keys
StrictModes no
UsePAM yes
PermitRootLogin prohibit-password
PrintMotd no
PrintLastLog no
UseDNS no
MaxStartups 100
LoginGraceTime 30
Subsystem sftp internal-sftp
CONF
    case $1 in
        key | wide | shut) echo 'AuthenticationMethods publickey' ;;
        pw) echo 'AuthenticationMethods password keyboard-interactive' ;;
        otp) echo 'AuthenticationMethods keyboard-interactive' ;;
        both) echo 'AuthenticationMethods publickey,keyboard-interactive' ;;
    esac
    case $1 in
        wide) echo 'GatewayPorts clientspecified' ;;
        shut) echo 'AllowTcpForwarding no' ;;
    esac
}

# sshd names its PAM service after the name it is run by: a link of our own for each server gives
# it a file of its own and leaves that of the machine's sshd alone.
pam() {
    local password='auth requisite pam_unix.so'
    local once="auth required pam_oath.so usersfile=$S/users.oath window=20 digits=6"
    case $1 in
        otp) printf '%s\n' "$password" "$once" ;;
        both) echo "$once" ;;
        *) echo "$password" ;;
    esac
    printf '%s\n' 'account required pam_unix.so' 'session required pam_permit.so'
}

start() {
    running "$S/run/$1.pid" >/dev/null && return 0
    configure "$1" >"$S/$1.conf"
    mkdir -p /run/sshd
    chmod 755 /run/sshd
    ln -sfn /usr/sbin/sshd "$S/bin/lamina-ssh-$1"
    # The path must be absolute: sshd runs itself again by it.
    box "$S/run/$1.pid" "$S/log/$1.log" "ssh-$1" "$S/bin/lamina-ssh-$1" -D -e -f "$S/$1.conf"
    wait_for 10 port_open "$(port_of "$1")" || die "$1 did not start: $(tail -n 20 "$S/log/$1.log")"
}

up() {
    local one began=$SECONDS
    need_root
    packages openssh-server openssh-client libpam-oath oathtool util-linux python3
    # The account and the PAM services are the machine's, so there is one testbed at a time.
    if [ -e /etc/pam.d/lamina-ssh-otp ] && ! grep -q "=$S/" /etc/pam.d/lamina-ssh-otp; then
        die "another testbed runs SSH servers here: $(grep -o '/[^ ]*/ssh/' /etc/pam.d/lamina-ssh-otp)"
    fi
    mkdir -p "$S"/{run,log,bin}
    chmod 755 "$TESTBED_DIR" "$S"
    [ -s "$S/id" ] || ssh-keygen -q -t ed25519 -N '' -C testbed -f "$S/id"
    [ -s "$S/id_locked" ] || ssh-keygen -q -t ed25519 -N 'locked away' -C testbed -f "$S/id_locked"
    [ -s "$S/host_key" ] || ssh-keygen -q -t ed25519 -N '' -C testbed -f "$S/host_key"
    cat "$S/id.pub" "$S/id_locked.pub" >"$S/authorized_keys"
    if [ ! -s "$S/parameters" ]; then
        (
            umask 077
            printf 'PASSWORD=%s\nSECRET=%s\n' "$(random 12)" "$(random 16)" >"$S/parameters"
        )
        . "$S/parameters"
        (
            umask 077
            echo "HOTP/E/6 $ACCOUNT - $SECRET" >"$S/users.oath"
        )
    fi
    if ! id "$ACCOUNT" >/dev/null 2>&1; then
        useradd -m -s /bin/bash "$ACCOUNT"
        touch "$S/made-account"
    fi
    [ ! -e "$S/made-account" ] || echo "$ACCOUNT:$PASSWORD" | chpasswd
    for one in $NAMES; do
        pam "$one" >"/etc/pam.d/lamina-ssh-$one"
        start "$one"
    done
    echo "testbed $(cut -d' ' -f1,2 "$S/host_key.pub")" >"$S/known_hosts"
    client_configuration >"$S/config"
    say "SSH is up after $((SECONDS - began)) s: $NAMES"
    print_environment
}
random() { od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }

client_configuration() {
    local one
    for one in $NAMES; do
        echo "Host $one"
        echo "  HostName 127.0.0.1"
        echo "  Port $(port_of "$one")"
        case $one in
            key | wide | shut) echo "  User root" ;;
            *) echo "  User $ACCOUNT" ;;
        esac
    done
    cat <<CONF
Host far
  HostName 127.0.0.1
  Port $(port_of wide)
  User root
  ProxyJump key
Host *
  HostKeyAlias testbed
  IdentityFile $S/id
  IdentitiesOnly yes
  UserKnownHostsFile $S/known_hosts
CONF
}

print_environment() {
    environment "$S/env" TESTBED_SSH_CONFIG "$S/config" TESTBED_SSH_DIR "$S" \
        TESTBED_SSH_USER "$ACCOUNT" TESTBED_SSH_PASSWORD "${PASSWORD:-}"
}

# A one-time password counts: the same one again is refused, and so is one that was left out often.
otp() {
    (
        flock 9
        local count
        count=$(cat "$S/otp.count" 2>/dev/null || echo 0)
        echo $((count + 1)) >"$S/otp.count"
        oathtool --counter="$count" "$SECRET"
    ) 9>"$S/otp.lock"
}

# Everything in a box: its first process and all below it.
signal_box() {
    local first
    first=$(box_first "$S/run/$2.pid") || die "$2 is not running"
    signal_below "$1" "$first"
}
signal_below() {
    local one
    for one in $(cat "/proc/$2/task/"*/children 2>/dev/null); do signal_below "$1" "$one"; done
    kill "-$1" "$2" 2>/dev/null || true
}

down() {
    local one
    for one in $NAMES; do
        box_kill "$S/run/$one.pid"
        rm -f "/etc/pam.d/lamina-ssh-$one"
    done
    if [ -e "$S/made-account" ]; then userdel -r "$ACCOUNT" >/dev/null 2>&1 || true; fi
    rm -rf "$S"
}

status() {
    local one
    for one in $NAMES; do
        if running "$S/run/$one.pid" >/dev/null; then echo "$one: up"; else echo "$one: down"; fi
    done
}

case ${1:-} in
    up) up ;;
    down) down ;;
    env) print_environment ;;
    status) status ;;
    logs) tail -n 20 "$S"/log/* ;;
    crash) box_kill "$S/run/$2.pid" ;;
    start) start "$2" ;;
    freeze) signal_box STOP "$2" ;;
    thaw) signal_box CONT "$2" ;;
    otp) otp ;;
    *) sed -n '2,19p' "${BASH_SOURCE[0]}" | sed 's/^# \{0,1\}//' >&2; exit 2 ;;
esac
