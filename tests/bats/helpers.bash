# shellcheck shell=bash
# What the tests share. Each test has its own bundle (busybox and a config.json), folder of states and container id;
# what it leaves is removed behind it, and what cannot be removed fails it.
bats_require_minimum_version 1.5.0

top=$(realpath "${BASH_SOURCE[0]%/*}/../..")
tools=$top/tests/bats/tools
SKIFF=${SKIFF:-$top/build/skiff}
cgroups=$(awk '$9 == "cgroup2" || $8 == "cgroup2" || $10 == "cgroup2" { print $5; exit }' /proc/self/mountinfo)

setup() { begin; }
teardown() { finish; }

begin() {
	exec </dev/null
	chmod 755 "$BATS_RUN_TMPDIR"
	root=$BATS_TEST_TMPDIR/states
	bundle=$BATS_TEST_TMPDIR/bundle
	log=$BATS_TEST_TMPDIR/container.log
	id=${BATS_RUN_TMPDIR##*[-.]}-$BATS_SUITE_TEST_NUMBER
	[[ -d $BATS_RUN_TMPDIR/busybox ]] || make_busybox_bundle "$BATS_RUN_TMPDIR/busybox"
	cp -a "$BATS_RUN_TMPDIR/busybox" "$bundle"
	skip_exceptions
}

make_busybox_bundle() { # FOLDER
	local rootfs=$1.new/rootfs
	mkdir -p "$rootfs"/{bin,dev,etc,proc,root,sys,tmp}
	chmod 1777 "$rootfs/tmp"
	cp /bin/busybox "$rootfs/bin/busybox"
	# one process, where each takes time: there are some 300
	/bin/busybox --list | python3 -c 'import os, sys
for name in sys.stdin.read().split(): name == "busybox" or os.symlink("busybox", sys.argv[1] + name)' "$rootfs/bin/"
	probe "$rootfs/bin/probe"
	printf '%s\n' root:x:0:0:root:/root:/bin/sh user:x:1000:1000::/home/user:/bin/sh >"$rootfs/etc/passwd"
	printf '%s\n' root:x:0: user:x:1000: >"$rootfs/etc/group"
	"$SKIFF" spec -f - | jq '.process.terminal = false | .process.args = ["sleep", "1000"]' >"$1.new/config.json"
	mv "$1.new" "$1"
}

# A program that runs in any root, built when it is older than its sources.
program() { # NAME FILE SOURCE...
	local built=$top/build/test/$1 fresh=$BATS_RUN_TMPDIR/$1.$$ source
	for source in "${@:3}"; do
		[[ $built -nt $source ]] && continue
		mkdir -p "${built%/*}"
		musl-gcc -static -Os -idirafter /usr/include -idirafter "/usr/include/$(gcc -print-multiarch)" -o "$fresh" "${@:3}"
		mv "$fresh" "$built"
		break
	done
	cp "$built" "$2"
}

# For what busybox cannot do.
probe() { # FILE
	program probe "$1" "$top/tests/data/probe.c"
}

# What a file system must do.
posix() { # FILE
	program posix "$1" "$top"/tests/posix/*.c
}

skiff() {
	timeout -k 2 "${LIMIT:-30}" "$SKIFF" --root "$root" "$@" 3>&- 4>&-
}

# With SKIFF_SANDBOX=qemu each container is in a machine of its own.

# The kernel of sandboxes, fetched once.
export SKIFF_KERNELS=${SKIFF_KERNELS:-$top/build/kernels}
fetch_kernel() {
	(
		mkdir -p "$SKIFF_KERNELS"
		exec {lock}<"$SKIFF_KERNELS"
		flock "$lock"
		[[ -e $SKIFF_KERNELS/current/vmlinux ]] || "$SKIFF" kernel fetch
	) >&2
}

# Tests of what a sandbox has no use for are named, with the reason, in docs/sandbox.md.
skip_exceptions() {
	local reason
	[[ -n ${SKIFF_SANDBOX-} ]] || return 0
	reason=$(awk -F ' *[|] *' -v name="$BATS_TEST_DESCRIPTION" '$2 == name { print $3; exit }' "$top/docs/sandbox.md")
	[[ -z $reason ]] || skip "$reason"
}

# Edits config.json with jq.
config() { # [JQ-OPTION...] FILTER
	jq "$@" <"$bundle/config.json" >"$bundle/config.new" && mv "$bundle/config.new" "$bundle/config.json"
}

args() { # WORD...
	config '.process.args = $ARGS.positional' --args -- "$@"
}

# Runs a shell script as the container's program, in the foreground; it must succeed.
inside() { # SCRIPT
	try_inside "$1"
	[[ $status == 0 ]] || { echo "status $status: $output"; return 1; }
}

# The same for a script that may fail.
try_inside() { # SCRIPT
	args sh -c "$1"
	run skiff run -b "$bundle" "$id"
}

# The container outlives these commands, so its output goes to $log: `run` would wait for its end.
create() { # [OPTION...]
	skiff create -b "$bundle" "$@" "$id" >"$log" 2>&1 || { cat "$log"; return 1; }
}
launch() { # [OPTION...]
	skiff run -d -b "$bundle" "$@" "$id" >"$log" 2>&1 || { cat "$log"; return 1; }
}
# Like bats' run, for a command whose container may outlive it.
run_detached() { # WORD...
	status=0
	"$@" >"$log" 2>&1 || status=$?
	output=$(<"$log")
	mapfile -t lines <<<"$output"
}
in_container() { # WORD...
	skiff exec "$id" "$@"
}

state_of() { # FIELD [ID]
	skiff state "${2:-$id}" | jq -r ".$1"
}
status_is() { # STATUS [ID]
	[[ $(state_of status "${2:-$id}") == "$1" ]]
}
pid_of() { # [ID]
	state_of pid "${1:-$id}"
}

# 1 to N, for what has to happen often; a few times do where each takes a machine's start.
often() { # N
	seq "$([[ -n ${SKIFF_SANDBOX-} ]] && echo 3 || echo "$1")"
}

# Waits until a command succeeds.
eventually() { # WORD...
	local end=$((SECONDS + ${PATIENCE:-10}))
	until "$@" >/dev/null 2>&1; do
		((SECONDS < end)) || { echo "never true: $*"; return 1; }
		sleep 0.02
	done
}
gone() { # PID: ended; perhaps nobody reaps it
	[[ ! -e /proc/$1 ]] || grep -q '^State:.[ZX]' "/proc/$1/status" 2>/dev/null || [[ ! -e /proc/$1 ]]
}
has_processes() { # N
	[[ $(skiff ps -f json "$id" | jq length) == "$1" ]]
}
holds() { # FILE TEXT
	grep -qF -- "$2" "$1"
}

# Whether the output, or another text, has the words in it. Says what there is when not.
says() { # TEXT [WHERE]
	local where=${2-$output}
	[[ $where == *"$1"* ]] && return
	printf 'want: %s\nhave: %s\n' "$1" "$where"
	return 1
}
is() { # WANT [HAVE]
	local have=${2-$output}
	[[ $have == "$1" ]] && return
	printf 'want: %s\nhave: %s\n' "$1" "$have"
	return 1
}
# One line and no more, as those who show it to a person want it.
one_line() {
	[[ -n $output && ${#lines[@]} == 1 ]] && return
	printf 'not one line: %s\n' "$output"
	return 1
}

# What there is of the test's containers on the host.
left_behind() {
	local file pid
	find "$root" -mindepth 1 -maxdepth 1 2>/dev/null
	find "$cgroups" -mindepth 1 -name "*$id*" 2>/dev/null
	for file in $(grep -ls -- " [^ ]*$BATS_TEST_TMPDIR/" /proc/[0-9]*/mountinfo 2>/dev/null); do
		pid=${file#/proc/}
		pid=${pid%/*}
		[[ $(readlink "/proc/$pid/ns/mnt" 2>/dev/null) == "$(readlink /proc/self/ns/mnt)" ]] || echo "process $pid: $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null)"
	done
	grep -- " $BATS_TEST_TMPDIR/" /proc/self/mountinfo
	for pid in $(pgrep -f -- "--root $root"); do
		gone "$pid" || echo "process $pid: $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null)"
	done
	return 0
}
nothing_left() {
	local left
	left=$(left_behind)
	[[ -z $left ]] && return
	printf 'left behind:\n%s\n' "$left"
	return 1
}

finish() {
	local at
	# shellcheck disable=SC2046
	kill -KILL $(jobs -p) 2>/dev/null
	for at in "$root"/*; do
		[[ ! -e $at ]] || skiff delete --force "${at##*/}" || true
	done
	for at in $(awk -v below="$BATS_TEST_TMPDIR/" 'index($5, below) == 1 { print $5 }' /proc/self/mountinfo | tac); do
		umount -l "$at"
	done
	for at in {1..100}; do
		[[ -n $(left_behind) ]] || return 0
		sleep 0.03
	done
	nothing_left
}

# A user namespace in which the container's ids are the host's from FIRST on.
users() { # FIRST [SIZE]
	config --argjson first "$1" --argjson size "${2:-65536}" '.linux.namespaces += [{"type": "user"}] |
		.linux.uidMappings = [{"containerID": 0, "hostID": $first, "size": $size}] | .linux.gidMappings = .linux.uidMappings'
	chown -hR "$1:$1" "$bundle/rootfs"
	chmod 755 "$BATS_TEST_TMPDIR" "${BATS_TEST_TMPDIR%/*}"
}
