# skiff spec, features, help and version.
load helpers

@test "spec writes a config.json that runs as it is, but for the terminal" {
	rm "$bundle/config.json"
	run -0 skiff spec -b "$bundle"
	is ""
	config '.process.terminal = false | .process.args = ["echo", "runs"]'
	run -0 skiff run -b "$bundle" "$id"
	is runs
}

@test "spec refuses to overwrite" {
	echo mine >"$bundle/config.json"
	run -1 skiff spec -b "$bundle"
	one_line
	says "exists already"
	is mine "$(<"$bundle/config.json")"
}

@test "spec writes here without -b, and elsewhere with -f" {
	cd "$BATS_TEST_TMPDIR"
	run -0 skiff spec
	jq -e . config.json
	run -0 skiff spec -f other.json
	cmp config.json other.json
	run -0 skiff spec -f -
	is "$(<config.json)"
}

@test "the example has no inheritable capability and hides what tells of the host" {
	run -0 skiff spec -f -
	jq -e '.process.capabilities | (has("inheritable") or has("ambient")) | not' <<<"$output"
	jq -e '.process.noNewPrivileges == true and .ociVersion == "1.3.0"' <<<"$output"
	jq -e '.linux.maskedPaths | index("/proc/kcore") and index("/proc/keys") and index("/sys/firmware") and
		index("/sys/devices/virtual/powercap") and index("/proc/interrupts")' <<<"$output"
	jq -e '.linux.readonlyPaths | index("/proc/sys") and index("/proc/sysrq-trigger")' <<<"$output"
	jq -e '.process.user.uid == 0 and .process.user.gid == 0' <<<"$output"
}

@test "the example is the one in the sources" {
	run -0 skiff spec -f -
	is "$(<"$top/config.json.example")"
}

@test "the example is accepted by another runtime" {
	command -v runc >/dev/null || skip "runc is not installed"
	skiff spec -f - | jq '.process.terminal = false | .process.args = ["echo", "runs"]' >"$bundle/config.json"
	run timeout 20 runc --root "$BATS_TEST_TMPDIR/runc" run -b "$bundle" "$id"
	[[ $status == 0 ]] || skip "runc does not run here: $output"
	is runs
}

@test "spec --rootless has a user namespace and no cgroup limits" {
	run -0 skiff spec --rootless -f -
	jq -e '[.linux.namespaces[].type] | index("user")' <<<"$output"
	jq -e '.linux.uidMappings[0].containerID == 0 and .linux.uidMappings[0].size == 1' <<<"$output"
	jq -e '[.mounts[].options[]?] | any(startswith("gid=")) | not' <<<"$output"
}

@test "features is what the specification's schema asks for" {
	run -0 skiff features
	jq -e '
		.ociVersionMin == "1.0.0" and .ociVersionMax == "1.3.0"
		and (.hooks | sort) == (["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"] | sort)
		and (.mountOptions | all(type == "string"))
		and (.linux.namespaces | sort) == ["cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"]
		and (.linux.capabilities | all(test("^CAP_[A-Z_]+$")) and index("CAP_SYS_ADMIN") and index("CAP_CHECKPOINT_RESTORE"))
		and (.linux.cgroup | .v1 == false and .v2 == true and (.systemd | type) == "boolean" and (.systemdUser | type) == "boolean"
			and .rdma == true)
		and (.linux.seccomp | .enabled == true and (.actions | index("SCMP_ACT_NOTIFY") and index("SCMP_ACT_KILL_PROCESS"))
			and (.operators | length) == 7 and (.archs | index("SCMP_ARCH_X86_64") and index("SCMP_ARCH_RISCV64"))
			and (.knownFlags | index("SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"))
			and (.supportedFlags - .knownFlags) == [])
		and (.linux.apparmor.enabled | type) == "boolean" and (.linux.selinux.enabled | type) == "boolean"
		and .linux.mountExtensions.idmap.enabled == true
		and .linux.intelRdt.enabled == true and .linux.intelRdt.schemata == true
		and (.linux.memoryPolicy.modes | length) == 7 and (.linux.memoryPolicy.flags | length) == 3
		and (.linux.netDevices.enabled | type) == "boolean"
		and (.annotations | all(type == "string"))
		and (.potentiallyUnsafeConfigAnnotations | all(type == "string"))' <<<"$output"
}

