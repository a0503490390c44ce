# skiff state and list: what containers look like from outside.
load helpers

@test "state tells what the specification asks for" {
	config '.annotations = {"org.example.a": "1", "with/slash": "x/y"}'
	launch
	run -0 skiff state "$id"
	jq -e --arg id "$id" --arg bundle "$bundle" '
		.ociVersion == "1.3.0" and .id == $id and .status == "running" and (.pid | type) == "number" and
		.bundle == $bundle and .rootfs == $bundle + "/rootfs" and .owner == "root" and
		(.created | test("^20[0-9-]+T[0-9:]+\\.[0-9]+Z$")) and
		.annotations == {"org.example.a": "1", "with/slash": "x/y"}' <<<"$output"
	[[ $output == *x/y* ]]
}

@test "the status goes from created over running to stopped, where the pid is 0" {
	create
	status_is created
	skiff start "$id"
	status_is running
	skiff kill "$id" KILL
	eventually status_is stopped
	is 0 "$(pid_of)"
}

@test "a paused container says so" {
	launch
	skiff pause "$id"
	status_is paused
	skiff resume "$id"
	status_is running
}

@test "state of an unknown id fails and says that it does not exist" {
	mkdir -p "$root"
	run -1 skiff state nobody
	one_line
	says "container 'nobody' does not exist"
}

@test "a process of another life is not taken for the container's" {
	launch
	skiff kill "$id" KILL
	eventually status_is stopped
	# the same process id, but begun at another time
	echo "$$ 1" >"$root/$id/init"
	status_is stopped
	run -1 skiff kill "$id" KILL
	says "container not running"
	kill -0 $$
	run -0 skiff delete --force "$id"
	kill -0 $$
}

@test "list shows a table with a header" {
	launch
	run -0 skiff list
	[[ ${lines[0]} =~ ^ID\ +PID\ +STATUS\ +BUNDLE\ +CREATED\ +OWNER$ ]]
	[[ ${lines[1]} == "$id "*" running "*"$bundle "*" root" ]]
	is 2 "${#lines[@]}"
}

@test "list --format json is an array of states" {
	config '.annotations = {"a": "b"}'
	create
	run -0 skiff list --format json
	jq -e --arg id "$id" --arg bundle "$bundle" 'length == 1 and (.[0] | .id == $id and .status == "created" and
		.bundle == $bundle and .owner == "root" and .pid > 0 and .annotations == {"a": "b"} and
		.ociVersion == "1.3.0" and .rootfs == $bundle + "/rootfs" and (.created | length) > 19)' <<<"$output"
	skiff kill "$id" KILL
	eventually status_is stopped
	is 0 "$(skiff list -f json | jq '.[0].pid')"
}

@test "list --quiet prints ids only, in order" {
	mkdir -p "$root"
	run -0 skiff list -q
	is ""
	for name in b a c; do
		skiff create -b "$bundle" "$id.$name" >"$log" 2>&1
	done
	run -0 skiff list --quiet
	is "$id.a $id.b $id.c" "$(paste -sd' ' <<<"$output")"
}

@test "an empty list is an empty array" {
	mkdir -p "$root"
	run -0 skiff list -f json
	is "[]" "$(jq -c . <<<"$output")"
	run -0 skiff list
	is 1 "${#lines[@]}"
}

@test "list --format of another kind is refused" {
	run -1 skiff list --format xml
	one_line
	says xml
}

@test "a folder of states that is not there: fine for list" {
	run -0 skiff list -q
	is ""
}

@test "state directories are not for others" {
	create
	is 711 "$(stat -c %a "$root")"
	is 700 "$(stat -c %a "$root/$id")"
	for file in "$root/$id"/*; do
		[[ -S $file ]] || is 600 "$(stat -c %a "$file")" || { echo "$file"; false; }
	done
}

@test "ps lists the container's processes and no others" {
	args sh -c 'sleep 1000 & sleep 1000; :'
	launch
	eventually has_processes 3
	run -0 skiff ps "$id"
	[[ ${lines[0]} == *PID*CMD* ]]
	is 4 "${#lines[@]}"
	is 2 "$(grep -c 'sleep 1000$' <<<"$(tail -n +2 <<<"$output" | grep -v 'sh -c')")"
	run -0 skiff ps -f json "$id"
	jq -e --argjson pid "$(pid_of)" 'type == "array" and length == 3 and index($pid) != null' <<<"$output"
}

@test "ps hands its other words to ps(1)" {
	launch
	run -0 skiff ps "$id" -o pid,comm
	is 2 "${#lines[@]}"
	[[ ${lines[1]} == *"$(pid_of) sleep" ]]
}

@test "ps sees processes in cgroups below" {
	launch
	skiff exec -d "$id" sleep 1001 >"$log" 2>&1
	eventually pgrep -x -f 'sleep 1001'
	below=$(find "$cgroups" -name "$id")
	mkdir "$below/sub"
	pgrep -x -f 'sleep 1001' >"$below/sub/cgroup.procs"
	is 2 "$(skiff ps -f json "$id" | jq length)"
}

@test "ps of a stopped container is empty" {
	args true
	create
	skiff start "$id"
	eventually status_is stopped
	run -0 skiff ps -f json "$id"
	is "[]"
}
