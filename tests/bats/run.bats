# skiff run: what a user of a shell sees of a container in the foreground and in the background.
load helpers

@test "run prints what the program prints and returns its status" {
	inside 'echo hello; echo trouble >&2'
	is $'hello\ntrouble'
	try_inside 'exit 42'
	is 42 "$status"
	nothing_left
}

@test "run keeps standard output and standard error apart" {
	args sh -c 'echo out; echo err >&2'
	run --separate-stderr skiff run -b "$bundle" "$id"
	is out
	# shellcheck disable=SC2154
	is err "$stderr"
}

@test "run gives its standard input to the program" {
	args cat
	run -0 skiff run -b "$bundle" "$id" <<<"from outside"
	is "from outside"
}

@test "the end of the input ends a program that reads it" {
	args sh -c 'cat >/dev/null; echo ended'
	printf x | skiff run -b "$bundle" "$id" >"$log"
	is ended "$(<"$log")"
}

@test "a program that dies of a signal gives 128 and the signal's number" {
	config 'del(.linux.namespaces[] | select(.type == "pid"))'
	args sh -c 'kill -KILL $$'
	run skiff run -b "$bundle" "$id"
	is 137 "$status"
	args sh -c 'kill -SEGV $$'
	run skiff run -b "$bundle" "$id"
	is 139 "$status"
}

@test "run BUNDLE/ makes up an id" {
	args sh -c 'sleep 1000'
	skiff run -d "$bundle/" >"$log" 2>&1
	run -0 skiff list -q
	one_line
	is "$(<"$log")"
	[[ $output =~ ^[0-9a-f]{12}$ ]]
	run -0 skiff delete -f "$output"
}

@test "run --name gives the id to a bundle's container" {
	args true
	run -0 skiff run --name "$id" "$bundle/"
	skiff run -d --name "$id" "$bundle/" >"$log" 2>&1
	run -0 skiff list -q
	is "$id"
}

@test "run . takes the current folder" {
	args echo here
	cd "$bundle"
	run -0 skiff run .
	is here
}

@test "run ID takes the current folder's bundle" {
	args echo here
	cd "$bundle"
	run -0 skiff run "$id"
	is here
}

@test "relative bundles and roots are found" {
	config '.root.path = "../other/rootfs"'
	mkdir "$BATS_TEST_TMPDIR/other"
	mv "$bundle/rootfs" "$BATS_TEST_TMPDIR/other"
	args echo found
	cd "$BATS_TEST_TMPDIR"
	run -0 skiff run -b bundle "$id"
	is found
	config --arg p "$BATS_TEST_TMPDIR/other/rootfs" '.root.path = $p'
	run -0 skiff run -b bundle "$id"
	is found
}

@test "a root that is reached by a link works" {
	mv "$bundle/rootfs" "$bundle/real"
	ln -s real "$bundle/rootfs"
	inside 'echo linked'
	is linked
}

@test "--config takes another file for the bundle's" {
	args echo other
	mv "$bundle/config.json" "$BATS_TEST_TMPDIR/other.json"
	run -0 skiff run -b "$bundle" -f "$BATS_TEST_TMPDIR/other.json" "$id"
	is other
}

@test "run -d comes back while the program runs, and says nothing" {
	launch
	is "" "$(<"$log")"
	status_is running
}

@test "--pid-file holds the process id and nothing else" {
	cd "$BATS_TEST_TMPDIR"
	launch --pid-file pid
	is "$(pid_of)" "$(cat pid; echo -n)"
	is "$(printf %s "$(pid_of)" | wc -c)" "$(wc -c <pid)"
	is sleep "$(tr '\0' '\n' <"/proc/$(<pid)/cmdline" | head -1)"
}

@test "after run nothing is left; with --keep the stopped container is" {
	args true
	run -0 skiff run -b "$bundle" "$id"
	nothing_left
	run -0 skiff run --keep -b "$bundle" "$id"
	status_is stopped
	run -0 skiff delete "$id"
	nothing_left
}

