# skiff kill and delete.
load helpers

@test "kill sends SIGTERM unless told otherwise" {
	args probe catch
	launch
	eventually holds "$log" ready
	run -0 skiff kill "$id"
	eventually holds "$log" "got 15"
}

@test "kill takes names, names with SIG, lower case, numbers and real-time signals" {
	args probe catch
	launch
	eventually holds "$log" ready
	skiff kill "$id" HUP
	eventually holds "$log" "got 1"
	skiff kill "$id" SIGINT
	eventually holds "$log" "got 2"
	skiff kill "$id" 10
	eventually holds "$log" "got 10"
	skiff kill "$id" RTMIN+5
	eventually holds "$log" "got 39"
	skiff kill "$id" SIGRTMAX
	eventually holds "$log" "got 64"
	skiff kill "$id" RTMAX-1
	eventually holds "$log" "got 63"
	skiff kill "$id" usr2
	eventually status_is stopped
}

@test "signal 0 asks whether it runs" {
	launch
	run -0 skiff kill "$id" 0
	status_is running
	skiff kill "$id" KILL
	eventually status_is stopped
	run -1 skiff kill "$id" 0
	says "container not running"
}

@test "a signal that does not exist is refused" {
	launch
	for bad in NONSENSE 65 -1 1x ''; do
		run -1 skiff kill -- "$id" "$bad"
		one_line
		says "is not a signal"
	done
	status_is running
}

@test "kill of a stopped container says that it is not running" {
	args true
	create
	skiff start "$id"
	eventually status_is stopped
	run -1 skiff kill "$id" KILL
	one_line
	says "container not running"
	run -0 skiff kill --all "$id" KILL
}

@test "kill of an unknown id says that it does not exist" {
	mkdir -p "$root"
	run -1 skiff kill nobody KILL
	one_line
	says "does not exist"
}

@test "kill --all reaches every process" {
	config 'del(.linux.namespaces[] | select(.type == "pid"))'
	args sh -c 'sleep 1000 & sleep 1000 & sleep 1000; :'
	launch
	eventually has_processes 4
	mapfile -t pids < <(skiff ps -f json "$id" | jq '.[]')
	[[ -z ${SKIFF_SANDBOX-} ]] || pids=("$(pid_of)") # theirs are the guest's
	run -0 skiff kill --all "$id" KILL
	for pid in "${pids[@]}"; do
		eventually gone "$pid"
	done
	status_is stopped
	run -0 skiff delete "$id"
}

@test "KILL without a pid namespace of its own takes all processes along" {
	config 'del(.linux.namespaces[] | select(.type == "pid"))'
	args sh -c 'sleep 1000 & sleep 1000; :'
	launch
	eventually has_processes 3
	mapfile -t pids < <(skiff ps -f json "$id" | jq '.[]')
	[[ -z ${SKIFF_SANDBOX-} ]] || pids=("$(pid_of)") # theirs are the guest's
	run -0 skiff kill "$id" KILL
	for pid in "${pids[@]}"; do
		eventually gone "$pid"
	done
}

@test "TERM goes to the first process only" {
	args sh -c 'trap "echo first" TERM; probe catch & while :; do sleep 0.1; done'
	launch
	eventually holds "$log" ready
	skiff kill "$id" TERM
	eventually holds "$log" first
	run -1 grep got "$log"
}

@test "kill --regex takes every container whose id matches" {
	for name in web1 web2 db; do
		skiff run -d -b "$bundle" "$id.$name" >"$log" 2>&1
	done
	run -0 skiff kill --regex 'web[12]$' KILL
	eventually status_is stopped "$id.web1"
	eventually status_is stopped "$id.web2"
	status_is running "$id.db"
	run -0 skiff delete --regex 'web'
	is "$id.db" "$(skiff list -q)"
	run -1 skiff kill --regex '(' KILL
	says "is not an extended regular expression"
}

@test "delete removes a stopped container with everything" {
	args true
	create
	skiff start "$id"
	eventually status_is stopped
	run -0 skiff delete "$id"
	is ""
	nothing_left
	run -1 skiff state "$id"
}

@test "delete refuses a running container, delete --force does not" {
	launch
	pid=$(pid_of)
	run -1 skiff delete "$id"
	one_line
	says "is running"
	status_is running
	run -0 skiff delete --force "$id"
	is ""
	eventually gone "$pid"
	nothing_left
}

@test "delete refuses a paused container, delete --force does not" {
	launch
	skiff pause "$id"
	run -1 skiff delete "$id"
	says "is paused"
	run -0 skiff delete --force "$id"
	nothing_left
}

@test "delete of an unknown id is an error, with --force it is fine" {
	mkdir -p "$root"
	run -1 skiff delete nobody
	one_line
	says "does not exist"
	run -0 skiff delete --force nobody
	is ""
}

@test "delete --force takes all processes, also without a pid namespace" {
	config 'del(.linux.namespaces[] | select(.type == "pid"))'
	args sh -c 'setsid sleep 1000 & sleep 1000; :'
	launch
	eventually has_processes 3
	mapfile -t pids < <(skiff ps -f json "$id" | jq '.[]')
	[[ -z ${SKIFF_SANDBOX-} ]] || pids=("$(pid_of)") # theirs are the guest's
	run -0 skiff delete --force "$id"
	for pid in "${pids[@]}"; do
		eventually gone "$pid"
	done
	nothing_left
}

@test "delete removes cgroups that the container made below its own" {
	launch
	below=$(find "$cgroups" -name "$id")
	mkdir -p "$below/a/b" "$below/c"
	run -0 skiff delete --force "$id"
	[[ ! -e $below ]]
}

@test "delete leaves other containers alone" {
	launch
	skiff run -d -b "$bundle" "$id.other" >"$log" 2>&1
	run -0 skiff delete --force "$id"
	status_is running "$id.other"
	run -0 skiff exec "$id.other" echo alive
	is alive
}

@test "a state directory that lost its files can be deleted with --force" {
	launch
	pid=$(pid_of)
	rm "$root/$id"/state.json
	run -0 skiff delete --force "$id"
	eventually gone "$pid"
	rmdir "$cgroups/skiff/$id" 2>/dev/null || true
	mkdir "$root/$id"
	run -0 skiff delete --force "$id"
	nothing_left
}

@test "two deletes at once: nothing is left and neither hangs" {
	launch
	skiff delete --force "$id" &
	skiff delete --force "$id"
	wait $!
	nothing_left
}
