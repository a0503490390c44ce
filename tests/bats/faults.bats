# Faults: every step fails once, system calls fail, the runtime is killed at any point. Each time the answer is one line, and
# nothing is left once `delete --force` has been said.
load helpers

STEPS=${STEPS:-$top/build/steps/skiff} # a build in which FAIL_STEP=<row> fails that row

setup() {
	begin
	config '.process.oomScoreAdj = 5 | .linux.sysctl = {"net.ipv4.ip_forward": "1"} | .domainname = "d" | .root.readonly = true |
		.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}]} |
		.hooks = {"prestart": [{"path": "/bin/true"}], "createContainer": [{"path": "/bin/true"}],
			"startContainer": [{"path": "/bin/true"}], "poststart": [{"path": "/bin/true"}], "poststop": [{"path": "/bin/true"}]}'
}

need_steps() {
	[[ -x $STEPS ]] || skip "no test build: make SAN=steps"
	SKIFF=$STEPS
}

# Every row that applies to the bundle fails, in create and start; $1 rows at least must have been tried.
fail_each_row() { # AT-LEAST
	local row n=0
	args sleep 1000
	while read -r row; do
		n=$((n + 1))
		export FAIL_STEP=$row
		run_detached skiff create -b "$bundle" "$id"
		if [[ $status == 0 ]]; then # it is one of start's
			status_is created
			run skiff start "$id"
			[[ $status != 0 ]] || { echo "nothing failed for '$row'"; return 1; }
			eventually status_is stopped || { echo "'$row' left it running"; return 1; }
			one_line
			says "$row: failed on purpose"
			unset FAIL_STEP
			skiff delete "$id"
		else
			one_line
			says "skiff: create: $row: failed on purpose"
		fi
		unset FAIL_STEP
		nothing_left || { echo "after '$row'"; return 1; }
	done < <("$STEPS" explain "$bundle/" | sed -n 's/^+ [a-z]* *//p')
	((n >= $1)) || { echo "only $n rows"; return 1; }
}

@test "every step of a container fails once: one line that names it, and nothing is left" {
	need_steps
	fail_each_row 30
}

@test "every step of a container with users, time and joined namespaces fails once" {
	need_steps
	users 100000
	unshare -u sleep 1000 3>&- &
	other=$!
	eventually bash -c '[[ $(readlink /proc/$0/ns/uts) != $(readlink /proc/self/ns/uts) ]]' $other
	config --arg p "/proc/$other/ns/uts" '.linux.namespaces |= map(select(.type != "uts")) + [{"type": "time"}, {"type": "uts", "path": $p}]
		| del(.hostname, .domainname, .hooks)'
	fail_each_row 25
	kill $other
}

@test "every step of run fails once in the foreground" {
	need_steps
	args sleep 1000
	while read -r row; do
		case $row in "wait for start" | "find the program again") continue ;; esac
		FAIL_STEP=$row run skiff run -b "$bundle" "$id"
		[[ $status != 0 ]] || { echo "'$row' did not fail"; false; }
		one_line
		says "skiff: run: $row: failed on purpose"
		nothing_left || { echo "after '$row'"; false; }
	done < <("$STEPS" explain "$bundle/" | sed -n 's/^+ [a-z]* *//p')
}

@test "every step of run on a terminal fails once, and the terminal is as it was" {
	need_steps
	config '.process.terminal = true | del(.hooks)'
	args sleep 1000
	for row in "open the terminal" "mask paths and make paths read-only" "become the user" "become the program" "note that the program runs"; do
		FAIL_STEP=$row run timeout -k 2 20 "$tools/terminal" "$STEPS" --root "$root" run -b "$bundle" "$id" 3>&- 4>&- <<<end
		says "failed on purpose"
		says "status 1 cooked"
		nothing_left
	done
}

@test "every step of exec fails once, and the container stays as it is" {
	need_steps
	launch
	n=0
	while read -r row; do
		case $row in
		"open the terminal" | "set the labels of security modules" | "drop capabilities below the filter") continue ;;
		esac
		n=$((n + 1))
		# silent: at the last row the program runs already
		FAIL_STEP=$row run skiff exec "$id" true
		is 255 "$status"
		one_line
		says "skiff: exec: $row: failed on purpose"
		eventually has_processes 1
	done < <(awk '/step exec_life/ { on = 1 } on && /END/ { exit } on && split($0, part, "\"") > 2 { print part[2] }' "$top/runtime/life.c")
	((n >= 12))
	status_is running
	run -0 in_container echo still there
}

# Runs a command and kills it after a while that grows with $1.
kill_after() { # MILLISECONDS WORD...
	"$SKIFF" --root "$root" "${@:2}" >/dev/null 2>&1 3>&- 4>&- &
	local victim=$!
	sleep "$(printf '0.%03d' "$1")"
	kill -KILL $victim 2>/dev/null || true
	wait $victim 2>/dev/null || true
}

@test "create killed at any point: delete --force leaves nothing" {
	for ms in {0..9} {0..9}; do
		kill_after "$ms" create -b "$bundle" "$id"
		run -0 skiff list
		run -0 skiff delete --force "$id"
		nothing_left
	done
}

