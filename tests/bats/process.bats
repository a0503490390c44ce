# The process section: who the program is, what it may do and with what it begins.
load helpers

status_line() { # NAME: of the container's first process, in the foreground
	awk -v name="$1:" '$1 == name { print $2 }' <<<"$output"
}
caps() { # CAP...: the mask of these capabilities as /proc/PID/status writes it
	local bits=0 cap
	for cap; do
		case $cap in
		CHOWN) bits=$((bits | 1 << 0)) ;; KILL) bits=$((bits | 1 << 5)) ;; SETUID) bits=$((bits | 1 << 7)) ;;
		NET_BIND_SERVICE) bits=$((bits | 1 << 10)) ;; NET_ADMIN) bits=$((bits | 1 << 12)) ;; NET_RAW) bits=$((bits | 1 << 13)) ;;
		SYS_ADMIN) bits=$((bits | 1 << 21)) ;; esac
	done
	printf '%016x' $bits
}
set_caps() { # BOUNDING PERMITTED EFFECTIVE INHERITABLE AMBIENT: words with spaces between
	config --arg b "$1" --arg p "$2" --arg e "$3" --arg i "$4" --arg a "$5" '
		def words: split(" ") | map("CAP_" + .);
		.process.capabilities = {bounding: ($b | words), permitted: ($p | words), effective: ($e | words),
			inheritable: ($i | words), ambient: ($a | words)}'
}

@test "the five sets of capabilities are what was asked for" {
	set_caps "CHOWN KILL SETUID NET_RAW" "CHOWN KILL NET_RAW" "CHOWN" "KILL NET_RAW" ""
	config '.process.noNewPrivileges = false | .process.user = {"uid": 1000, "gid": 1000}'
	args cat /proc/self/status
	run -0 skiff run -b "$bundle" "$id"
	# an ordinary user keeps over exec what is ambient
	is "$(caps CHOWN KILL SETUID NET_RAW)" "$(status_line CapBnd)"
	is "$(caps KILL NET_RAW)" "$(status_line CapInh)"
	is "$(caps)" "$(status_line CapPrm)"
	is "$(caps)" "$(status_line CapEff)"
	is "$(caps)" "$(status_line CapAmb)"
	config '.process.user = {"uid": 0, "gid": 0}'
	run -0 skiff run -b "$bundle" "$id"
	# root gets what is bounding and inheritable
	is "$(caps CHOWN KILL SETUID NET_RAW)" "$(status_line CapBnd)"
	is "$(caps KILL NET_RAW)" "$(status_line CapInh)"
}

@test "ambient capabilities reach an ordinary user's program" {
	set_caps "NET_RAW KILL" "NET_RAW KILL" "NET_RAW KILL" "NET_RAW" "NET_RAW"
	config '.process.user = {"uid": 1000, "gid": 1000}'
	args cat /proc/self/status
	run -0 skiff run -b "$bundle" "$id"
	for set in CapInh CapPrm CapEff CapAmb; do
		is "$(caps NET_RAW)" "$(status_line $set)"
	done
	is "$(caps NET_RAW KILL)" "$(status_line CapBnd)"
}

@test "without capabilities there are none" {
	config 'del(.process.capabilities)'
	args cat /proc/self/status
	run -0 skiff run -b "$bundle" "$id"
	for set in CapInh CapPrm CapEff CapBnd CapAmb; do
		is "$(caps)" "$(status_line $set)"
	done
}

@test "a capability that is missing is missing" {
	set_caps "KILL" "KILL" "KILL" "" ""
	try_inside 'chown 5 /tmp'
	is 1 "$status"
	says "Operation not permitted"
	set_caps "CHOWN" "CHOWN" "CHOWN" "" ""
	inside 'chown 5 /tmp'
}

@test "inheritable is empty unless the configuration says otherwise" {
	args cat /proc/self/status
	run -0 skiff run -b "$bundle" "$id"
	is "$(caps)" "$(status_line CapInh)"
	is "$(caps)" "$(status_line CapAmb)"
}

@test "noNewPrivileges is as asked" {
	args grep NoNewPrivs /proc/self/status
	run -0 skiff run -b "$bundle" "$id"
	is "NoNewPrivs:	1"
	config '.process.noNewPrivileges = false'
	run -0 skiff run -b "$bundle" "$id"
	is "NoNewPrivs:	0"
}

