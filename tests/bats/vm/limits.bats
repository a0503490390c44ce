# Limits that limit: what a process in the container meets, and what the host sees. FEATURES F52 to F72.
load ../helpers

limit() { # JQ-FILTER below .linux.resources
	config ".linux.resources$1"
}
file() { # NAME: of the container's cgroup
	cat "$cgroups/skiff/$id/$1"
}

@test "F55 memory.limit: a process over it is killed, the container lives, and events says so" {
	limit '.memory = {"limit": 67108864, "swap": 67108864}'
	launch
	skiff events "$id" >"$BATS_TEST_TMPDIR/events" 2>&1 &
	run ! skiff exec "$id" sh -c 'dd if=/dev/zero of=/dev/shm/fill bs=1M count=200; sort /dev/zero'
	eventually holds "$BATS_TEST_TMPDIR/events" '"type":"oom"'
	status_is running
	[[ $(file memory.max) == 67108864 ]]
}

@test "F55 memory.reservation protects, memory.swap is what goes beyond memory" {
	limit '.memory = {"limit": 67108864, "reservation": 33554432, "swap": 100663296}'
	launch
	[[ $(file memory.low) == 33554432 ]]
	[[ $(file memory.swap.max) == 33554432 ]]
}

@test "F57 memory.checkBeforeUpdate refuses a limit below what is in use" {
	limit '.memory = {"limit": 134217728}'
	launch
	skiff exec "$id" dd if=/dev/zero of=/dev/shm/fill bs=1M count=40 2>/dev/null
	run -1 skiff update -r - "$id" <<<'{"memory": {"limit": 16777216, "checkBeforeUpdate": true}}'
	says memory.limit
	[[ $(file memory.max) == 134217728 ]]
}

@test "F58 F61 cpu.shares become a weight, cpu.idle makes it idle" {
	limit '.cpu = {"shares": 2048}'
	launch
	[[ $(file cpu.weight) -gt 100 ]]
	skiff update --cpu-idle 1 "$id"
	[[ $(file cpu.idle) == 1 ]]
}

@test "F59 cpu.quota and period throttle, as cpu.stat shows" {
	limit '.cpu = {"quota": 10000, "period": 100000}'
	launch
	run skiff exec "$id" timeout 3 sh -c 'while :; do :; done'
	[[ $(file cpu.max) == "10000 100000" ]]
	[[ $(sed -n 's/^nr_throttled //p' "$cgroups/skiff/$id/cpu.stat") -gt 3 ]]
}

@test "F60 cpu.burst" {
	limit '.cpu = {"quota": 50000, "period": 100000, "burst": 20000}'
	launch
	[[ $(file cpu.max.burst) == 20000 ]]
}

@test "F63 cpu.cpus: a program may use no other, and mems" {
	limit '.cpu = {"cpus": "1", "mems": "0"}'
	inside 'grep Cpus_allowed_list /proc/self/status; grep Mems_allowed_list /proc/self/status'
	says $'Cpus_allowed_list:\t1'
	says $'Mems_allowed_list:\t0'
}

@test "F64 blockIO.weight: io.bfq.weight or io.weight, or a clear error where the kernel has neither" {
	limit '.blockIO = {"weight": 500}'
	if create; then
		says 500 "$(file io.bfq.weight 2>/dev/null || true)$(file io.weight 2>/dev/null || true)" ||
			says 49 "$(file io.weight)"
	else
		says blockIO.weight "$(<"$log")"
	fi
}

