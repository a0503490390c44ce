# Namespaces: new ones, those of others, users and their maps, and what belongs to one: names, sysctls, clocks, devices.
load helpers

files=([mount]=mnt)
ns_file() { # TYPE
	case $1 in mount) echo mnt ;; network) echo net ;; *) echo "$1" ;; esac
}
ns() { # PID TYPE
	readlink "/proc/$1/ns/$(ns_file "$2")"
}
only() { # TYPE...: these namespaces and the mount namespace
	config '.linux.namespaces = ([{"type": "mount"}] + ($ARGS.positional | map({"type": .}))) | del(.hostname)' --args -- "$@"
}
join() { # TYPE PATH
	config --arg t "$1" --arg p "$2" '.linux.namespaces |= map(select(.type != $t)) + [{"type": $t, "path": $p}] | del(.hostname)'
}
holder() { # UNSHARE-OPTION...: a process in new namespaces; $holder is its id
	unshare "$@" sleep 1000 3>&- &
	holder=$!
	eventually pgrep -f -P "$holder" 'sleep 1000' || true
	for _ in {1..100}; do
		[[ $(ns $holder user) == "$(ns self user)" && $(tr '\0' ' ' <"/proc/$holder/cmdline") == unshare* ]] || break
		sleep 0.02
	done
}

@test "each of the eight namespaces is new when asked for and shared when not" {
	for type in pid network ipc uts cgroup time; do
		only $type
		launch
		for other in pid network ipc uts cgroup time user; do
			if [[ $other == "$type" ]]; then
				[[ $(ns "$(pid_of)" $other) != "$(ns self $other)" ]] || { echo "$other is not new"; false; }
			else
				is "$(ns self $other)" "$(ns "$(pid_of)" $other)"
			fi
		done
		[[ $(ns "$(pid_of)" mount) != "$(ns self mount)" ]]
		skiff delete -f "$id"
	done
}

@test "a new user namespace is new" {
	users 100000
	launch
	[[ $(ns "$(pid_of)" user) != "$(ns self user)" ]]
}

@test "all eight at once" {
	users 100000
	config '.linux.namespaces += [{"type": "time"}]'
	launch
	for type in mount pid network ipc uts cgroup time user; do
		[[ $(ns "$(pid_of)" $type) != "$(ns self $type)" ]] || { echo "$type is not new"; false; }
	done
	run -0 in_container hostname
	is skiff
}

@test "a second container joins the namespaces of the first by their paths" {
	config '.linux.namespaces += [{"type": "time"}]'
	skiff run -d -b "$bundle" "$id.first" >"$log" 2>&1
	first=$(pid_of "$id.first")
	for type in network ipc uts cgroup time; do
		join $type "/proc/$first/ns/$(ns_file $type)"
	done
	launch
	for type in network ipc uts cgroup time; do
		is "$(ns "$first" $type)" "$(ns "$(pid_of)" $type)"
	done
	[[ $(ns "$first" pid) != "$(ns "$(pid_of)" pid)" ]]
	is skiff "$(in_container hostname)"
}

@test "joining a pid namespace shows the processes that are there" {
	skiff run -d -b "$bundle" "$id.first" >"$log" 2>&1
	first=$(pid_of "$id.first")
	join pid "/proc/$first/ns/pid"
	launch
	is "$(ns "$first" pid)" "$(ns "$(pid_of)" pid)"
	run -0 in_container ps -o pid,args
	is 2 "$(grep -c 'sleep 1000' <<<"$output")"
	skiff kill "$id" KILL
	eventually status_is stopped
	status_is running "$id.first"
	skiff delete "$id"
	status_is running "$id.first"
}

@test "joining a mount namespace is not a way to the first container's root" {
	skiff run -d -b "$bundle" "$id.first" >"$log" 2>&1
	join mount "/proc/$(pid_of "$id.first")/ns/mnt"
	run skiff run -b "$bundle" "$id"
	[[ $status == 1 ]]
	one_line
}

@test "joining a user namespace gives its maps" {
	users 100000
	skiff run -d -b "$bundle" "$id.first" >"$log" 2>&1
	first=$(pid_of "$id.first")
	config 'del(.linux.uidMappings, .linux.gidMappings)'
	join user "/proc/$first/ns/user"
	launch
	is "$(ns "$first" user)" "$(ns "$(pid_of)" user)"
	is 0 "$(in_container id -u)"
	is "0 100000 65536" "$(tr -s ' ' <"/proc/$(pid_of)/uid_map" | sed 's/^ //')"
}

@test "joining the user and the network namespace of the same container" {
	users 100000
	skiff run -d -b "$bundle" "$id.first" >"$log" 2>&1
	first=$(pid_of "$id.first")
	config 'del(.linux.uidMappings, .linux.gidMappings)'
	join user "/proc/$first/ns/user"
	join network "/proc/$first/ns/net"
	join ipc "/proc/$first/ns/ipc"
	launch
	for type in user network ipc; do
		is "$(ns "$first" $type)" "$(ns "$(pid_of)" $type)"
	done
	run -0 in_container ls /sys/class/net
	is lo
}

@test "a network namespace that is pinned to a file can be joined" {
	mkdir -p "$BATS_TEST_TMPDIR/pins"
	touch "$BATS_TEST_TMPDIR/pins/net"
	unshare -n mount --bind /proc/self/ns/net "$BATS_TEST_TMPDIR/pins/net" 2>/dev/null ||
		unshare --net="$BATS_TEST_TMPDIR/pins/net" true
	join network "$BATS_TEST_TMPDIR/pins/net"
	inside 'readlink /proc/self/ns/net'
	is "net:[$(stat -L -c %i "$BATS_TEST_TMPDIR/pins/net")]"
}

