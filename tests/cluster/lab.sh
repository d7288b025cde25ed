#!/usr/bin/env bash
# Several hosts on one machine, enough for a real `ray up`: op (which launches), head, w1, w2, ...
# A host is a set of namespaces: network (own address on a bridge), processes (so `ray stop` on one host cannot see
# the others), mounts with an overlay as root (own home, /tmp, /etc, /var), own /dev/shm, and an sshd.
# /shared is one folder on all of them, in place of NFS.
#   lab.sh up [WORKERS]       make the hosts; needs root, iproute2, openssh-server, rsync and overlayfs
#   lab.sh down               end them by pid; remove namespaces, bridge and what they left
#   lab.sh sh HOST CMD...     run a command on a host
#   lab.sh cut|heal HOST      take the host's link down, up
#   lab.sh kill HOST          power off: SIGKILL to the host's first process, so all of its processes die
#   lab.sh boot HOST          make a killed host again, with an empty disk
# Environment: LAB_BASE, a folder for its state; LAB_PATH, the bin folders to put first in PATH;
# LAB_READ_ONLY, folders that the hosts see although /tmp and /root are their own.
set -euo pipefail
SELF=$(readlink -f "$0")
BASE=${LAB_BASE:?a folder for the state of the hosts}
LAB_PATH=${LAB_PATH:?the bin folder of the environment}
NET=10.77.0
BRIDGE=lab-br0
SHM_SIZE=1g      # the object store of two busy nodes fits
DISK_SIZE=3g
WORKERS=$(cat "$BASE/workers" 2>/dev/null || echo "${2:-2}")

