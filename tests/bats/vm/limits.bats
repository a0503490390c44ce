# Limits: each one of linux.resources in force, as the processes under it see it. F52 to F72 are the numbers of the features.
load ../helpers

file() { # NAME: of the container's cgroup
	cat "$cgroups/skiff/$id/$1"
}
resources() { # JQ-OBJECT
	config ".linux.resources += $1"
}
event() { # FILE KEY
	file "$1" | awk -v key="$2" '$1 == key { print $2 }'
}
refused() { # WORDS
	run -1 skiff run -b "$bundle" "$id"
	one_line
	says "$1"
	nothing_left
}

@test "F52 a container with users and a cgroup namespace may divide its own cgroup, and no more" {
	users 100000
	config '(.mounts[] | select(.type == "cgroup") | .options) -= ["ro"]'
	resources '{"memory": {"limit": 100000000}}'
	launch
	is 100000 "$(stat -c %u "$cgroups/skiff/$id")"
	while read -r name; do
		[[ ! -e $cgroups/skiff/$id/$name ]] || is 100000 "$(stat -c %u "$cgroups/skiff/$id/$name")" || { echo "$name"; false; }
	done </sys/kernel/cgroup/delegate
	is 0 "$(stat -c %u "$cgroups/skiff/$id/memory.max")"
	run -0 in_container sh -c 'cd /sys/fs/cgroup && mkdir inner && echo $$ >inner/cgroup.procs && echo 5000000 >memory.max; cat /proc/self/cgroup | grep ^0:'
	says "0::/inner"
	says "Permission denied"
	is 99999744 "$(file memory.max)" || is 100003840 "$(file memory.max)"
}

@test "F52 without a user namespace the cgroup stays the host's" {
	launch
	is 0 "$(stat -c %u "$cgroups/skiff/$id/cgroup.procs")"
	run in_container sh -c 'mkdir /sys/fs/cgroup/x'
	says "Read-only file system"
}

@test "F53 devices that no rule allows cannot be opened" {
	config '.process.capabilities |= with_entries(.value += ["CAP_MKNOD"])'
	# /dev is the container's own and lets devices be opened; only the cgroup stands in the way
	try_inside 'mknod /dev/mine c 1 3 && : </dev/mine && echo null; mknod /dev/other c 10 229 && : </dev/other'
	says null
	says "can't open /dev/other: Operation not permitted"
}

@test "F55 a program beyond memory.limit is killed, one below is not" {
	resources '{"memory": {"limit": 50331648, "swap": 50331648}}'
	args probe memory 20000000
	run -0 skiff run -b "$bundle" "$id"
	is used
	args probe memory 200000000
	run -137 skiff run -b "$bundle" "$id"
	is ""
}

@test "F55 memory.swap counts memory and swap together: there is room in swap for the rest" {
	resources '{"memory": {"limit": 33554432, "swap": 134217728}}'
	args sh -c 'sleep 1000 | probe memory 70000000'
	launch
	is 33554432 "$(file memory.max)"
	is 100663296 "$(file memory.swap.max)"
	eventually holds "$log" used
	(($(file memory.swap.current) > 10000000))
}

@test "F55 memory.reservation is what stays protected, -1 is no limit" {
	resources '{"memory": {"limit": -1, "reservation": 20971520}}'
	launch
	is max "$(file memory.max)"
	is 20971520 "$(file memory.low)"
	is max "$(file memory.swap.max)"
}

@test "F55 swap that is less than the limit it includes is refused" {
	resources '{"memory": {"limit": 50331648, "swap": 10000000}}'
	refused ".linux.resources.memory.swap"
}

@test "F56 what only version 1 had is a warning, not silence" {
	resources '{"memory": {"limit": 100000000, "swappiness": 10, "disableOOMKiller": true, "kernel": 10000000, "kernelTCP": 10000000}}'
	args true
	run -0 skiff --log-level warning run -b "$bundle" "$id"
	for field in swappiness disableOOMKiller kernel kernelTCP; do
		says ".linux.resources.memory.$field"
	done
}

@test "F57 checkBeforeUpdate refuses a limit below what is in use" {
	resources '{"memory": {"limit": 200000000}}'
	args sh -c 'sleep 1000 | probe memory 60000000'
	launch
	eventually holds "$log" used
	run -1 skiff update -r - "$id" <<<'{"memory": {"limit": 30000000, "checkBeforeUpdate": true}}'
	one_line
	says "in use"
	is 199999488 "$(file memory.max)"
	status_is running
}

