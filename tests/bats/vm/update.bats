# skiff update: each limit changed while the container runs; and events, which tell what the limits did.
load ../helpers

file() { # NAME
	cat "$cgroups/skiff/$id/$1"
}
update() { # OPTION...
	run -0 skiff update "$@" "$id"
	is ""
}

@test "every option of update shows in the cgroup of a running container" {
	config '.linux.resources += {"memory": {"limit": 100000000}, "cpu": {"quota": 50000, "period": 100000}, "pids": {"limit": 50}}'
	launch
	update --pids-limit 20
	is 20 "$(file pids.max)"
	update --pids-limit -1
	is max "$(file pids.max)"
	update --memory 64m
	is 67108864 "$(file memory.max)"
	update --memory 64m --memory-swap 128m
	is 67108864 "$(file memory.swap.max)"
	update --memory-reservation 16m
	is 16777216 "$(file memory.low)"
	update --cpu-quota 20000
	is "20000 100000" "$(file cpu.max)"
	update --cpu-period 50000
	is "20000 50000" "$(file cpu.max)"
	update --cpu-quota -1
	is "max 50000" "$(file cpu.max)"
	update --cpu-share 2048
	(($(file cpu.weight) > 100))
	update --cpu-quota 20000 --cpu-burst 5000
	is 5000 "$(file cpu.max.burst)"
	update --cpu-idle 1
	is 1 "$(file cpu.idle)"
	update --cpu-idle 0
	is 0 "$(file cpu.idle)"
	update --cpuset-cpus 1
	is 1 "$(file cpuset.cpus.effective)"
	update --cpuset-mems 0
	is 0 "$(file cpuset.mems.effective)"
	update --memory -1
	is max "$(file memory.max)"
}

@test "a container that was made without limits can get each later" {
	launch
	update --pids-limit 20
	is 20 "$(file pids.max)"
	update --memory 64m
	is 67108864 "$(file memory.max)"
	update --cpu-quota 20000
	is "20000 100000" "$(file cpu.max)"
	update --cpuset-cpus 0
	is 0 "$(file cpuset.cpus.effective)"
}

@test "update limits for real: one process more is refused at once" {
	config '.linux.resources.pids = {"limit": 50}'
	launch
	in_container true
	update --pids-limit 1
	run -255 in_container true
	one_line
	update --pids-limit 50
	run -0 in_container true
}

@test "update by JSON, from a file and from standard input" {
	config '.linux.resources += {"memory": {"limit": 100000000}, "pids": {"limit": 50}}'
	launch
	echo '{"pids": {"limit": 7}, "memory": {"limit": 50331648}, "unified": {"memory.high": "41943040"}}' >"$BATS_TEST_TMPDIR/r.json"
	update -r "$BATS_TEST_TMPDIR/r.json"
	is "7 50331648 41943040" "$(file pids.max) $(file memory.max) $(file memory.high)"
	run -0 skiff update --resources - "$id" <<<'{"pids": {"limit": 8}}'
	is "8 50331648" "$(file pids.max) $(file memory.max)"
}

@test "an update that fails leaves every old value" {
	config '.linux.resources += {"memory": {"limit": 100003840}, "pids": {"limit": 50}, "cpu": {"quota": 50000}}'
	launch
	run -1 skiff update -r - "$id" <<<'{"memory": {"limit": 50331648}, "cpu": {"quota": 20000}, "pids": {"limit": 7}, "unified": {"pids.max": "nonsense"}}'
	one_line
	says "pids.max"
	is "100003840 50 50000 100000" "$(file memory.max) $(file pids.max) $(file cpu.max)"
}

@test "version 1's options are told, not swallowed" {
	launch
	run skiff --log-level warning update --kernel-memory 10000000 "$id"
	says "kernel"
	run -1 skiff update --cpu-rt-runtime 1000 "$id"
	one_line
}

@test "events tells of a process that the kernel killed for memory" {
	config '.linux.resources.memory = {"limit": 33554432, "swap": 33554432}'
	launch
	skiff events --interval 100s "$id" >"$BATS_TEST_TMPDIR/events" 3>&- &
	job=$!
	sleep 0.3
	run -137 in_container probe memory 200000000
	eventually holds "$BATS_TEST_TMPDIR/events" '"oom"'
	jq -se --arg id "$id" 'any(.type == "oom" and .id == $id)' "$BATS_TEST_TMPDIR/events"
	run -0 skiff events --stats "$id"
	skiff kill "$id" KILL
	wait $job
}

@test "statistics: memory, processor, processes, disks and pressure, in the usual schema" {
	config '.linux.resources += {"memory": {"limit": 100003840}, "pids": {"limit": 50}, "cpu": {"shares": 512}, "hugepageLimits": [{"pageSize": "2MB", "limit": 4194304}]}'
	args sh -c 'sleep 1000 | probe memory 20000000'
	launch
	eventually holds "$log" used
	run -0 skiff events --stats "$id"
	jq -e '.data | (.memory.usage | .usage > 20000000 and .limit == 100003840) and .pids.current >= 3 and .pids.limit == 50
		and .cpu.usage.total > 0 and (.cpu.throttling | type) == "object" and (.memory.raw | type) == "object"
		and (.hugetlb["2MB"] | type) == "object" and (.blkio | type) == "object"' <<<"$output" || { jq . <<<"$output"; false; }
	jq -e '.data.cpu.psi.some.avg10 != null or .data.cpu.psi == null' <<<"$output"
}

@test "a container that dies of its memory limit at once is told as what it is" {
	config '.linux.resources.memory = {"limit": 8388608, "swap": 8388608}'
	args probe memory 100000000
	run -137 skiff run -b "$bundle" "$id"
}