@test "a path that is no namespace, or one of another type, is an error that says so" {
	join network /etc/passwd
	run -1 skiff run -b "$bundle" "$id"
	one_line
	says "/etc/passwd"
	join network /proc/self/ns/uts
	run -1 skiff run -b "$bundle" "$id"
	one_line
	says "is not a network namespace"
	join network /no/such
	run -1 skiff run -b "$bundle" "$id"
	one_line
	says "/no/such"
	nothing_left
}

@test "the loopback device is up in a new network namespace" {
	inside 'ip -o addr show lo; ip -o link show lo'
	says "127.0.0.1/8"
	says "LOOPBACK,UP"
}

@test "hostname and domainname are the container's" {
	config '.hostname = "inner" | .domainname = "example.org"'
	inside 'hostname; cat /proc/sys/kernel/domainname'
	is $'inner\nexample.org'
	[[ $(hostname) != inner ]]
}

@test "offsets of clocks show inside a new time namespace" {
	config '.linux.namespaces += [{"type": "time"}] | .linux.timeOffsets = {"boottime": {"secs": 1000000, "nanosecs": 5},
		"monotonic": {"secs": 500}}'
	launch
	run -0 in_container cat /proc/uptime
	((${output%%.*} >= 1000000))
	is "1000000 500" "$(awk '{ print $2 }' "/proc/$(pid_of)/timens_offsets" | tac | paste -sd' ')"
	((${output%%.*} - $(cut -d. -f1 /proc/uptime) >= 999990))
}

@test "maps of users and groups are what was asked for, several ranges too" {
	users 100000
	config '.linux.uidMappings = [{"containerID": 0, "hostID": 100000, "size": 10}, {"containerID": 10, "hostID": 0, "size": 1},
			{"containerID": 1000, "hostID": 300000, "size": 5}]
		| .linux.gidMappings = [{"containerID": 0, "hostID": 100000, "size": 65536}]'
	inside 'cat /proc/self/uid_map /proc/self/gid_map'
	is "0 100000 10;10 0 1;1000 300000 5;0 100000 65536" "$(tr -s ' ' <<<"$output" | sed 's/^ //' | paste -sd';')"
}

@test "in a user namespace the program is root inside and nobody special outside" {
	users 100000
	launch
	is 0 "$(in_container id -u)"
	is 100000 "$(awk '/^Uid/ { print $2 }' "/proc/$(pid_of)/status")"
	is 100000 "$(awk '/^Gid/ { print $2 }' "/proc/$(pid_of)/status")"
	in_container touch /tmp/mine
	is 100000 "$(stat -c %u "$bundle/rootfs/tmp/mine")"
}

@test "in a user namespace devices, sysfs, mqueue and a terminal are there" {
	users 100000
	inside 'echo x >/dev/null && head -c3 /dev/zero | wc -c && ls /dev | paste -sd" " && ls /sys/class/net && ls -d /dev/mqueue'
	is 3 "${lines[0]}"
	says "full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero"
	is lo "${lines[2]}"
}

@test "a user of a user namespace that 0 is not part of" {
	users 100000
	config '.linux.uidMappings = [{"containerID": 1000, "hostID": 100000, "size": 10}] | .linux.gidMappings = .linux.uidMappings
		| .process.user = {"uid": 1000, "gid": 1000} | .mounts |= map(if .options then .options -= ["gid=5"] else . end)'
	inside 'id -u'
	is 1000
}

@test "a user that is not mapped is an error that names it" {
	users 100000 10
	config '.process.user.uid = 500 | .mounts |= map(if .options then .options -= ["gid=5"] else . end)'
	run -1 skiff run -b "$bundle" "$id"
	one_line
	says ".process.user.uid"
	nothing_left
}

@test "user namespace without maps is an error" {
	config '.linux.namespaces += [{"type": "user"}]'
	run -1 skiff run -b "$bundle" "$id"
	one_line
	says ".linux.uidMappings"
}

@test "overlapping maps are the kernel's error, told" {
	users 100000
	config '.linux.uidMappings += .linux.uidMappings'
	run -1 skiff run -b "$bundle" "$id"
	one_line
	says "write the user and group maps"
	nothing_left
}

@test "sysctls are set in the container and nowhere else" {
	before=$(</proc/sys/net/ipv4/ip_forward)-$(</proc/sys/kernel/shmmni)
	config '.linux.sysctl = {"net.ipv4.ip_forward": "1", "net/ipv4/ping_group_range": "0 5", "kernel.shmmni": "77",
		"fs.mqueue.msg_max": "11", "kernel.domainname": "set.by.sysctl"}'
	inside 'cd /proc/sys; cat net/ipv4/ip_forward net/ipv4/ping_group_range kernel/shmmni fs/mqueue/msg_max kernel/domainname'
	is "1 0 5 77 11 set.by.sysctl" "$(tr '\t' ' ' <<<"$output" | paste -sd' ')"
	is "$before" "$(</proc/sys/net/ipv4/ip_forward)-$(</proc/sys/kernel/shmmni)"
}

@test "sysctls of the user namespace are set in it" {
	users 100000
	config '.linux.sysctl = {"user.max_net_namespaces": "7"}'
	inside 'cat /proc/sys/user/max_net_namespaces'
	is 7
}

@test "a sysctl that does not exist, or takes no such value, is an error that names it" {
	config '.linux.sysctl = {"net.ipv4.nonsense": "1"}'
	run -1 skiff run -b "$bundle" "$id"
	one_line
	says ".linux.sysctl.net.ipv4.nonsense"
	config '.linux.sysctl = {"kernel.shmmni": "nonsense"}'
	run -1 skiff run -b "$bundle" "$id"
	one_line
	says ".linux.sysctl.kernel.shmmni"
	nothing_left
}