@test "uid, gid and groups are what was asked for" {
	config '.process.user = {"uid": 5, "gid": 6, "additionalGids": [7, 4000000000]}'
	inside 'grep -E "^(Uid|Gid|Groups)" /proc/self/status | tr -s "\t " "  "'
	is $'Uid: 5 5 5 5\nGid: 6 6 6 6\nGroups: 7 4000000000 ' || is $'Uid: 5 5 5 5\nGid: 6 6 6 6\nGroups: 7 4000000000'
}

@test "the caller's groups do not come along" {
	args grep Groups /proc/self/status
	run -0 setpriv --groups 4,5,6 "$SKIFF" --root "$root" run -b "$bundle" "$id"
	is "" "$(tr -d 'Groups:\t ' <<<"$output")"
	config '.annotations["run.oci.keep_original_groups"] = "1"'
	run -0 setpriv --groups 4,5,6 "$SKIFF" --root "$root" run -b "$bundle" "$id"
	says "4 5 6"
}

@test "umask is 022 unless asked otherwise" {
	inside umask
	is 0022
	config '.process.user.umask = 7'
	inside umask
	is 0007
	config '.process.user.umask = 0'
	inside umask
	is 0000
}

@test "the environment is the configuration's alone, of equal names the last, and HOME" {
	config '.process.env = ["PATH=/bin", "A=1", "B=2", "A=3", "EMPTY="]'
	SECRET=1
	export SECRET
	args env
	run -0 skiff run -b "$bundle" "$id"
	is "A=3 B=2 EMPTY= HOME=/root PATH=/bin" "$(sort <<<"$output" | paste -sd' ')"
}

@test "HOME is what the container's passwd says, / without a word there, and the caller's choice first" {
	config '.process.user = {"uid": 1000, "gid": 1000}'
	inside 'echo $HOME'
	is /home/user
	config '.process.user.uid = 77'
	inside 'echo $HOME'
	is /
	config '.process.env += ["HOME=/mine"]'
	inside 'echo $HOME'
	is /mine
	config '.process.env -= ["HOME=/mine"] | .process.user.uid = 1000'
	rm "$bundle/rootfs/etc/passwd"
	ln -s /proc/self/environ "$bundle/rootfs/etc/passwd"
	inside 'echo $HOME'
	is /
}

@test "the program is looked for in the container's PATH" {
	mkdir "$bundle/rootfs/mine"
	printf '#!/bin/sh\necho mine\n' >"$bundle/rootfs/mine/tool"
	chmod 755 "$bundle/rootfs/mine/tool"
	args tool
	run -127 skiff run -b "$bundle" "$id"
	config '.process.env = ["PATH=/none:/mine"]'
	run -0 skiff run -b "$bundle" "$id"
	is mine
	config '.process.env = []'
	args echo "without PATH"
	run -0 skiff run -b "$bundle" "$id"
	is "without PATH"
}

@test "a file without execute permission in PATH is passed over, and is 126 if there is no other" {
	mkdir "$bundle/rootfs/first"
	touch "$bundle/rootfs/first/echo" "$bundle/rootfs/first/only"
	config '.process.env = ["PATH=/first:/bin"]'
	args echo found
	run -0 skiff run -b "$bundle" "$id"
	is found
	args only
	run -126 skiff run -b "$bundle" "$id"
	says "Permission denied"
}

@test "the program gets its arguments exactly" {
	args sh -c 'printf "<%s>" "$0" "$@"' 'a b' '' '*' $'new\nline' 'ü'
	run -0 skiff run -b "$bundle" "$id"
	is $'<a b><><*><new\nline><ü>'
}

@test "the working directory is the one asked for, and is made when missing" {
	config '.process.cwd = "/tmp"'
	inside pwd
	is /tmp
	config '.process.cwd = "/not/there/yet"'
	inside pwd
	is /not/there/yet
	[[ -d $bundle/rootfs/not/there/yet ]]
}

@test "a working directory that only the user may enter works, as one that only root may" {
	mkdir -p "$bundle/rootfs/private"
	chown 1000:1000 "$bundle/rootfs/private"
	chmod 700 "$bundle/rootfs/private"
	config '.process.cwd = "/private" | .process.user = {"uid": 1000, "gid": 1000}'
	inside pwd
	is /private
	chown 0:0 "$bundle/rootfs/private"
	config '.process.cwd = "/private" | .process.user = {"uid": 1000, "gid": 1000}'
	run skiff run -b "$bundle" "$id"
	[[ $status == 0 || $output == *"/private"* ]]
}

