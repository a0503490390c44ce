# skiff exec: one more process in a container that runs.
load helpers

@test "exec runs a command in the container and returns its status" {
	launch
	run -0 in_container sh -c 'hostname; echo trouble >&2; readlink /proc/1/exe'
	is $'skiff\ntrouble\n/bin/busybox'
	run -42 in_container sh -c 'exit 42'
	is ""
}

@test "exec keeps standard output and standard error apart, and hands over standard input" {
	launch
	run --separate-stderr in_container sh -c 'cat; echo err >&2' <<<"from outside"
	is "from outside"
	# shellcheck disable=SC2154
	is err "$stderr"
}

@test "options end at the container's id: exec ID ls -l" {
	launch
	run -0 in_container ls -l /bin/busybox
	says busybox
	run -0 in_container echo -t --user 5
	is "-t --user 5"
}

@test "a command that dies of a signal gives 128 and the signal's number" {
	launch
	run -137 in_container sh -c 'kill -KILL $$'
	run -143 in_container sh -c 'kill -TERM $$'
}

@test "exec is in every namespace of the container" {
	config '.linux.namespaces += [{"type": "time"}]'
	launch
	for ns in cgroup ipc mnt net pid time uts; do
		is "$(readlink "/proc/$(pid_of)/ns/$ns")" "$(in_container readlink "/proc/self/ns/$ns")"
	done
	run -0 in_container sh -c 'ls /; cat /proc/self/cgroup'
	says "0::/"
}

@test "exec is in the container's cgroup" {
	launch
	skiff exec -d --pid-file "$BATS_TEST_TMPDIR/pid" "$id" sleep 1000 >"$log" 2>&1
	is "$(grep ^0: "/proc/$(pid_of)/cgroup")" "$(grep ^0: "/proc/$(<"$BATS_TEST_TMPDIR/pid")/cgroup")"
}

@test "--user takes UID and UID:GID" {
	launch
	is "uid=1000(user) gid=0(root)" "$(skiff exec --user 1000 "$id" id | sed 's/ groups=.*//')"
	is "uid=1000(user) gid=1001" "$(skiff exec -u 1000:1001 "$id" id | sed 's/ groups=.*//')"
}

@test "--user takes strict numbers only" {
	launch
	for bad in 1x x 4294967295 4294967296 -1 '' ' 1' +1 0x10 1: :1 1:2:3 1:4294967295 99999999999999999999; do
		run -255 skiff exec --user "$bad" "$id" id
		one_line
		[[ $output != *uid=0* ]]
	done
	run -0 skiff exec --user 2147483648 "$id" id -u
	is 2147483648
}

@test "--env adds to the container's environment and wins over it" {
	config '.process.env += ["A=old", "B=b"]'
	launch
	run -0 skiff exec -e A=new --env 'C=1,2' -e D= "$id" env
	says A=new
	says B=b
	says C=1,2
	says D=
	[[ $output != *A=old* ]]
	is 1 "$(grep -c ^C= <<<"$output")"
}

@test "--cwd is where the command begins" {
	launch
	run -0 skiff exec --cwd /tmp "$id" pwd
	is /tmp
	run -255 skiff exec --cwd /no/such "$id" pwd
	one_line
	says "/no/such"
	run -255 skiff exec --cwd relative "$id" pwd
	says "is not absolute"
}

@test "exec begins in the container's working directory" {
	config '.process.cwd = "/tmp"'
	launch
	is /tmp "$(in_container pwd)"
}

@test "--cap adds capabilities that are never inheritable" {
	launch
	before=$(in_container grep CapEff /proc/self/status)
	run -0 skiff exec --cap CAP_NET_ADMIN "$id" grep Cap /proc/self/status
	says "CapInh:	0000000000000000"
	says "CapAmb:	0000000000000000"
	is "$((16#${before##*	} | 1 << 12))" "$((16#$(grep CapEff <<<"$output" | cut -f2)))"
	is "$((16#${before##*	} | 1 << 12))" "$((16#$(grep CapBnd <<<"$output" | cut -f2)))"
	run -255 skiff exec --cap CAP_NONSENSE "$id" true
	one_line
	says "is not a capability"
}

@test "exec has the container's capabilities and nothing inheritable" {
	launch
	for set in CapPrm CapEff CapBnd; do
		is "$(grep $set "/proc/$(pid_of)/status")" "$(in_container grep $set /proc/self/status)"
	done
	is "CapInh:	0000000000000000" "$(in_container grep CapInh /proc/self/status)"
}

@test "--no-new-privs sets the promise" {
	config '.process.noNewPrivileges = false'
	launch
	is "NoNewPrivs:	0" "$(in_container grep NoNewPrivs /proc/self/status)"
	is "NoNewPrivs:	1" "$(skiff exec --no-new-privs "$id" grep NoNewPrivs /proc/self/status)"
}

