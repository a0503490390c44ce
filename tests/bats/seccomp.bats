# Seccomp filters, seen from the program that is under one.
load helpers

filter() { # JQ-OBJECT
	config ".linux.seccomp = $1"
}
rule() { # NAMES ACTION [JQ-OBJECT]
	filter '{"defaultAction": "SCMP_ACT_ALLOW"}'
	config --argjson names "$1" --arg action "$2" --argjson more "${3:-{\}}" \
		'.linux.seccomp.syscalls = [{names: $names, action: $action} + $more]'
}
# The number of a system call on this machine.
nr() { # NAME
	awk -v name="__NR_$1" '$2 == name { print $3 }' /usr/include/x86_64-linux-gnu/asm/unistd_64.h 2>/dev/null |
		grep . || printf '#include <sys/syscall.h>\n__NR_%s\n' "$1" | gcc -E -P - | tail -1
}

@test "the filter is in force, without noNewPrivileges too" {
	for promise in true false; do
		config ".process.noNewPrivileges = $promise"
		rule '["mkdir", "mkdirat"]' SCMP_ACT_ERRNO
		inside 'grep ^Seccomp: /proc/self/status; mkdir /tmp/x 2>&1; true'
		is "Seccomp:	2" "${lines[0]}"
		says "Operation not permitted"
		[[ ! -e $bundle/rootfs/tmp/x ]]
	done
}

@test "no filter unless asked for" {
	inside 'grep ^Seccomp: /proc/self/status'
	is "Seccomp:	0"
}

@test "ERRNO answers with the number asked for, 1 without one" {
	rule '["mkdir"]' SCMP_ACT_ERRNO
	inside "probe syscall $(nr mkdir) 0 0"
	is "error EPERM"
	rule '["mkdir"]' SCMP_ACT_ERRNO '{"errnoRet": 13}'
	inside "probe syscall $(nr mkdir) 0 0"
	is "error EACCES"
	rule '["mkdir"]' SCMP_ACT_ERRNO '{"errnoRet": 38}'
	inside "probe syscall $(nr mkdir) 0 0"
	is "error ENOSYS"
}

@test "KILL, KILL_THREAD and KILL_PROCESS end the program with SIGSYS" {
	for action in SCMP_ACT_KILL SCMP_ACT_KILL_THREAD SCMP_ACT_KILL_PROCESS; do
		rule '["mkdir"]' $action
		args probe syscall "$(nr mkdir)" 0 0
		run -159 skiff run -b "$bundle" "$id"
	done
}

@test "TRAP sends SIGSYS" {
	rule '["mkdir"]' SCMP_ACT_TRAP
	args probe syscall "$(nr mkdir)" 0 0
	run skiff run -b "$bundle" "$id"
	# the first process of a pid namespace is protected from signals that it does not handle, not from this one
	is 159 "$status"
}

@test "LOG lets the call pass" {
	rule '["mkdir", "mkdirat"]' SCMP_ACT_LOG
	inside 'mkdir /tmp/x && echo made'
	is made
}

@test "TRACE without a tracer answers ENOSYS" {
	rule '["mkdir"]' SCMP_ACT_TRACE '{"errnoRet": 5}'
	inside "probe syscall $(nr mkdir) 0 0"
	is "error ENOSYS"
}

@test "a default that forbids, with a list of what is allowed" {
	filter '{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 13, "syscalls": [{"action": "SCMP_ACT_ALLOW", "names":
		["execve", "exit", "exit_group", "write", "writev", "brk", "mmap", "munmap", "mprotect", "arch_prctl", "set_tid_address", "ioctl",
		"read", "close", "fstat", "newfstatat", "rt_sigaction", "rt_sigprocmask", "set_robust_list", "rseq", "prlimit64", "readlink",
		"getrandom", "sendmsg", "futex", "close_range", "fcntl", "prctl", "capset", "capget", "open", "openat", "stat", "faccessat", "access"]}]}'
	args probe syscall "$(nr mkdir)" 0 0
	run skiff run -b "$bundle" "$id"
	is 0 "$status"
	is "error EACCES"
}