@test "F58 cpu.shares become the weight by the formula of the specification's readers" {
	while read -r shares weight; do
		config --argjson s "$shares" '.linux.resources.cpu = {"shares": $s}'
		launch
		is "$weight" "$(file cpu.weight)"
		skiff delete -f "$id"
	done <<-'END'
		2 1
		1024 100
		262144 10000
	END
}

@test "F58 who has more shares gets more time" {
	args probe busy
	for name in many few; do
		[[ $name == many ]] && shares=10240 || shares=102
		config --argjson s $shares '.linux.resources.cpu = {"shares": $s, "cpus": "0"}'
		skiff run -d -b "$bundle" "$id.$name" >"$log" 2>&1
	done
	sleep 2
	for name in many few; do
		declare "$name=$(awk '/^usage_usec/ { print $2 }' "$cgroups/skiff/$id.$name/cpu.stat")"
	done
	# shellcheck disable=SC2154
	((many > few * 4)) || { echo "$many $few"; false; }
}

@test "F59 cpu.quota throttles" {
	resources '{"cpu": {"quota": 10000, "period": 100000}}'
	args probe busy
	launch
	is "10000 100000" "$(file cpu.max)"
	throttled() { (($(event cpu.stat nr_throttled) > 3)); }
	eventually throttled
	before=$(event cpu.stat usage_usec) from=${EPOCHREALTIME/./}
	sleep 1
	# a tenth of the time, and not half of it
	(($(event cpu.stat usage_usec) - before < (${EPOCHREALTIME/./} - from) / 2))
}

@test "F59 a quota of -1 is none" {
	resources '{"cpu": {"quota": -1, "period": 50000}}'
	launch
	is "max 50000" "$(file cpu.max)"
}

@test "F60 cpu.burst may be saved up" {
	resources '{"cpu": {"quota": 20000, "period": 100000, "burst": 10000}}'
	launch
	is 10000 "$(file cpu.max.burst)"
	skiff delete -f "$id"
	resources '{"cpu": {"quota": 20000, "period": 100000, "burst": 90000}}'
	refused ".linux.resources.cpu"
}

@test "F61 cpu.idle is only for when nobody else wants the processor" {
	resources '{"cpu": {"idle": 1, "shares": 2048}}'
	launch
	is 1 "$(file cpu.idle)"
	skiff delete -f "$id"
	resources '{"cpu": {"idle": 2}}'
	refused ".linux.resources.cpu.idle"
}

@test "F62 real-time groups, which version 2 has not, are refused with a way out" {
	resources '{"cpu": {"realtimeRuntime": 1000, "realtimePeriod": 10000}}'
	refused ".process.scheduler"
}

@test "F63 cpu.cpus and mems show in the program's affinity" {
	resources '{"cpu": {"cpus": "1", "mems": "0"}}'
	inside 'grep -E "^(Cpus|Mems)_allowed_list" /proc/self/status; nproc'
	is "Cpus_allowed_list:	1,Mems_allowed_list:	0,1" "$(paste -sd, <<<"$output")"
	launch_args() { args sleep 1000; launch; }
	launch_args
	is "Cpus_allowed_list:	1" "$(in_container grep Cpus_allowed_list /proc/self/status)"
}

@test "F63 a processor that is not there is refused" {
	resources '{"cpu": {"cpus": "nonsense"}}'
	refused ".linux.resources.cpu.cpus"
}

@test "F64 blockIO.weight is the weight of the scheduler that is there" {
	modprobe bfq 2>/dev/null || true
	echo bfq >"/sys/block/${VM_DISK##*/}/queue/scheduler" || skip "this kernel has no bfq"
	device=$(<"/sys/class/block/${VM_DISK##*/}/dev")
	config --argjson major "${device%:*}" --argjson minor "${device#*:}" '.linux.resources.blockIO = {"weight": 333,
		"weightDevice": [{"major": $major, "minor": $minor, "weight": 444}]}'
	launch
	says "default 333" "$(file io.bfq.weight)"
	says "$device 444" "$(file io.bfq.weight)"
	skiff delete -f "$id"
	resources '{"blockIO": {"weight": 5000}}'
	refused ".linux.resources.blockIO.weight"
}

@test "F65 leaf weights, which version 2 has not, are a warning" {
	resources '{"blockIO": {"leafWeight": 300}}'
	args true
	run -0 skiff --log-level warning run -b "$bundle" "$id"
	says ".linux.resources.blockIO.leafWeight"
}

@test "F66 the four throttles show in io.max" {
	device=$(<"/sys/class/block/${VM_DISK##*/}/dev")
	config --argjson major "${device%:*}" --argjson minor "${device#*:}" '.linux.resources.blockIO = ([["ReadBps", 1048576], ["WriteBps", 2097152],
		["ReadIOPS", 100], ["WriteIOPS", 200]] | map({key: "throttle\(.[0])Device", value: [{major: $major, minor: $minor, rate: .[1]}]}) | from_entries)'
	launch
	is "$device rbps=1048576 wbps=2097152 riops=100 wiops=200" "$(file io.max)"
}