@test "F66 blockIO throttles show in io.max" {
	local number
	number=$(lsblk -dno MAJ:MIN "$VM_DISK" 2>/dev/null || stat -c '%Hr:%Lr' "$VM_DISK")
	number=${number// /}
	limit ".blockIO = {\"throttleReadBpsDevice\": [{\"major\": ${number%:*}, \"minor\": ${number#*:}, \"rate\": 1048576}],
		\"throttleWriteIOPSDevice\": [{\"major\": ${number%:*}, \"minor\": ${number#*:}, \"rate\": 77}]}"
	launch
	says "rbps=1048576" "$(file io.max)"
	says "wiops=77" "$(file io.max)"
}

@test "F67 hugepageLimits: usage and reservation, and a mapping beyond them fails" {
	limit '.hugepageLimits = [{"pageSize": "2MB", "limit": 4194304}]'
	launch
	[[ $(file hugetlb.2MB.max) == 4194304 ]]
	[[ $(file hugetlb.2MB.rsvd.max) == 4194304 ]]
	run -0 python3 - "$cgroups/skiff/$id/cgroup.procs" <<-'IN'
		import mmap, os, sys
		open(sys.argv[1], "w").write(str(os.getpid()))
		MAP_HUGETLB = 0x40000
		kept = mmap.mmap(-1, 4 << 20, flags=mmap.MAP_SHARED | mmap.MAP_ANONYMOUS | MAP_HUGETLB)
		try:
		    mmap.mmap(-1, 2 << 20, flags=mmap.MAP_SHARED | mmap.MAP_ANONYMOUS | MAP_HUGETLB)
		except OSError:
		    print("refused")
	IN
	is refused
}

@test "F67 a page size that the machine does not have is named" {
	limit '.hugepageLimits = [{"pageSize": "3MB", "limit": 4194304}]'
	run -1 create
	says hugepageLimits
}

@test "F69 pids.limit refuses a fork" {
	limit '.pids = {"limit": 5}'
	launch
	run ! skiff exec "$id" sh -c 'for i in 1 2 3 4 5 6 7 8 9; do sleep 5 & done; wait'
	[[ $(file pids.max) == 5 ]]
	[[ $(sed -n 's/^max //p' "$cgroups/skiff/$id/pids.events") -gt 0 ]]
}

@test "F71 unified sets any file, and wins" {
	limit '.unified = {"memory.high": "50331648", "pids.max": "77"} | .linux.resources.pids = {"limit": 5}'
	launch
	[[ $(file memory.high) == 50331648 ]]
	[[ $(file pids.max) == 77 ]]
}

@test "F72 misc and rdma are there where the kernel has them: an unknown resource is an error that names it" {
	limit '.rdma = {"nodevice0": {"hcaHandles": 3}}'
	run -1 create
	says rdma
}

@test "update changes each live" {
	limit '.memory = {"limit": 67108864} | .linux.resources.pids = {"limit": 50} | .linux.resources.cpu = {"shares": 1024}'
	launch
	skiff update --memory 128m --memory-swap 256m --memory-reservation 32m --pids-limit 60 --cpu-quota 20000 --cpu-period 50000 \
		--cpu-share 512 --cpuset-cpus 0 --cpu-burst 1000 "$id"
	[[ $(file memory.max) == 134217728 ]]
	[[ $(file memory.swap.max) == 134217728 ]]
	[[ $(file memory.low) == 33554432 ]]
	[[ $(file pids.max) == 60 ]]
	[[ $(file cpu.max) == "20000 50000" ]]
	[[ $(file cpu.max.burst) == 1000 ]]
	[[ $(file cpu.weight) -lt 100 ]]
	run -0 skiff exec "$id" grep Cpus_allowed_list /proc/1/status
	says $'\t0'
	skiff update --memory -1 --memory-swap -1 --pids-limit -1 "$id"
	[[ $(file memory.max) == max && $(file pids.max) == max ]]
}

@test "an update that cannot be written leaves the old values" {
	limit '.memory = {"limit": 67108864} | .linux.resources.pids = {"limit": 50}'
	launch
	run -1 skiff update --pids-limit 60 --cpuset-cpus 999 "$id"
	[[ $(file pids.max) == 50 ]]
}

@test "F52 a container that may write its cgroup owns it: it makes cgroups of its own" {
	config '.linux.namespaces += [{"type": "user"}] | .linux.uidMappings = [{"containerID": 0, "hostID": 100000, "size": 1000}]
		| .linux.gidMappings = .linux.uidMappings
		| (.mounts[] | select(.type == "cgroup")).options = ["rw", "nosuid", "nodev", "noexec"]'
	chmod 755 "$BATS_TEST_TMPDIR" "$bundle"
	inside 'mkdir /sys/fs/cgroup/mine && echo $$ >/sys/fs/cgroup/mine/cgroup.procs && cat /proc/self/cgroup'
	says /mine
}

@test "S7 without a cgroup namespace of its own a container cannot write the host's cgroups" {
	config '.linux.namespaces |= map(select(.type != "cgroup"))
		| (.mounts[] | select(.type == "cgroup")).options = ["ro"]'
	inside 'mkdir /sys/fs/cgroup/mine 2>/dev/null || echo refused; ls /sys/fs/cgroup/skiff 2>/dev/null || echo alone'
	is $'refused\nalone'
}

@test "pause freezes, resume thaws, SIGKILL ends a frozen container" {
	launch
	skiff pause "$id"
	says "frozen 1" "$(file cgroup.events)"
	status_is paused
	skiff resume "$id"
	says "frozen 0" "$(file cgroup.events)"
	skiff pause "$id"
	skiff kill "$id" KILL
	eventually status_is stopped
}

@test "events --stats has the figures of every controller" {
	limit '.memory = {"limit": 67108864} | .linux.resources.pids = {"limit": 50}'
	launch
	run -0 skiff events --stats "$id"
	jq -e '.data | .memory.usage.usage > 0 and .memory.usage.limit == 67108864 and .pids.current >= 1 and .pids.limit == 50
		and .cpu.usage.total > 0' <<<"$output"
}

@test "a container starts in 4 MiB, and in too little memory the message says what to do" {
	limit '.memory = {"limit": 4194304, "swap": 4194304}'
	inside 'echo started'
	is started
	limit '.memory = {"limit": 65536, "swap": 65536}'
	try_inside 'echo started'
	[[ $status -ne 0 ]]
	says "memory"
}

@test "run --image: a default pids limit, and -m and --cpus" {
	umoci init --layout "$BATS_TEST_TMPDIR/oci"
	umoci new --image "$BATS_TEST_TMPDIR/oci:base"
	umoci unpack --image "$BATS_TEST_TMPDIR/oci:base" "$BATS_TEST_TMPDIR/b" >/dev/null 2>&1
	cp -a "$bundle/rootfs/." "$BATS_TEST_TMPDIR/b/rootfs/"
	umoci repack --image "$BATS_TEST_TMPDIR/oci:base" "$BATS_TEST_TMPDIR/b" >/dev/null 2>&1
	"$SKIFF" image import --root "$BATS_TEST_TMPDIR/store" --quiet --name base "oci:$BATS_TEST_TMPDIR/oci:base"
	run -0 skiff run -d --store "$BATS_TEST_TMPDIR/store" --image base --name "$id" -m 64m --cpus 0.5 -- sleep 1000
	[[ $(file pids.max) == 2048 ]]
	[[ $(file memory.max) == 67108864 ]]
	[[ $(file cpu.max) == "50000 100000" ]]
	skiff delete -f "$id"
}