@test "comparisons of arguments: each of the seven" {
	# chmod(2) takes the mode as its second argument
	while read -r op value two hit miss; do
		rule '["chmod"]' SCMP_ACT_ERRNO "{\"args\": [{\"index\": 1, \"value\": $value, \"valueTwo\": $two, \"op\": \"$op\"}]}"
		inside "touch /tmp/f; probe syscall $(nr chmod) 0 $hit; probe syscall $(nr chmod) 0 $miss"
		is "error EPERM,error EFAULT" "$(paste -sd, <<<"$output")" || { echo "for $op $value $two"; false; }
	done <<-'END'
		SCMP_CMP_EQ 320 0 320 321
		SCMP_CMP_NE 5 0 6 5
		SCMP_CMP_LT 5 0 4 5
		SCMP_CMP_LE 5 0 5 6
		SCMP_CMP_GT 5 0 6 5
		SCMP_CMP_GE 5 0 5 4
		SCMP_CMP_MASKED_EQ 7 5 13 12
	END
}

@test "64-bit values are compared whole" {
	rule '["fcntl"]' SCMP_ACT_ERRNO '{"args": [{"index": 2, "value": 8589934593, "op": "SCMP_CMP_EQ"}]}'
	inside "probe syscall $(nr fcntl) 99 1 8589934593; probe syscall $(nr fcntl) 99 1 1; probe syscall $(nr fcntl) 99 1 8589934592"
	is "error EPERM,error EBADF,error EBADF" "$(paste -sd, <<<"$output")"
	rule '["fcntl"]' SCMP_ACT_ERRNO '{"args": [{"index": 2, "value": 8589934593, "op": "SCMP_CMP_GT"}]}'
	inside "probe syscall $(nr fcntl) 99 1 8589934594; probe syscall $(nr fcntl) 99 1 4294967295; probe syscall $(nr fcntl) 99 1 17179869184"
	is "error EPERM,error EBADF,error EPERM" "$(paste -sd, <<<"$output")"
}

@test "conditions on several arguments must all hold, on one argument any" {
	rule '["fcntl"]' SCMP_ACT_ERRNO '{"args": [{"index": 1, "value": 1, "op": "SCMP_CMP_EQ"}, {"index": 2, "value": 7, "op": "SCMP_CMP_EQ"}]}'
	inside "probe syscall $(nr fcntl) 99 1 7; probe syscall $(nr fcntl) 99 1 8; probe syscall $(nr fcntl) 99 2 7"
	is "error EPERM,error EBADF,error EBADF" "$(paste -sd, <<<"$output")"
	rule '["fcntl"]' SCMP_ACT_ERRNO '{"args": [{"index": 1, "value": 1, "op": "SCMP_CMP_EQ"}, {"index": 1, "value": 3, "op": "SCMP_CMP_EQ"}]}'
	inside "probe syscall $(nr fcntl) 99 1; probe syscall $(nr fcntl) 99 2; probe syscall $(nr fcntl) 99 3"
	is "error EPERM,error EBADF,error EPERM" "$(paste -sd, <<<"$output")"
}

@test "system calls newer than the profile answer ENOSYS, so that programs fall back" {
	filter '{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1, "syscalls": [{"action": "SCMP_ACT_ALLOW", "names":
		["execve", "exit_group", "write", "writev", "brk", "mmap", "munmap", "mprotect", "arch_prctl", "set_tid_address", "ioctl", "close",
		"close_range", "prctl", "capset", "capget", "sendmsg", "open", "openat", "stat", "fcntl", "faccessat", "access", "read", "fstat",
		"newfstatat", "set_mempolicy_home_node", "cachestat", "faccessat2"]}]}'
	args sh -c true
	args probe syscall 500
	run -0 skiff run -b "$bundle" "$id"
	is "error ENOSYS"
	args probe syscall "$(nr getpid)"
	run -0 skiff run -b "$bundle" "$id"
	is "error EPERM"
}

@test "names that this machine does not know are passed over" {
	rule '["mkdir", "nonsense_of_the_future"]' SCMP_ACT_ERRNO
	inside "probe syscall $(nr mkdir) 0 0"
	is "error EPERM"
}