@test "F66 writing is as slow as was asked for" {
	device=$(<"/sys/class/block/${VM_DISK##*/}/dev")
	config --argjson major "${device%:*}" --argjson minor "${device#*:}" '
		.linux.resources.blockIO = {"throttleWriteBpsDevice": [{"major": $major, "minor": $minor, "rate": 1048576}]}
		| .linux.resources.devices = [] | .linux.devices = [{"type": "b", "path": "/dev/disk", "major": $major, "minor": $minor, "fileMode": 432}]'
	launch
	from=${EPOCHREALTIME/./}
	# 2 MiB at 1 MiB/s; without the limit it takes milliseconds
	run -0 in_container dd if=/dev/zero of=/dev/disk bs=256k count=8 conv=fsync
	((${EPOCHREALTIME/./} - from > 800000))
	echo "$output"
}

@test "F67 hugepageLimits: one page more than allowed cannot be had" {
	resources '{"hugepageLimits": [{"pageSize": "2MB", "limit": 4194304}]}'
	args probe huge 4194304
	run -0 skiff run -b "$bundle" "$id"
	is used
	args probe huge 6291456
	run skiff run -b "$bundle" "$id"
	[[ $status != 0 && $output != used ]]
	args sleep 1000
	launch
	is 4194304 "$(file hugetlb.2MB.max)"
	is 4194304 "$(file hugetlb.2MB.rsvd.max)"
	skiff delete -f "$id"
	config '.linux.resources.hugepageLimits = [{"pageSize": "3MB", "limit": 1}]'
	refused ".linux.resources.hugepageLimits[0]"
}

@test "F68 network.classID and priorities, which version 2 has not, are refused with a way out" {
	resources '{"network": {"classID": 5}}'
	refused ".linux.resources.network.classID"
	says nftables
	config '.linux.resources.network = {"priorities": [{"name": "lo", "priority": 5}]}'
	refused ".linux.resources.network.priorities"
}

@test "F69 pids.limit refuses one process too many" {
	resources '{"pids": {"limit": 3}}'
	inside 'sleep 100 & sleep 100 & (sleep 100 & sleep 100 &) 2>&1; true' || true
	says "Resource temporarily unavailable"
	args sleep 1000
	launch
	is 3 "$(file pids.max)"
	# the runtime's own processes count, and so exec may be refused: in one line
	for _ in 1 2; do
		skiff exec -d "$id" sleep 1000 >"$log" 2>&1 || holds "$log" "Resource temporarily unavailable"
	done
	run -255 in_container true
	one_line
	says "Resource temporarily unavailable"
}

@test "F69 -1 is no limit and 0 is a limit" {
	resources '{"pids": {"limit": -1}}'
	launch
	is max "$(file pids.max)"
	skiff delete -f "$id"
	resources '{"pids": {"limit": 0}}'
	args sh -c 'sleep 1 & echo more'
	run skiff run -b "$bundle" "$id"
	[[ $output != more ]]
}

@test "F70 rdma limits reach the controller, which knows the devices" {
	resources '{"rdma": {"no_such_device": {"hcaHandles": 2, "hcaObjects": 2000}}}'
	refused ".linux.resources.rdma.no_such_device"
}

@test "F71 unified writes the file of that name" {
	resources '{"unified": {"memory.high": "40000000", "pids.max": "77", "cgroup.max.depth": "3"}}'
	launch
	is 39997440 "$(file memory.high)"
	is 77 "$(file pids.max)"
	is 3 "$(file cgroup.max.depth)"
	skiff delete -f "$id"
	resources '{"unified": {"memory.nonsense": "1"}}'
	refused ".linux.resources.unified.memory.nonsense"
	config '.linux.resources.unified = {"nonsense.max": "1"}'
	refused "nonsense"
}

@test "F71 unified wins over the field of the same meaning" {
	resources '{"pids": {"limit": 10}, "unified": {"pids.max": "20"}}'
	launch
	is 20 "$(file pids.max)"
}

@test "F72 the misc controller is enabled for who asks for it" {
	resources '{"unified": {"misc.max": "nonsense 1"}}'
	refused ".linux.resources.unified.misc.max"
	# where there is a resource of the kind it is in force; here only the controller can be seen
	[[ -e $cgroups/skiff/misc.max || " $(<"$cgroups/cgroup.subtree_control") " == *" misc "* ]]
}