@test "features has no member that the specification does not know" {
	run -0 skiff features
	is "[]" "$(jq -c 'keys - ["ociVersionMin", "ociVersionMax", "hooks", "mountOptions", "linux", "annotations",
		"potentiallyUnsafeConfigAnnotations"]' <<<"$output")"
	is "[]" "$(jq -c '.linux | keys - ["namespaces", "capabilities", "cgroup", "seccomp", "apparmor", "selinux", "intelRdt",
		"memoryPolicy", "mountExtensions", "netDevices"]' <<<"$output")"
}

@test "features names every mount option that the specification asks for" {
	run -0 skiff features
	for word in async atime bind defaults dev diratime dirsync exec iversion lazytime loud noatime nodev nodiratime noexec \
		noiversion nolazytime norelatime nostrictatime nosuid private rbind relatime remount ro rprivate rshared rslave \
		runbindable rw shared silent slave strictatime suid sync unbindable nosymfollow symfollow rnosymfollow rsymfollow \
		rro rrw rnosuid rsuid rnodev rdev rnoexec rexec rnodiratime rdiratime rrelatime rnorelatime rnoatime ratime \
		rstrictatime rnostrictatime idmap ridmap tmpcopyup; do
		jq -e --arg w $word '.mountOptions | index($w)' <<<"$output" >/dev/null || { echo "missing: $word"; false; }
	done
	jq -e '.mountOptions | length == (unique | length)' <<<"$output"
}

@test "version begins with the name and says which specification" {
	for words in version --version -v; do
		run -0 skiff $words
		[[ ${lines[0]} == "skiff version "* ]]
		[[ ${lines[1]} == "commit: "* ]]
		is "spec: 1.3.0" "${lines[2]}"
		[[ ${lines[3]} == +* ]]
	done
}

@test "help names every command, and each command's help its options" {
	run -0 skiff help
	all=$output
	for command in create start run state kill delete exec list ps pause resume update events spec features explain help version; do
		says "  $command " "$all"
		run -0 skiff help $command
		says "usage: skiff [GLOBAL OPTION...] $command"
		of_help=$output
		run -0 skiff $command --help
		is "$of_help"
		run -0 skiff $command -h
		is "$of_help"
	done
	run -0 skiff --help
	is "$all"
	run -0 skiff
	is "$all"
	for option in --root --log --log-format --log-level --debug --cgroup-manager --systemd-cgroup --rootless --version; do
		says "$option" "$all"
	done
}

@test "the options that callers pass are there" {
	while read -r command options; do
		run -0 skiff help "$command"
		for option in $options; do
			says "$option" || { echo "of $command"; false; }
		done
	done <<-'END'
		create --bundle --config --console-socket --pid-file --pidfd-socket --preserve-fds --no-pivot --no-new-keyring
		run --bundle --config --console-socket --pid-file --pidfd-socket --preserve-fds --no-pivot --no-new-keyring --no-subreaper --detach --keep
		exec --process --cwd --env --user --tty --detach --pid-file --console-socket --no-new-privs --process-label --apparmor --cap --preserve-fds --additional-gids --ignore-paused --cgroup --pidfd-socket
		kill --all --regex
		delete --force --regex
		list --quiet --format
		ps --format
		update --resources --cpu-period --cpu-quota --cpu-share --cpuset-cpus --cpuset-mems --memory --memory-reservation --memory-swap --pids-limit --blkio-weight --cpu-rt-period --cpu-rt-runtime --kernel-memory --kernel-memory-tcp --cpu-burst --cpu-idle
		events --interval --stats
		spec --bundle --rootless --config
	END
}

@test "an unknown command or option is an error that names it" {
	run -1 skiff nonsense
	one_line
	says nonsense
	run -1 skiff help nonsense
	one_line
	run -1 skiff --nonsense list
	one_line
	says nonsense
	run -1 skiff list --nonsense
	one_line
	says nonsense
	run -1 skiff state
	one_line
	says "want: skiff state ID"
	run -1 skiff state a b
	one_line
	run -1 skiff --log-level nonsense list
	one_line
	run -1 skiff --root
	one_line
}

@test "--root / is refused" {
	run -1 timeout 5 "$SKIFF" --root / list
	one_line
	says "--root /"
}

@test "the root may be relative" {
	cd "$BATS_TEST_TMPDIR"
	timeout 20 "$SKIFF" --root states run -d -b bundle "$id" >"$log" 2>&1
	status_is running
	is "$bundle" "$(state_of bundle)"
}
