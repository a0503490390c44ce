# What is left when something fails or is killed: nothing, or what `delete --force` takes away.
load helpers

every_hook='{"createRuntime": [{"path": "/bin/true"}], "createContainer": [{"path": "/bin/true"}],
	"startContainer": [{"path": "/bin/true"}], "poststart": [{"path": "/bin/true"}], "poststop": [{"path": "/bin/true"}]}'

# Rows of the story that apply, as explain prints them.
rows() {
	"$SKIFF" explain "$bundle/" | sed -n 's/^+ [a-z]*  *//p'
}

mounts_of_host() {
	sort /proc/self/mountinfo | md5sum
}

@test "whichever row fails, run says which one and leaves nothing" {
	local steps=$top/build/steps/skiff row before
	[[ -x $steps ]] || skip "build/steps/skiff is not built: make build/steps/skiff"
	before=$(mounts_of_host)
	config --argjson hooks "$every_hook" '.hooks = $hooks | .hostname = "there" | .process.oomScoreAdj = 10'
	config '.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW"}'
	rows >"$BATS_TEST_TMPDIR/rows"
	[[ $(wc -l <"$BATS_TEST_TMPDIR/rows") -gt 25 ]]
	while read -r row; do
		case $row in "wait for start" | "find the program again") continue ;; esac
		run -1 env FAIL_STEP="$row" timeout -k 2 20 "$steps" --root "$root" run -b "$bundle" "$id"
		says "$row: failed on purpose"
		one_line
		is "" "$(left_behind)"
	done <"$BATS_TEST_TMPDIR/rows"
	is "$before" "$(mounts_of_host)"
}

@test "whichever row fails, create or start says which one, and delete --force leaves nothing" {
	local steps=$top/build/steps/skiff row
	[[ -x $steps ]] || skip "build/steps/skiff is not built: make build/steps/skiff"
	config --argjson hooks "$every_hook" '.hooks = $hooks'
	rows >"$BATS_TEST_TMPDIR/rows"
	while read -r row; do
		if FAIL_STEP="$row" timeout -k 2 20 "$steps" --root "$root" create -b "$bundle" "$id" >"$log" 2>&1 3>&- 4>&-; then
			run ! env FAIL_STEP="$row" timeout -k 2 20 "$steps" --root "$root" start "$id"
			says "failed on purpose" "$output$(<"$log")"
		else
			holds "$log" "failed on purpose"
		fi
		skiff delete --force "$id"
		is "" "$(left_behind)"
	done <"$BATS_TEST_TMPDIR/rows"
}

@test "whichever row of exec fails, the container goes on" {
	local steps=$top/build/steps/skiff row
	[[ -x $steps ]] || skip "build/steps/skiff is not built: make build/steps/skiff"
	launch
	for row in "seal a copy of the second stage" "start a helper that joins the container" "leave the host's executable" \
		"join the container" "start the process inside it" "begin a session and a keyring" "set limits and priorities" \
		"enter the working directory" "become the user" "find the program" "drop capabilities" "become the program"; do
		run -255 env FAIL_STEP="$row" timeout -k 2 20 "$steps" --root "$root" exec "$id" true
		says "$row: failed on purpose"
		has_processes 1
	done
	status_is running
}

@test "kill -9 of create and run at any moment: delete --force leaves nothing" {
	local i verb
	for i in $(seq 60); do
		verb=create
		((i % 2)) || verb="run -d"
		# shellcheck disable=SC2086 # verb and option
		"$SKIFF" --root "$root" $verb -b "$bundle" "$id" </dev/null >"$log" 2>&1 3>&- 4>&- &
		sleep "0.00$((i % 10))"
		kill -KILL $! 2>/dev/null || true
		wait $! 2>/dev/null || true
		run -0 skiff delete --force "$id"
		is "" "$(left_behind)"
	done
}

@test "kill -9 of start: the container is created, running or gone, and delete --force leaves nothing" {
	local i
	for i in $(seq 20); do
		create
		"$SKIFF" --root "$root" start "$id" </dev/null >"$log" 2>&1 3>&- 4>&- &
		sleep "0.000$((i % 10))"
		kill -KILL $! 2>/dev/null || true
		wait $! 2>/dev/null || true
		[[ $(state_of status) =~ created|running|stopped ]]
		skiff delete --force "$id"
		is "" "$(left_behind)"
	done
}

@test "a start that was killed before it did anything can be repeated" {
	create
	# a caller that connects and goes away again
	python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.connect(sys.argv[1])' "$root/$id/start.sock"
	status_is created
	skiff start "$id"
	status_is running
}

@test "kill -9 of delete: the next delete ends it" {
	local i
	for i in $(seq 20); do
		launch
		"$SKIFF" --root "$root" delete --force "$id" </dev/null >"$log" 2>&1 3>&- 4>&- &
		sleep "0.00$((i % 6))"
		kill -KILL $! 2>/dev/null || true
		wait $! 2>/dev/null || true
		run -0 skiff delete --force "$id"
		is "" "$(left_behind)"
	done
}

@test "a hook that kills the runtime: delete --force leaves nothing" {
	printf '#!/bin/sh\nkill -9 $PPID\n' >"$BATS_TEST_TMPDIR/hook" && chmod 755 "$BATS_TEST_TMPDIR/hook"
	config --arg hook "$BATS_TEST_TMPDIR/hook" '.hooks.createRuntime = [{"path": $hook}]'
	run ! skiff create -b "$bundle" "$id"
	run -0 skiff delete --force "$id"
	is "" "$(left_behind)"
}

@test "the host's memory and files: a full or read-only folder of states is an error that names it" {
	mkdir -p "$BATS_TEST_TMPDIR/small"
	mount -t tmpfs -o size=4k,nr_inodes=2 tmpfs "$BATS_TEST_TMPDIR/small"
	run -1 timeout 10 "$SKIFF" --root "$BATS_TEST_TMPDIR/small" run -b "$bundle" "$id"
	one_line
	umount "$BATS_TEST_TMPDIR/small"
	says "reserve the id"
}
