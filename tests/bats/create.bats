# skiff create and start: the two halves of run, as supervisors use them.
load helpers

@test "a created container waits; start runs the program" {
	args sh -c 'echo started'
	create
	status_is created
	is "" "$(<"$log")"
	run -0 skiff start "$id"
	is ""
	eventually holds "$log" started
	eventually status_is stopped
	run -0 skiff delete "$id"
	nothing_left
}

@test "create prints nothing and lets go of its caller's output" {
	args sleep 1000
	mkfifo "$BATS_TEST_TMPDIR/pipe"
	skiff create -b "$bundle" "$id" >"$BATS_TEST_TMPDIR/out" 2>&1 7>"$BATS_TEST_TMPDIR/pipe" &
	# the pipe ends as soon as create is over: nobody else holds it (conmon waits for that)
	timeout 10 cat "$BATS_TEST_TMPDIR/pipe"
	wait $!
	status_is created
}

@test "exec -d holds nothing of its caller's but the standard descriptors" {
	launch
	mkfifo "$BATS_TEST_TMPDIR/pipe"
	skiff exec -d "$id" sleep 1000 >"$BATS_TEST_TMPDIR/out" 2>&1 7>"$BATS_TEST_TMPDIR/pipe" &
	timeout 10 cat "$BATS_TEST_TMPDIR/pipe"
	wait $!
}

@test "nobody but the program keeps the caller's standard output" {
	args sh -c 'exec >/dev/null 2>&1; sleep 1000'
	mkfifo "$BATS_TEST_TMPDIR/pipe"
	{ skiff create -b "$bundle" "$id" && skiff start "$id"; } >"$BATS_TEST_TMPDIR/pipe" 2>&1 &
	timeout 10 cat "$BATS_TEST_TMPDIR/pipe"
	wait $!
	status_is running
}

@test "the first process becomes a child of a caller that is a subreaper" {
	args sh -c 'exit 7'
	run -0 /usr/bin/python3 - "$SKIFF" "$root" "$bundle" "$id" "$BATS_TEST_TMPDIR/pid" <<-'END'
		import ctypes, os, subprocess, sys
		skiff, root, bundle, name, pid_file = sys.argv[1:]
		ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
		quiet = dict(stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, close_fds=True)
		subprocess.run([skiff, "--root", root, "create", "-b", bundle, "--pid-file", pid_file, name], check=True, **quiet)
		pid = int(open(pid_file).read())
		subprocess.run([skiff, "--root", root, "start", name], check=True, **quiet)
		print("status", os.WEXITSTATUS(os.waitpid(pid, 0)[1]))
	END
	is "status 7"
}

@test "the pid file is there when create returns, and names the host's process id" {
	create --pid-file "$BATS_TEST_TMPDIR/pid"
	is "$(pid_of)" "$(<"$BATS_TEST_TMPDIR/pid")"
	[[ -d /proc/$(pid_of) ]]
	[[ $(find "$BATS_TEST_TMPDIR" -maxdepth 1 -name '*pid*' | wc -l) == 1 ]]
}

@test "a pid file that cannot be written takes the container back" {
	run -1 skiff create -b "$bundle" --pid-file /no/such/folder/pid "$id"
	one_line
	says "--pid-file"
	nothing_left
}

@test "start works once" {
	create
	run -0 skiff start "$id"
	run -1 skiff start "$id"
	one_line
	says "cannot start a container that is running"
	skiff kill "$id" KILL
	eventually status_is stopped
	run -1 skiff start "$id"
	says "cannot start a container that has stopped"
}

@test "start of an id that does not exist says so" {
	mkdir -p "$root"
	run -1 skiff start nobody
	one_line
	says "does not exist"
}

@test "a created container stays created after its creator's death, and can be killed and deleted" {
	create
	sleep 0.1
	status_is created
	run -0 skiff kill "$id" KILL
	eventually status_is stopped
	run -0 skiff delete "$id"
	nothing_left
}

@test "a created container can be deleted without a start" {
	create
	run -0 skiff delete "$id"
	nothing_left
}

@test "what is missing at create is an error at create and leaves nothing" {
	args nonsense
	run -127 skiff create -b "$bundle" "$id"
	one_line
	says 'executable file not found in $PATH'
	nothing_left
}

@test "a program that vanished before start is an error of start" {
	cp "$bundle/rootfs/bin/busybox" "$bundle/rootfs/bin/program"
	args program
	create
	rm "$bundle/rootfs/bin/program"
	run -127 skiff start "$id"
	one_line
	says 'executable file not found in $PATH'
	eventually status_is stopped
	skiff delete "$id"
	nothing_left
}

@test "a program that came before start is run" {
	args late
	run -127 skiff create -b "$bundle" "$id"
	printf '#!/bin/sh\necho late\n' >"$bundle/rootfs/bin/late"
	chmod 755 "$bundle/rootfs/bin/late"
	create
	skiff start "$id"
	eventually holds "$log" late
}

@test "start of a program that ends at once succeeds" {
	args true
	for _ in $(often 10); do
		create
		run -0 skiff start "$id"
		eventually status_is stopped
		skiff delete "$id"
	done
}

@test "two starts at the same time: one wins" {
	create
	skiff start "$id" 2>/dev/null &
	first=$!
	second=0
	skiff start "$id" 2>/dev/null || second=$?
	status=0
	wait $first || status=$?
	is 1 "$((status + second))"
	status_is running
}

@test "two creates of the same id: one wins, and its container is whole" {
	skiff create -b "$bundle" "$id" >"$log" 2>&1 &
	first=$!
	second=0
	skiff create -b "$bundle" "$id" >"$log.2" 2>&1 || second=$?
	status=0
	wait $first || status=$?
	is 1 "$((status + second))"
	status_is created
	run -0 skiff start "$id"
}

@test "config.json may change after create: the container keeps the one it was made from" {
	args sh -c 'echo first'
	create
	args sh -c 'echo second'
	skiff start "$id"
	eventually holds "$log" first
	is "$(jq -c .process.args "$root/$id/config.json")" '["sh","-c","echo first"]'
}

@test "a bundle that is missing, empty or not a folder is one line" {
	for bad in /no/such /etc /etc/passwd; do
		run -1 skiff create -b "$bad" "$id"
		one_line
		says "$bad"
	done
	nothing_left
}

@test "a root file system that is missing is named" {
	rm -r "$bundle/rootfs"
	run -1 skiff create -b "$bundle" "$id"
	one_line
	says "$bundle/rootfs"
	nothing_left
}

@test "create without process waits; start says what is missing" {
	config 'del(.process)'
	create
	status_is created
	run -1 skiff start "$id"
	one_line
	says ".process is required"
}