@test "zombies of the container's processes are reaped" {
	# a shared pid namespace: the orphans come to skiff
	config 'del(.linux.namespaces[] | select(.type == "pid"))'
	args sh -c 'probe orphans 5; sleep 1; echo done'
	skiff run -b "$bundle" "$id" >"$log" 2>&1 &
	job=$!
	eventually pgrep -f "run -b $bundle"
	wait $job
	is "done" "$(<"$log")"
	run pgrep -P "$job" -r Z
	is ""
}

@test "a container whose first process ends takes its others along" {
	args sh -c 'sleep 1000 & sleep 1000 & echo bye'
	run -0 skiff run -b "$bundle" "$id"
	is bye
	nothing_left
}

@test "run comes back at the first process's end though others hold its output" {
	config 'del(.linux.namespaces[] | select(.type == "pid"))'
	args sh -c 'setsid sleep 1000 & echo bye'
	skiff run -b "$bundle" "$id" >"$log" 2>&1
	is bye "$(<"$log")"
	nothing_left
}

@test "signals to run go to the program, which decides what to do" {
	args probe catch
	skiff run -b "$bundle" "$id" >"$log" 2>&1 &
	eventually holds "$log" ready
	pid=$(pgrep -fx "$SKIFF --root $root run -b $bundle $id")
	for signal in HUP INT QUIT TERM USR1 WINCH CONT; do
		kill -$signal "$pid"
		eventually holds "$log" "got $(kill -l $signal)"
	done
	kill -RTMIN+3 "$pid"
	eventually holds "$log" "got 37"
	kill -USR2 "$pid"
	wait $!
}

@test "a program that ignores SIGTERM survives it and dies of SIGKILL" {
	args probe stubborn
	skiff run -b "$bundle" "$id" >"$log" 2>&1 &
	job=$!
	eventually holds "$log" ready
	pid=$(pgrep -fx "$SKIFF --root $root run -b $bundle $id")
	kill -TERM "$pid"
	run -0 skiff kill "$id" TERM
	status_is running
	run -0 skiff kill "$id" KILL
	status=0
	wait $job || status=$?
	is 137 "$status"
	nothing_left
}

@test "a program that dies at once is no reason to hang" {
	args true
	for _ in $(often 20); do
		run -0 skiff run -b "$bundle" "$id"
		is ""
	done
	args false
	for _ in $(often 10); do
		run -1 skiff run -b "$bundle" "$id"
		is ""
	done
}

@test "SIGKILL to run kills the runtime only; delete --force takes the rest" {
	args sleep 1000
	skiff run -b "$bundle" "$id" >"$log" 2>&1 &
	eventually status_is running
	inner=$(pid_of)
	kill -KILL "$(pgrep -fx "$SKIFF --root $root run -b $bundle $id")"
	run -0 skiff delete --force "$id"
	eventually gone "$inner"
	nothing_left
}

@test "a command that is not there is 127, one that cannot be executed 126" {
	args nonsense
	run -127 skiff run -b "$bundle" "$id"
	one_line
	says 'nonsense: executable file not found in $PATH'
	args /no/such
	run -127 skiff run -b "$bundle" "$id"
	says 'open executable: /no/such: No such file or directory'
	args /etc/passwd
	run -126 skiff run -b "$bundle" "$id"
	one_line
	says 'open executable: /etc/passwd: Permission denied'
	args /etc
	run -126 skiff run -b "$bundle" "$id"
	says 'Permission denied'
	printf garbage >"$bundle/rootfs/bin/bad"
	chmod 755 "$bundle/rootfs/bin/bad"
	args bad
	run -126 skiff run -b "$bundle" "$id"
	one_line
	says 'bad: Exec format error'
	nothing_left
}

@test "a script whose interpreter is missing is 127 and says so" {
	printf '#!/no/such/interpreter\n' >"$bundle/rootfs/bin/script"
	chmod 755 "$bundle/rootfs/bin/script"
	args script
	run -127 skiff run -b "$bundle" "$id"
	one_line
	says 'No such file or directory'
}