hosts() { echo op head; for i in $(seq 1 "$WORKERS"); do echo "w$i"; done; }
address_of() { case $1 in op) echo $NET.10 ;; head) echo $NET.11 ;; w*) echo $NET.$((11 + ${1#w})) ;; esac; }

mount_root() {  # HOST: its file system
  local d=$BASE/$1 r=$BASE/$1/root
  mount --make-rprivate /
  mkdir -p "$d" && mount -t tmpfs -o size=$DISK_SIZE tmpfs "$d"
  mkdir -p "$d/upper" "$d/work" "$r"
  mount -t overlay overlay -o "lowerdir=/,upperdir=$d/upper,workdir=$d/work" "$r"
  mount -t proc proc "$r/proc"
  mount --rbind /sys "$r/sys"
  mount --rbind /dev "$r/dev"
  mount -t tmpfs -o size=$SHM_SIZE,mode=1777 tmpfs "$r/dev/shm"
  mount -t tmpfs -o mode=755 tmpfs "$r/run"
  mount -t tmpfs -o size=$DISK_SIZE,mode=1777 tmpfs "$r/tmp"
  mkdir -p "$r/shared"
  mount --bind "$BASE/shared" "$r/shared"
  # The machine's own home is hidden: its token must not leak in.
  mount -t tmpfs -o size=$DISK_SIZE,mode=700 tmpfs "$r/root"
  local b
  for b in ${LAB_READ_ONLY:-}; do
    mkdir -p "$r$b"; mount --bind "$b" "$r$b"; mount -o remount,bind,ro "$r$b"
  done
}

write_settings() {  # HOST: names, keys, sshd
  local h=$1 r=$BASE/$1/root x
  mkdir -p "$r/run/sshd" "$r/root/.ssh"; chmod 700 "$r/root" "$r/root/.ssh"
  cp "$BASE/keys/id.pub" "$r/root/.ssh/authorized_keys"; chmod 600 "$r/root/.ssh/authorized_keys"
  # Only op and the head may log in elsewhere; Ray copies the key to the head itself.
  if [ "$h" = op ]; then cp "$BASE/keys/id" "$r/root/.ssh/ray_cluster_key"; chmod 600 "$r/root/.ssh/ray_cluster_key"; fi
  { echo "127.0.0.1 localhost"; for x in $(hosts); do echo "$(address_of "$x") $x"; done; } > "$r/etc/hosts"
  printf 'export PATH=%s:$PATH\n' "$LAB_PATH" > "$r/root/.bashrc"  # first line: `bash -l` resets PATH
  printf '. ~/.bashrc\n' > "$r/root/.bash_profile"
  cp "$BASE/keys/host" "$r/etc/ssh/lab_host_key"; chmod 600 "$r/etc/ssh/lab_host_key"
  cat > "$r/etc/ssh/sshd_config" <<S
ListenAddress $(address_of "$h")
HostKey /etc/ssh/lab_host_key
PermitRootLogin prohibit-password
PasswordAuthentication no
UsePAM no
MaxStartups 100:30:200
MaxSessions 100
S
}

first_process() {  # HOST: what runs inside the new namespaces
  mount_root "$1"; hostname "$1"; write_settings "$1"
  # bash stays the first process, so that orphaned daemons are reaped.
  exec chroot "$BASE/$1/root" /bin/bash -c \
    '/usr/sbin/sshd -D -e >/var/log/sshd.log 2>&1 & while :; do wait -n 2>/dev/null || sleep 1; done'
}

boot() {  # HOST
  local h=$1 p="" i
  ip netns add "lab-$h"
  ip link add "lab-$h" type veth peer name eth0 netns "lab-$h"
  ip link set "lab-$h" master $BRIDGE up
  ip -n "lab-$h" link set lo up
  ip -n "lab-$h" addr add "$(address_of "$h")/24" dev eth0
  ip -n "lab-$h" link set eth0 up
  # No substitution in these lines: its process would be mistaken for the first one of the host below.
  setsid nsenter --net="/run/netns/lab-$h" unshare --mount --uts --ipc --pid --fork --kill-child \
    "$SELF" first_process "$h" </dev/null >"$BASE/$h.log" 2>&1 &
  echo $! > "$BASE/$h.outer"
  for i in $(seq 50); do p=$(pgrep -P "$(cat "$BASE/$h.outer")" | head -1 || true); [ -n "$p" ] && break; sleep .1; done
  echo "$p" > "$BASE/$h.pid"
  for i in $(seq 100); do
    nsenter --net="/run/netns/lab-$h" timeout 1 bash -c "</dev/tcp/$(address_of "$h")/22" 2>/dev/null && return; sleep .1
  done
  echo "$h did not come up:" >&2; cat "$BASE/$h.log" >&2; return 1
}

unplug() {  # HOST: end it, and remove its network
  local kind
  for kind in pid outer; do
    if [ -s "$BASE/$1.$kind" ]; then kill -9 "$(cat "$BASE/$1.$kind")" 2>/dev/null || true; fi
    rm -f "$BASE/$1.$kind"
  done
  # Also what is left of a lab whose files are gone.
  ip netns pids "lab-$1" 2>/dev/null | xargs -r kill -9 2>/dev/null || true
  ip link del "lab-$1" 2>/dev/null || true
  ip netns del "lab-$1" 2>/dev/null || true
}

up() {
  down
  mkdir -p "$BASE/keys" "$BASE/shared"; echo "$WORKERS" > "$BASE/workers"
  local key h
  for key in id host; do [ -f "$BASE/keys/$key" ] || ssh-keygen -q -t ed25519 -N '' -f "$BASE/keys/$key"; done
  ip link add $BRIDGE type bridge; ip link set $BRIDGE up
  for h in $(hosts); do boot "$h"; done
}

down() {
  local h
  for h in $(hosts); do unplug "$h"; done
  ip link del $BRIDGE 2>/dev/null || true
}

sh_() {  # HOST CMD...: without the environment of the caller
  local h=$1; shift
  exec nsenter -t "$(cat "$BASE/$h.pid")" --net --mount --pid --uts --ipc --root env -C / -i HOME=/root USER=root \
    TERM=dumb LANG=C.UTF-8 "PATH=$LAB_PATH:/usr/sbin:/usr/bin:/sbin:/bin" /bin/bash -c 'cd; exec "$@"' _ "$@"
}

case ${1:-} in
  up) up ;;
  down) down ;;
  first_process) first_process "$2" ;;
  boot) unplug "$2"; boot "$2" ;;
  sh) shift; sh_ "$@" ;;
  cut) ip link set "lab-$2" down ;;
  heal) ip link set "lab-$2" up ;;
  kill) kill -9 "$(cat "$BASE/$2.pid")" ;;
  *) sed -n 2,13p "$0"; exit 2 ;;
esac