@test "a working directory that is a file or a loop is an error that names it" {
	config '.process.cwd = "/etc/passwd"'
	run -1 skiff run -b "$bundle" "$id"
	one_line
	says ".process.cwd"
	ln -s loop "$bundle/rootfs/loop"
	config '.process.cwd = "/loop"'
	run -1 skiff run -b "$bundle" "$id"
	one_line
	says ".process.cwd"
}

@test "resource limits of all sixteen kinds are set" {
	config '.process.rlimits = [["AS", "unlimited"], ["CORE", 0], ["CPU", 1000], ["DATA", 1000000000], ["FSIZE", 1000000],
		["LOCKS", 100], ["MEMLOCK", 4096], ["MSGQUEUE", 1000], ["NICE", 0], ["NOFILE", 100], ["NPROC", 1000], ["RSS", 1000000],
		["RTPRIO", 0], ["RTTIME", 1000], ["SIGPENDING", 100], ["STACK", 1000000]]
		| .process.rlimits |= map({type: ("RLIMIT_" + .[0]), soft: (if .[1] == "unlimited" then 18446744073709551615 else .[1] end),
			hard: (if .[1] == "unlimited" then 18446744073709551615 else .[1] end)})'
	args cat /proc/self/limits
	# jq rounds what is beyond a double
	sed -i -E 's/18446744073709552000|1.8446744073709552e\+19/18446744073709551615/g' "$bundle/config.json"
	run -0 skiff run -b "$bundle" "$id"
	while IFS='|' read -r name value; do
		[[ $(grep -F "$name" <<<"$output" | awk -v skip="${#name}" '{ print substr($0, skip + 1) }' | awk '{ print $1 "/" $2 }') == "$value/$value" ]] ||
			{ echo "want $name $value in:"; echo "$output"; false; }
	done <<-'END'
		Max address space|unlimited
		Max core file size|0
		Max cpu time|1000
		Max data size|1000000000
		Max file size|1000000
		Max file locks|100
		Max locked memory|4096
		Max msgqueue size|1000
		Max nice priority|0
		Max open files|100
		Max processes|1000
		Max resident set|1000000
		Max realtime priority|0
		Max realtime timeout|1000
		Max pending signals|100
		Max stack size|1000000
	END
}

@test "soft and hard limits differ if asked, and exec has them too" {
	config '.process.rlimits = [{"type": "RLIMIT_NOFILE", "soft": 50, "hard": 60}]'
	launch
	is "50 60" "$(in_container sh -c 'echo $(ulimit -Sn) $(ulimit -Hn)')"
	is "50/60" "$(awk '/open files/ { print $4 "/" $5 }' "/proc/$(pid_of)/limits")"
}

@test "a limit that may not be raised is an error that names it" {
	[[ $(ulimit -Hn) != unlimited ]] || skip "nothing is limited here"
	! grep -q 'CapEff.*[13579bdf]......$' <(grep CapEff /proc/self/status) || skip "this root may raise limits"
	config '.process.rlimits = [{"type": "RLIMIT_NOFILE", "soft": 100000000, "hard": 100000000}]'
	run -1 skiff run -b "$bundle" "$id"
	one_line
	says ".process.rlimits[0]"
	nothing_left
}

@test "the score for the out-of-memory killer is set, for exec too" {
	config '.process.oomScoreAdj = 500'
	launch
	is 500 "$(in_container cat /proc/1/oom_score_adj)"
	is 500 "$(in_container cat /proc/self/oom_score_adj)"
}

@test "the scheduling policy and its nice value are set" {
	config '.process.scheduler = {"policy": "SCHED_BATCH", "nice": 5}'
	launch
	says "SCHED_BATCH" "$(chrt -p "$(pid_of)")"
	is 5 "$(ps -o ni= -p "$(pid_of)" | tr -d ' ')"
	skiff delete -f "$id"
	config '.process.scheduler = {"policy": "SCHED_IDLE"}'
	launch
	says "SCHED_IDLE" "$(chrt -p "$(pid_of)")"
	skiff delete -f "$id"
	config '.process.scheduler = {"policy": "SCHED_OTHER", "nice": -5, "flags": ["SCHED_FLAG_RESET_ON_FORK"]}'
	launch
	says "SCHED_RESET_ON_FORK" "$(chrt -p "$(pid_of)")"
	is -5 "$(ps -o ni= -p "$(pid_of)" | tr -d ' ')"
}