@test "--preserve-fds keeps that many descriptors and no more" {
	args probe fds
	exec 5</etc/hostname 6</etc/passwd 7</etc/group
	exec 8<&5 9<&6
	# 3 and 4 are the test runner's own
	timeout 20 "$SKIFF" --root "$root" run --preserve-fds 2 -b "$bundle" "$id" 3<&8 4<&9 >"$log" 2>&1
	exec 5<&- 6<&- 7<&- 8<&- 9<&-
	is "0 1 2 3 4" "$(cut -d' ' -f1 "$log" | paste -sd' ')"
	says "/etc/hostname" "$(grep ^3 "$log")"
	says "/etc/passwd" "$(grep ^4 "$log")"
}

@test "no descriptor but 0, 1 and 2 reaches the program" {
	args probe fds
	exec 7</etc/passwd
	run -0 skiff run -b "$bundle" "$id" 8</etc
	exec 7<&-
	is "0 1 2" "$(cut -d' ' -f1 <<<"$output" | paste -sd' ')"
}

@test "--preserve-fds beyond what is open is an error" {
	run -1 skiff run --preserve-fds 3 -b "$bundle" "$id"
	one_line
	says "which is to be kept, is not open"
	nothing_left
}

@test "closed standard descriptors do no harm" {
	args sh -c 'echo x >&2; true'
	timeout 20 "$SKIFF" --root "$root" run -b "$bundle" "$id" <&- >&- 2>&- 3>&-
	nothing_left
}

@test "LISTEN_FDS are handed down, with LISTEN_PID for the program" {
	args sh -c 'echo $LISTEN_FDS $LISTEN_PID; probe fds | cut -d" " -f1 | paste -sd" "'
	LISTEN_FDS=1 timeout 20 "$SKIFF" --root "$root" run -b "$bundle" "$id" 3</etc/hostname >"$log" 2>&1
	is $'1 1\n0 1 2 3' "$(<"$log")"
	LISTEN_FDS=1 timeout 20 "$SKIFF" --root "$root" run --preserve-fds 1 -b "$bundle" "$id" \
		3</etc/hostname 4</etc/passwd >"$log" 2>&1
	is "0 1 2 3 4" "$(tail -1 "$log")"
}

@test "--pidfd-socket receives a descriptor of the first process" {
	"$tools/receive" "$BATS_TEST_TMPDIR/pidfd" pidfd >"$BATS_TEST_TMPDIR/got" 3>&- &
	eventually test -S "$BATS_TEST_TMPDIR/pidfd"
	launch --pidfd-socket "$BATS_TEST_TMPDIR/pidfd"
	wait $!
	is "$(pid_of)" "$(<"$BATS_TEST_TMPDIR/got")"
}

@test "--no-new-keyring keeps the caller's session keyring" {
	config '.linux.maskedPaths = []'
	inside "grep -c 'keyring *_ses.$id:' /proc/keys"
	is 1
	args sh -c "grep 'keyring *_ses.$id.b:' /proc/keys || echo none"
	run -0 skiff run --no-new-keyring -b "$bundle" "$id.b"
	is none
}

@test "--no-pivot runs the program in its root all the same" {
	args sh -c 'ls /; cat /proc/1/comm'
	run -0 skiff run --no-pivot -b "$bundle" "$id"
	says rootfs "rootfs $output"
	says bin
	[[ $output != *home* ]]
}

@test "--no-subreaper is accepted" {
	args true
	run -0 skiff run --no-subreaper -b "$bundle" "$id"
}

@test "an id may not be used twice" {
	launch
	run -1 skiff run -b "$bundle" "$id"
	one_line
	says "container with id '$id' already exists"
	status_is running
}

@test "ids with slashes, dots in front or nothing in them are refused" {
	for bad in .hidden 'a b' 'ü' ''; do
		run -1 skiff create -b "$bundle" "$bad"
		one_line
	done
	run -1 skiff create -b "$bundle" a/b
	for good in _a +a -- -a.b; do
		[[ $good != -- ]] || continue
		run -0 skiff run -b "$bundle" -f <(jq '.process.args = ["true"]' "$bundle/config.json") -- "$good"
	done
}