@test "all limits at once, and a limit that is wrong leaves nothing" {
	resources '{"memory": {"limit": 100000000}, "cpu": {"quota": 50000, "shares": 512, "cpus": "0-1"}, "pids": {"limit": 100}}'
	inside 'echo fine'
	is fine
	resources '{"unified": {"pids.max": "nonsense"}}'
	refused ".linux.resources.unified.pids.max"
}

@test "cgroupsPath: absolute, relative, deep, and what is in use already" {
	config --arg p "/made-$id/deep/down" '.linux.cgroupsPath = $p'
	resources '{"pids": {"limit": 9}}'
	launch
	is "0::/made-$id/deep/down" "$(grep ^0: "/proc/$(pid_of)/cgroup")"
	is 9 "$(<"$cgroups/made-$id/deep/down/pids.max")"
	run -1 skiff run -b "$bundle" "$id.second"
	one_line
	skiff delete -f "$id"
	[[ ! -d $cgroups/made-$id/deep/down ]]
	rmdir "$cgroups/made-$id/deep" "$cgroups/made-$id" 2>/dev/null || true
	config '.linux.cgroupsPath = "../escape"'
	run -1 skiff run -b "$bundle" "$id"
	one_line
}

@test "without --cgroup-manager a container can do without a cgroup" {
	args sh -c 'echo fine'
	run -0 skiff --cgroup-manager disabled run -b "$bundle" "$id"
	is fine
	resources '{"pids": {"limit": 9}}'
	run -0 skiff --cgroup-manager disabled --log-level warning run -b "$bundle" "$id"
	says ".linux.resources.pids.limit"
	says "not in force"
	says fine
}

@test "S7 an ordinary user's container cannot write to the host's cgroups" {
	chmod 755 "$BATS_TEST_TMPDIR" "${BATS_TEST_TMPDIR%/*}"
	chown -R 65534:65534 "$bundle"
	mkdir -m 777 "$BATS_TEST_TMPDIR/run"
	config '(.mounts[] | select(.type == "cgroup") | .options) -= ["ro"] | del(.linux.namespaces[] | select(.type == "cgroup"))'
	args sh -c 'for f in $(find /sys/fs/cgroup -name cgroup.procs | head -20); do (echo 0 >$f) 2>/dev/null && echo "wrote $f"; done; mkdir /sys/fs/cgroup/x && echo made; true'
	chown 65534:65534 "$bundle/config.json"
	run timeout 30 setpriv --reuid 65534 --regid 65534 --clear-groups env -i XDG_RUNTIME_DIR="$BATS_TEST_TMPDIR/run" PATH="$PATH" "$SKIFF" run -b "$bundle" "$id"
	[[ $output != *wrote* && $output != *made* ]] || { echo "$output"; false; }
}

@test "the smallest memory that a container starts with is small, and less is a clear error" {
	args true
	for mib in 1 2 3 4 6 8; do
		config --argjson l $((mib << 20)) '.linux.resources.memory = {"limit": $l, "swap": $l}'
		run skiff run -b "$bundle" "$id"
		if [[ $status == 0 ]]; then break; fi
		one_line
		nothing_left
	done
	echo "started with $mib MiB"
	((mib <= 4))
}

@test "a container that cannot have memory for its set-up says so" {
	resources '{"memory": {"limit": 65536, "swap": 65536}}'
	args true
	run skiff run -b "$bundle" "$id"
	[[ $status != 0 ]]
	one_line
	says "memory"
	nothing_left
}

@test "processes that the container leaves behind in cgroups of its own are gone after delete" {
	config '(.mounts[] | select(.type == "cgroup") | .options) -= ["ro"] | del(.linux.namespaces[] | select(.type == "pid"))'
	args sh -c 'mkdir /sys/fs/cgroup/a && mkdir /sys/fs/cgroup/a/b && (setsid sleep 1000 & echo $! >/sys/fs/cgroup/a/b/cgroup.procs); sleep 1000; :'
	launch
	eventually has_processes 3
	mapfile -t pids < <(skiff ps -f json "$id" | jq '.[]')
	run -0 skiff delete --force "$id"
	for pid in "${pids[@]}"; do
		eventually gone "$pid"
	done
	nothing_left
}

@test "pause freezes a busy container: its clock of processor time stands" {
	args probe busy
	launch
	skiff pause "$id"
	before=$(event cpu.stat usage_usec)
	sleep 0.5
	is "$before" "$(event cpu.stat usage_usec)"
	is 1 "$(event cgroup.events frozen)"
	skiff resume "$id"
	moves() { (($(event cpu.stat usage_usec) > before)); }
	eventually moves
}