@test "real-time policies are set, or refused by name where the kernel does not allow them" {
	for policy in SCHED_FIFO SCHED_RR; do
		config --arg p $policy '.process.scheduler = {"policy": $p, "priority": 7}'
		if chrt -r 7 true 2>/dev/null; then
			launch
			says "$policy" "$(chrt -p "$(pid_of)")"
			says ": 7" "$(chrt -p "$(pid_of)" | tail -1)"
			skiff delete -f "$id"
		else
			run -1 skiff run -b "$bundle" "$id"
			one_line
			says ".process.scheduler"
		fi
	done
}

@test "the I/O priority is set" {
	for class in BE:best-effort IDLE:idle; do
		config --arg c "IOPRIO_CLASS_${class%:*}" '.process.ioPriority = {"class": $c, "priority": 6}'
		launch
		says "${class#*:}" "$(ionice -p "$(pid_of)")"
		[[ $class != BE* ]] || says "prio 6" "$(ionice -p "$(pid_of)")"
		skiff delete -f "$id"
	done
}

@test "the personality is set" {
	inside 'uname -m'
	native=$output
	config '.linux.personality = {"domain": "LINUX32"}'
	inside 'uname -m'
	[[ $output != "$native" ]]
	config '.linux.personality = {"domain": "LINUX"}'
	inside 'uname -m'
	is "$native"
}

@test "the memory policy is set" {
	args grep -m1 . /proc/self/numa_maps
	run skiff run -b "$bundle" "$id"
	[[ $status == 0 ]] || skip "this kernel has no NUMA"
	says " default "
	for mode in MPOL_BIND:bind MPOL_INTERLEAVE:interleave MPOL_PREFERRED:prefer; do
		config --arg m "${mode%:*}" '.linux.memoryPolicy = {"mode": $m, "nodes": "0"}'
		run -0 skiff run -b "$bundle" "$id"
		says " ${mode#*:}" "$output"
		says ":0" "$output"
	done
	config '.linux.memoryPolicy = {"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]}'
	run -0 skiff run -b "$bundle" "$id"
	says "bind=static:0"
	config '.linux.memoryPolicy = {"mode": "MPOL_LOCAL"}'
	run -0 skiff run -b "$bundle" "$id"
	says " local"
	config '.linux.memoryPolicy = {"mode": "MPOL_BIND", "nodes": "500"}'
	run -1 skiff run -b "$bundle" "$id"
	one_line
	says ".linux.memoryPolicy"
}

@test "the program may use every processor, however few skiff has; exec as execCPUAffinity says" {
	[[ $(nproc) -gt 1 ]] || skip "there is one processor only"
	args grep Cpus_allowed_list /proc/self/status
	run -0 taskset -c 0 timeout 20 "$SKIFF" --root "$root" run -b "$bundle" "$id"
	is "$(grep Cpus_allowed_list /proc/self/status)"
	config '.process.execCPUAffinity = {"initial": "0", "final": "1"}'
	args sleep 1000
	launch
	is 1 "$(in_container grep Cpus_allowed_list /proc/self/status | cut -f2)"
}

@test "labels of security modules that the kernel lacks are an error that names them" {
	[[ ! -d /sys/kernel/security/apparmor ]] || skip "this kernel has AppArmor"
	config '.process.apparmorProfile = "nonsense"'
	run -1 skiff run -b "$bundle" "$id"
	one_line
	says ".process.apparmorProfile"
	nothing_left
}

@test "an AppArmor profile is set" {
	[[ -d /sys/kernel/security/apparmor ]] || skip "this kernel has no AppArmor"
	config '.process.apparmorProfile = "unconfined"'
	inside 'cat /proc/self/attr/current'
	is unconfined
	config '.process.apparmorProfile = "no-such-profile"'
	run -1 skiff run -b "$bundle" "$id"
	one_line
	says ".process.apparmorProfile"
}

@test "the program begins with no signal blocked or ignored" {
	args grep -E 'Sig(Blk|Ign)' /proc/self/status
	(
		trap '' HUP INT PIPE USR1
		timeout 20 "$SKIFF" --root "$root" run -b "$bundle" "$id" >"$log" 2>&1
	)
	is "0000000000000000 0000000000000000" "$(cut -f2 "$log" | paste -sd' ')"
}

@test "the program cannot be traced or looked into by its processes before it runs" {
	config '.process.user = {"uid": 1000, "gid": 1000}'
	create
	# dumpable is off: its files belong to root
	is 0 "$(stat -c %u "/proc/$(pid_of)/fd")"
}