@test "the container's promise and filter hold for exec" {
	config '.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"],
		"action": "SCMP_ACT_ERRNO", "errnoRet": 1}]}'
	launch
	is "NoNewPrivs:	1" "$(in_container grep NoNewPrivs /proc/self/status)"
	run -1 in_container mkdir /tmp/x
	says "Operation not permitted"
}

@test "--additional-gids adds groups" {
	launch
	run -0 skiff exec -g 7 --additional-gids 4000 "$id" id -G
	is "0 7 4000"
	run -255 skiff exec -g 7,8 "$id" id -G
	says "is not a group number"
}

@test "--process takes a whole process from a file" {
	launch
	cat >"$BATS_TEST_TMPDIR/process.json" <<-'END'
		{"args": ["sh", "-c", "id -u; id -g; id -G; pwd; echo $X; umask; ulimit -n"], "cwd": "/tmp", "env": ["X=y", "PATH=/bin"],
		 "user": {"uid": 5, "gid": 6, "additionalGids": [7], "umask": 63},
		 "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}]}
	END
	run -0 skiff exec --process "$BATS_TEST_TMPDIR/process.json" "$id"
	is "5 6 6 7 /tmp y 0077 100" "$(paste -sd' ' <<<"$output")"
	run -0 skiff exec -p - "$id" <"$BATS_TEST_TMPDIR/process.json"
	is "5 6 6 7 /tmp y 0077 100" "$(paste -sd' ' <<<"$output")"
}

@test "--process and a command exclude each other, and one of them is needed" {
	launch
	run -255 skiff exec -p - "$id" true <<<'{}'
	one_line
	run -255 skiff exec "$id"
	one_line
	says "want a command, or --process"
}

@test "a bad --process names the JSON path" {
	launch
	run -255 skiff exec -p - "$id" <<<'{"cwd": "/", "args": ["a", 1]}'
	one_line
	says ".args[1]: want a string"
	run -255 skiff exec -p - "$id" <<<'{"cwd": "/", "args": ["tr'
	one_line
	run -255 skiff exec -p - "$id" <<<'{"args": ["true"]}'
	one_line
	says ".cwd"
	run -255 skiff exec -p /no/such "$id"
	says "/no/such"
}

@test "--detach comes back at once, --pid-file names the process" {
	launch
	skiff exec -d --pid-file "$BATS_TEST_TMPDIR/pid" "$id" sleep 1001 >"$log" 2>&1
	is "" "$(<"$log")"
	pid=$(<"$BATS_TEST_TMPDIR/pid")
	is "sleep 1001" "$(tr '\0' ' ' <"/proc/$pid/cmdline" | sed 's/ $//')"
	run -0 skiff ps -f json "$id"
	jq -e --argjson p "$pid" 'index($p) != null' <<<"$output"
}

@test "the detached process becomes a child of a caller that is a subreaper" {
	launch
	run -0 /usr/bin/python3 - "$SKIFF" "$root" "$id" "$BATS_TEST_TMPDIR/pid" <<-'END'
		import ctypes, os, subprocess, sys
		skiff, root, name, pid_file = sys.argv[1:]
		ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
		subprocess.run([skiff, "--root", root, "exec", "-d", "--pid-file", pid_file, name, "sh", "-c", "exit 9"],
		               check=True, stdin=subprocess.DEVNULL)
		print("status", os.WEXITSTATUS(os.waitpid(int(open(pid_file).read()), 0)[1]))
	END
	is "status 9"
}

@test "--pidfd-socket receives a descriptor of the process" {
	launch
	"$tools/receive" "$BATS_TEST_TMPDIR/s" pidfd >"$BATS_TEST_TMPDIR/got" 3>&- &
	eventually test -S "$BATS_TEST_TMPDIR/s"
	skiff exec -d --pidfd-socket "$BATS_TEST_TMPDIR/s" --pid-file "$BATS_TEST_TMPDIR/pid" "$id" sleep 1000 >"$log" 2>&1
	wait $!
	is "$(<"$BATS_TEST_TMPDIR/pid")" "$(<"$BATS_TEST_TMPDIR/got")"
}

@test "--preserve-fds keeps that many, others never come along" {
	launch
	exec 8</etc/hostname
	timeout 20 "$SKIFF" --root "$root" exec --preserve-fds 1 "$id" probe fds 3<&8 4>&- >"$log" 2>&1
	exec 8<&-
	is "0 1 2 3" "$(cut -d' ' -f1 "$log" | paste -sd' ')"
	exec 8</etc/hostname
	run -0 in_container probe fds 9</etc
	exec 8<&-
	is "0 1 2" "$(cut -d' ' -f1 <<<"$output" | paste -sd' ')"
}

@test "LISTEN_FDS reach an exec too" {
	launch
	LISTEN_FDS=1 timeout 20 "$SKIFF" --root "$root" exec "$id" sh -c 'echo $LISTEN_FDS' 3</etc/hostname >"$log" 2>&1
	is 1 "$(<"$log")"
}

@test "exec in a paused container is refused, --ignore-paused waits for it to go on" {
	launch
	skiff pause "$id"
	run -255 in_container true
	one_line
	says "paused"
	skiff exec --ignore-paused "$id" echo went on >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
	sleep 0.3
	is "" "$(<"$BATS_TEST_TMPDIR/out")"
	skiff resume "$id"
	wait $!
	is "went on" "$(<"$BATS_TEST_TMPDIR/out")"
}

@test "--cgroup puts the process below the container's cgroup and nowhere else" {
	launch
	below=$(find "$cgroups" -name "$id")
	mkdir "$below/sub"
	skiff exec -d --cgroup sub --pid-file "$BATS_TEST_TMPDIR/pid" "$id" sleep 1000 >"$log" 2>&1
	says "$id/sub" "$(cat "/proc/$(<"$BATS_TEST_TMPDIR/pid")/cgroup")"
	skiff exec -d --cgroup / --pid-file "$BATS_TEST_TMPDIR/pid" "$id" sleep 1000 >"$log" 2>&1
	[[ $(cat "/proc/$(<"$BATS_TEST_TMPDIR/pid")/cgroup") == *"$id" ]]
	for bad in .. ../.. sub/../.. nothing; do
		run -255 skiff exec --cgroup "$bad" "$id" true
		one_line
		says "--cgroup"
	done
}

@test "a command that is not there is 127, one that cannot be executed 126" {
	launch
	run -127 in_container nonsense
	one_line
	says 'nonsense: executable file not found in $PATH'
	run -127 in_container /no/such
	one_line
	says 'open executable: /no/such: No such file or directory'
	run -126 in_container /etc/passwd
	one_line
	says 'Permission denied'
	run -126 in_container /etc
	one_line
}

@test "exec into nothing, or into what has stopped, is 255 and one line" {
	mkdir -p "$root"
	run -255 skiff exec nobody true
	one_line
	says "container 'nobody' does not exist"
	args true
	create
	skiff start "$id"
	eventually status_is stopped
	run -255 in_container true
	one_line
	says "container not running"
}

@test "exec works in a container that was created and not started" {
	create
	run -0 in_container echo early
	is early
	status_is created
	skiff start "$id"
	status_is running
}

@test "exec into a container that shares namespaces stays in the shared ones" {
	config '.linux.namespaces |= map(select(.type != "network" and .type != "pid" and .type != "ipc"))'
	launch
	is "$(readlink /proc/self/ns/net)" "$(in_container readlink /proc/self/ns/net)"
	is "$(readlink /proc/self/ns/pid)" "$(in_container readlink /proc/self/ns/pid)"
	is "$(readlink /proc/self/ns/ipc)" "$(in_container readlink /proc/self/ns/ipc)"
}

@test "exec into a user namespace is its root unless told otherwise" {
	users 100000
	launch
	is 0 "$(in_container id -u)"
	is "0 100000 65536" "$(in_container cat /proc/self/uid_map | tr -s ' ' | sed 's/^ //')"
	is 5 "$(skiff exec -u 5 "$id" id -u)"
	skiff exec -d -u 5 --pid-file "$BATS_TEST_TMPDIR/pid" "$id" sleep 1000 >"$log" 2>&1
	is 100005 "$(stat -c %u "/proc/$(<"$BATS_TEST_TMPDIR/pid")")" ||
		is 100005 "$(awk '/^Uid/ { print $2 }' "/proc/$(<"$BATS_TEST_TMPDIR/pid")/status")"
}

@test "signals to exec go to the command" {
	launch
	skiff exec "$id" probe catch >"$log" 2>&1 &
	eventually holds "$log" ready
	pid=$(pgrep -fx "$SKIFF --root $root exec $id probe catch")
	kill -TERM "$pid"
	eventually holds "$log" "got 15"
	kill -USR2 "$pid"
	wait $!
}

@test "the death of exec's command leaves the container alone" {
	launch
	run -137 in_container sh -c 'kill -9 $$'
	status_is running
	for _ in {1..10}; do
		run -0 in_container true
	done
	is 1 "$(skiff ps -f json "$id" | jq length)"
}

@test "exec ends when the container does" {
	launch
	skiff exec "$id" sh -c 'echo begun; sleep 1000' >"$log" 2>&1 &
	eventually holds "$log" begun
	skiff kill "$id" KILL
	status=0
	wait $! || status=$?
	is 137 "$status"
}

@test "no process of skiff's stays in the container after exec" {
	launch
	run -0 in_container true
	run -0 in_container ps -o pid,comm
	is 3 "${#lines[@]}" # the header, sleep and ps
}