@test "run killed at any point: delete --force leaves nothing" {
	for ms in {0..9} 12 15 20 30; do
		kill_after "$ms" run -b "$bundle" "$id"
		run -0 skiff delete --force "$id"
		nothing_left
	done
}

@test "run that joins namespaces killed at any point: delete --force leaves nothing" {
	config '.linux.namespaces |= map(select(.type != "network")) + [{"type": "time"}, {"type": "network", "path": "/proc/self/ns/net"}] | del(.linux.sysctl)'
	for ms in {0..11}; do
		kill_after "$ms" run -b "$bundle" "$id"
		run -0 skiff delete --force "$id"
		nothing_left
	done
}

@test "start killed at any point: it can be started again, or is running, or is deleted" {
	for ms in {0..6}; do
		create
		kill_after "$ms" start "$id"
		run skiff state "$id"
		is 0 "$status"
		case $(jq -r .status <<<"$output") in
		created) run -0 skiff start "$id" ;;
		running | stopped) ;;
		*) echo "$output"; false ;;
		esac
		run -0 skiff delete --force "$id"
		nothing_left
	done
}

@test "exec killed at any point leaves the container usable" {
	launch
	for ms in {0..7}; do
		kill_after "$ms" exec "$id" sleep 0.3
		run -0 in_container true
	done
	eventually has_processes 1
	status_is running
}

@test "delete killed at any point can be repeated" {
	for ms in {0..6}; do
		launch
		kill_after "$ms" delete --force "$id"
		run -0 skiff delete --force "$id"
		nothing_left
	done
}

@test "kill -9 of everything while it is set up touches no other container" {
	skiff run -d -b "$bundle" "$id.other" >"$log" 2>&1
	for ms in 1 3 5 7; do
		kill_after "$ms" run -b "$bundle" "$id"
		skiff delete --force "$id"
	done
	status_is running "$id.other"
	run -0 skiff exec "$id.other" echo alive
	is alive
}

@test "the runtime killed by a hook: delete --force leaves nothing" {
	printf '#!/bin/bash\nkill -KILL $PPID\n' >"$BATS_TEST_TMPDIR/killer"
	chmod 755 "$BATS_TEST_TMPDIR/killer"
	for kind in prestart createRuntime poststart; do
		config --arg k "$BATS_TEST_TMPDIR/killer" --arg kind $kind '.hooks = {($kind): [{"path": $k}]}'
		run_detached skiff run -b "$bundle" "$id"
		[[ $status != 0 ]] || { echo "$kind"; false; }
		run -0 skiff delete --force "$id"
		nothing_left || { echo "$kind"; false; }
	done
}

@test "the first process killed during the set-up is told as what it is" {
	printf '#!/bin/bash\nkill -KILL $(jq .pid)\n' >"$BATS_TEST_TMPDIR/killer"
	chmod 755 "$BATS_TEST_TMPDIR/killer"
	config --arg k "$BATS_TEST_TMPDIR/killer" '.hooks = {"createRuntime": [{"path": $k}]}'
	run -1 skiff run -b "$bundle" "$id"
	one_line
	says "killed by signal 9"
	nothing_left
}

# Each of these system calls fails in turn, the first time, the second time ...; $2 is one more option of strace's.
inject() { # CALLS STRACE-OPTION SKIFF-WORD...
	local call n options=()
	[[ -z $2 ]] || options=("$2")
	for call in $1; do
		for n in 1 2 3 4 5 6; do
			run_detached timeout -k 2 20 setsid strace "${options[@]}" -qq -o /dev/null -e trace="$call" -e inject="$call:error=EIO:when=$n" \
				"$SKIFF" --root "$root" "${@:3}" 3>&- 4>&-
			if [[ $status == 0 ]]; then
				skiff delete --force "$id"
				nothing_left || { echo "after $call, $n, without an error"; return 1; }
				continue 2
			fi
			[[ $status != 124 && $status != 137 ]] || { echo "$call, $n: hangs"; return 1; }
			one_line || { echo "$call, $n"; return 1; }
			says "skiff: " || { echo "$call, $n"; return 1; }
			skiff delete --force "$id"
			nothing_left || { echo "after $call, $n"; return 1; }
		done
	done
}

@test "system calls of the host's side that fail: one line, nothing left" {
	command -v strace >/dev/null || skip "strace is not installed"
	strace -qq -o /dev/null true || skip "strace may not trace here"
	args true
	config 'del(.hooks)'
	inject "mkdir mkdirat socketpair memfd_create clone3 open_tree rename renameat sendmsg recvmsg ftruncate fstat bind listen openat2 socket" "" create -b "$bundle" "$id"
}

@test "system calls of the container's side that fail: one line, nothing left" {
	command -v strace >/dev/null || skip "strace is not installed"
	strace -qq -o /dev/null true || skip "strace may not trace here"
	args true
	config 'del(.hooks)'
	inject "execveat fsopen fsconfig fsmount move_mount mount_setattr pivot_root umount2 sethostname setresuid setgroups capset seccomp fchdir mknodat symlinkat" \
		-f run -b "$bundle" "$id"
}
