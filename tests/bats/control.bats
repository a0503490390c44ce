# skiff pause, resume, update and events on any host. The limits themselves are tested in vm/, where there are controllers.
load helpers

counter_stands() { # nothing is added to $log for a while
	local before
	before=$(wc -c <"$log")
	sleep 0.3
	[[ $(wc -c <"$log") == "$before" ]]
}

@test "pause stops every process and resume lets them go on" {
	args sh -c 'while :; do echo x; usleep 10000; done & while :; do echo y; usleep 10000; done'
	launch
	eventually holds "$log" x
	eventually holds "$log" y
	run -0 skiff pause "$id"
	is ""
	status_is paused
	counter_stands
	before=$(wc -c <"$log")
	run -0 skiff resume "$id"
	is ""
	status_is running
	eventually test "$(wc -c <"$log")" -ge "$before"
	run counter_stands
	is 1 "$status"
}

@test "pause stops what exec started, too" {
	launch
	skiff exec "$id" sh -c 'while :; do echo x; usleep 10000; done' >"$log" 2>&1 3>&- &
	eventually holds "$log" x
	skiff pause "$id"
	counter_stands
	skiff resume "$id"
}

@test "what is not running cannot be paused, what is not paused cannot be resumed" {
	mkdir -p "$root"
	for command in pause resume; do
		run -1 skiff $command nobody
		one_line
		says "does not exist"
	done
	launch
	run -1 skiff resume "$id"
	one_line
	says "not paused"
	skiff pause "$id"
	run -1 skiff pause "$id"
	one_line
	skiff resume "$id"
	skiff kill "$id" KILL
	eventually status_is stopped
	run -1 skiff pause "$id"
	one_line
	says "not running"
}

@test "KILL ends a paused container" {
	launch
	pid=$(pid_of)
	skiff pause "$id"
	run -0 skiff kill "$id" KILL
	eventually gone "$pid"
}

@test "update takes numbers only and names the option" {
	launch
	for bad in x 1x '' 99999999999999999999; do
		run -1 skiff update --pids-limit "$bad" "$id"
		one_line
		says "--pids-limit"
	done
	run -1 skiff update --cpu-share -1 "$id"
	says "--cpu-share"
	run -1 skiff update --memory 5q "$id"
	says "--memory"
}

@test "update of nothing changes nothing" {
	launch
	run -0 skiff update "$id"
	run -0 skiff update -r - "$id" <<<'{}'
	status_is running
}

@test "update reads resources as JSON and names the path of what is wrong" {
	launch
	run -1 skiff update -r - "$id" <<<'{"pids": {"limit": "x"}}'
	one_line
	says ".pids.limit: want a whole number"
	run -1 skiff update -r - "$id" <<<'{"pids": '
	one_line
	run -1 skiff update -r /no/such "$id"
	one_line
	says "/no/such"
}

@test "update of what has stopped or does not exist is an error" {
	mkdir -p "$root"
	run -1 skiff update --pids-limit 5 nobody
	says "does not exist"
	args true
	create
	skiff start "$id"
	eventually status_is stopped
	run -1 skiff update --pids-limit 5 "$id"
	one_line
	says "not running"
}

@test "update replaces the device rules at once" {
	config '.linux.resources.devices = [{"allow": false, "access": "rwm"}]
		| .process.capabilities.bounding += ["CAP_MKNOD"] | .process.capabilities.permitted += ["CAP_MKNOD"]
		| .process.capabilities.effective += ["CAP_MKNOD"]'
	launch
	in_container mknod /tmp/fuse c 10 229
	run -1 in_container sh -c ': </tmp/fuse'
	says "Operation not permitted"
	run -0 skiff update -r - "$id" <<<'{"devices": [{"allow": false, "access": "rwm"},
		{"allow": true, "type": "c", "major": 10, "minor": 229, "access": "r"}]}'
	run -0 in_container sh -c ': </tmp/fuse'
	run -1 in_container sh -c ': >/tmp/fuse'
}

@test "a limit whose controller is not there is an error that names it" {
	controllers=$(<"$cgroups/cgroup.controllers")
	[[ " $controllers " != *" memory "* ]] || skip "this host has the memory controller: tested in vm/"
	config '.linux.resources.memory = {"limit": 100000000}'
	run -1 skiff run -b "$bundle" "$id"
	one_line
	says "memory"
	says "controller"
	nothing_left
	config 'del(.linux.resources.memory)'
	launch
	run -1 skiff update --memory 100m "$id"
	one_line
	says "memory"
	status_is running
}

@test "events --stats prints one object" {
	launch
	run -0 skiff events --stats "$id"
	one_line
	jq -e --arg id "$id" '.type == "stats" and .id == $id and (.data | has("cpu")) and (.data | has("pids"))
		and (.data.cpu.usage.total | type) == "number"' <<<"$output"
}

@test "events tells statistics at an interval until the container ends" {
	launch
	skiff events --interval 50ms "$id" >"$BATS_TEST_TMPDIR/events" 3>&- &
	job=$!
	eventually test -s "$BATS_TEST_TMPDIR/events"
	sleep 0.2
	skiff kill "$id" KILL
	wait $job
	run -0 jq -se --arg id "$id" 'length >= 2 and all(.type == "stats" and .id == $id)' "$BATS_TEST_TMPDIR/events"
}

@test "events of what does not run is an error" {
	mkdir -p "$root"
	run -1 skiff events --stats nobody
	says "does not exist"
	args true
	create
	skiff start "$id"
	eventually status_is stopped
	run -1 skiff events --stats "$id"
	one_line
	says "not running"
	run -1 skiff events "$id"
	one_line
}

@test "events refuses an interval that is none" {
	launch
	for bad in 0 x 5x -1s ''; do
		run -1 skiff events --interval "$bad" "$id"
		one_line
		says "--interval"
	done
}