@test "architectures: others are added, the native one is always there" {
	rule '["mkdir"]' SCMP_ACT_ERRNO
	config '.linux.seccomp.architectures = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_AARCH64"]'
	inside "probe syscall $(nr mkdir) 0 0"
	is "error EPERM"
}

@test "the x32 way around a filter is closed" {
	rule '["mkdir"]' SCMP_ACT_ERRNO '{"errnoRet": 13}'
	args probe syscall "$((0x40000000 + $(nr mkdir)))" 0 0
	run skiff run -b "$bundle" "$id"
	# killed, refused or unknown: anything but the call itself
	[[ $status == 159 || $output == "error EACCES" || $output == "error ENOSYS" || $output == "error EPERM" ]]
}

@test "flags are taken, also none" {
	for flags in '[]' '["SECCOMP_FILTER_FLAG_LOG"]' '["SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC"]'; do
		rule '["mkdir"]' SCMP_ACT_ERRNO
		config --argjson f "$flags" '.linux.seccomp.flags = $f'
		inside "probe syscall $(nr mkdir) 0 0"
		is "error EPERM"
	done
}

@test "NOTIFY hands the call to an agent, with the container's state" {
	"$tools/agent" "$BATS_TEST_TMPDIR/agent" "value 77" "errno 13" continue >"$BATS_TEST_TMPDIR/said" 2>&1 3>&- &
	eventually test -S "$BATS_TEST_TMPDIR/agent"
	rule '["mkdir"]' SCMP_ACT_NOTIFY
	config --arg s "$BATS_TEST_TMPDIR/agent" '.linux.seccomp.listenerPath = $s | .linux.seccomp.listenerMetadata = "of mine"
		| .annotations = {"a": "b"}'
	inside "for i in 1 2 3; do probe syscall $(nr mkdir) 0 0; done"
	is "ok 77,error EACCES,error EFAULT" "$(paste -sd, <<<"$output")"
	wait
	head -1 "$BATS_TEST_TMPDIR/said" | jq -e --arg id "$id" --arg bundle "$bundle" '.ociVersion == "1.3.0" and .fds == ["seccompFd"] and .pid > 0 and
		.metadata == "of mine" and .state.id == $id and .state.status == "created" and .state.bundle == $bundle and
		.state.annotations == {"a": "b"} and .state.pid == .pid'
	is 3 "$(grep -c "syscall $(nr mkdir)" "$BATS_TEST_TMPDIR/said")"
}

@test "NOTIFY without an agent is an error that names the path" {
	rule '["mkdir"]' SCMP_ACT_NOTIFY
	run -1 skiff run -b "$bundle" "$id"
	one_line
	says ".linux.seccomp.listenerPath"
	config '.linux.seccomp.listenerPath = "/no/such"'
	run -1 skiff run -b "$bundle" "$id"
	one_line
	says ".linux.seccomp.listenerPath"
	nothing_left
}

@test "NOTIFY for what hands over the listener, or as the default, is refused" {
	rule '["sendmsg"]' SCMP_ACT_NOTIFY
	config '.linux.seccomp.listenerPath = "/x"'
	run -1 skiff run -b "$bundle" "$id"
	says "sendmsg"
	filter '{"defaultAction": "SCMP_ACT_NOTIFY", "listenerPath": "/x"}'
	run -1 skiff run -b "$bundle" "$id"
	says ".linux.seccomp.defaultAction"
}

@test "a large profile works" {
	filter '{"defaultAction": "SCMP_ACT_ALLOW"}'
	config '.linux.seccomp.syscalls = ([range(200)] | map({names: ["fcntl"], action: "SCMP_ACT_ERRNO", errnoRet: 13,
		args: [{index: 1, value: (. + 1000), op: "SCMP_CMP_EQ"}]}))'
	inside "probe syscall $(nr fcntl) 99 1150; probe syscall $(nr fcntl) 99 1"
	is "error EACCES,error EBADF" "$(paste -sd, <<<"$output")"
}
