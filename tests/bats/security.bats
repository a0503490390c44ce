# What must hold against a hostile root file system, image or program: one test for each row of the list of defences, named
# S1 to S22 with the attacks they stand for. Each fails when its defence is taken out.
load helpers

setup() {
	begin
	victim=$BATS_TEST_TMPDIR/victim # a folder of the host's that nothing may touch
	mkdir "$victim"
}

all_capabilities() {
	config --argjson all "$("$SKIFF" features | jq .linux.capabilities)" '
		.process.capabilities = {bounding: $all, effective: $all, permitted: $all} | .process.noNewPrivileges = false
		| .linux.maskedPaths = [] | .linux.readonlyPaths = []'
}
untouched() {
	is "" "$(ls -A "$victim")"
	run -1 grep -F " $victim" /proc/self/mountinfo
}
swapping() { # A B
	"$tools/swap" "$1" "$2" 3>&- &
	swapper=$!
}
# A hook that looks, while the host can still be seen from the container's mount namespace, whether something is on the victim.
watch_victim() {
	cat >"$BATS_TEST_TMPDIR/watch" <<-END
		#!/bin/bash
		nsenter -t "\$(jq .pid)" -m grep -F ' $victim' /proc/self/mountinfo >>$BATS_TEST_TMPDIR/seen
		exit 0
	END
	chmod 755 "$BATS_TEST_TMPDIR/watch"
	config --arg h "$BATS_TEST_TMPDIR/watch" '.hooks.createRuntime = [{"path": $h}]'
	: >"$BATS_TEST_TMPDIR/seen"
}

@test "S1 a program that is #!/proc/self/exe does not get at the runtime (CVE-2019-5736)" {
	before=$(sha256sum <"$SKIFF")
	all_capabilities
	printf '#!/proc/self/exe\n' >"$bundle/rootfs/bin/payload"
	chmod 755 "$bundle/rootfs/bin/payload"
	args payload
	run skiff run -b "$bundle" "$id"
	[[ $status != 0 ]]
	is "$before" "$(sha256sum <"$SKIFF")"
	nothing_left
}

@test "S1 who waits for exec's processes inside cannot write to what they run" {
	before=$(sha256sum <"$SKIFF")
	all_capabilities
	cat >"$bundle/rootfs/bin/attack" <<-'END'
		#!/bin/sh
		while :; do
			for exe in /proc/[0-9]*/exe; do
				at=$(readlink $exe 2>/dev/null) || continue
				case $at in /bin/busybox|"") continue ;; esac
				echo "saw $at"
				{ exec 9<$exe; } 2>/dev/null && { echo "opened"; (echo x >/proc/self/fd/9) 2>/dev/null && echo "WRITTEN"; }
			done
		done
	END
	chmod 755 "$bundle/rootfs/bin/attack"
	args attack
	launch
	for _ in {1..20}; do
		in_container true
	done
	skiff kill "$id" KILL
	run -1 grep WRITTEN "$log"
	run -1 grep -F "$SKIFF" "$log"
	is "$before" "$(sha256sum <"$SKIFF")"
}

@test "S1 S21 what a waiting container runs is a sealed copy in memory" {
	create
	says "memfd:" "$(readlink "/proc/$(pid_of)/exe")"
	seals=$(/usr/bin/python3 -c 'import fcntl, sys; print(fcntl.fcntl(open(sys.argv[1], "rb"), 1034) & 15)' "/proc/$(pid_of)/exe")
	is 15 "$seals"
	# no file of the runtime is mapped or open in there
	run -1 grep -F "$SKIFF" "/proc/$(pid_of)/maps"
	run -1 bash -c 'ls -l "/proc/$0/fd" | grep -F "$1"' "$(pid_of)" "$SKIFF"
}

@test "S1 a waiting process cannot be looked into from inside" {
	all_capabilities
	config '.process.capabilities |= with_entries(.value -= ["CAP_SYS_PTRACE"]) | .process.user = {"uid": 1000, "gid": 1000}'
	create
	run skiff exec -u 1000 "$id" readlink /proc/1/exe
	[[ $status != 0 ]]
	run skiff exec -u 1000 "$id" sh -c 'ls /proc/1/fd'
	[[ $status != 0 ]]
}

@test "S2 a root whose /proc or /sys is a link is refused (CVE-2019-19921)" {
	for at in proc sys; do
		rm -r "$bundle/rootfs/$at"
		ln -s "$victim" "$bundle/rootfs/$at"
		run -1 skiff run -b "$bundle" "$id"
		one_line
		says "symbolic link"
		rm "$bundle/rootfs/$at"
		ln -s /tmp "$bundle/rootfs/$at"
		run -1 skiff run -b "$bundle" "$id"
		says "symbolic link"
		rm "$bundle/rootfs/$at"
		mkdir "$bundle/rootfs/$at"
	done
	untouched
	nothing_left
}

@test "S2 S12 sysctls go to the kernel, whatever stands at /proc/sys (CVE-2025-52881)" {
	mkdir -p "$BATS_TEST_TMPDIR/fake/net/ipv4"
	echo untouched >"$BATS_TEST_TMPDIR/fake/net/ipv4/ip_forward"
	config --arg s "$BATS_TEST_TMPDIR/fake" '.mounts += [{"destination": "/proc/sys", "source": $s, "options": ["bind"]}]
		| .linux.sysctl = {"net.ipv4.ip_forward": "1"} | .linux.readonlyPaths = []'
	launch
	is untouched "$(<"$BATS_TEST_TMPDIR/fake/net/ipv4/ip_forward")"
	is 1 "$(nsenter -t "$(pid_of)" -n cat /proc/sys/net/ipv4/ip_forward)"
}

@test "S3 links in the root never lead a mount or a file out of it (crun CVE-2019-18837)" {
	echo original >"$victim/file"
	ln -s "$victim" "$bundle/rootfs/abs"
	ln -s "../../../../../../../../..$victim" "$bundle/rootfs/rel"
	ln -s abs "$bundle/rootfs/twice"
	mkdir -p "$bundle/rootfs$victim"
	echo new >"$BATS_TEST_TMPDIR/new"
	config --arg s "$BATS_TEST_TMPDIR/new" '.mounts += (["/abs", "/rel", "/twice"] | map({"destination": (. + "/file"), "source": $s, "options": ["bind"]}))
		| .mounts += [{"destination": "/abs/made/deep", "type": "tmpfs"}] | .process.cwd = "/rel/cwd"
		| .linux.devices = [{"type": "c", "path": "/twice/device", "major": 1, "minor": 3}]
		| .linux.maskedPaths += ["/abs/file"] | .linux.readonlyPaths += ["/rel/file"]'
	watch_victim
	inside true
	is original "$(<"$victim/file")"
	is file "$(ls -A "$victim")"
	is "" "$(<"$BATS_TEST_TMPDIR/seen")"
}

@test "S4 a mount's target that is swapped for a link during the mount stays inside (CVE-2021-30465)" {
	mkdir -p "$bundle/rootfs/volume/target"
	ln -s "$victim" "$bundle/rootfs/volume/other"
	config '.mounts += ([range(5)] | map({"destination": "/volume/target", "type": "tmpfs"})) | .process.args = ["true"]'
	watch_victim
	swapping "$bundle/rootfs/volume/target" "$bundle/rootfs/volume/other"
	for _ in {1..30}; do
		run skiff run -b "$bundle" "$id"
	done
	kill -KILL $swapper
	is "" "$(<"$BATS_TEST_TMPDIR/seen")"
	untouched
}

@test "S5 long arguments and many of everything arrive whole (CVE-2021-43784)" {
	config '.process.env += ([range(2000)] | map("VARIABLE_\(.)=" + ("x" * 60)))
		| .process.args = (["sh", "-c", "echo $# ${#1} ${#2000} $VARIABLE_1999 | md5sum; id -u; hostname", "sh"] + ([range(2000)] | map("y" * 50)))
		| .annotations = ([range(500)] | map({key: "k\(.)", value: ("z" * 200)}) | from_entries)'
	run -0 skiff run -b "$bundle" "$id"
	is "$(echo 2000 50 50 "$(printf 'x%.0s' {1..60})" | md5sum) 0 skiff" "$(paste -sd' ' <<<"$output")"
}

@test "S5 more than 65535 bytes of maps are refused or taken, never cut" {
	users 100000
	config '.linux.uidMappings = ([range(400)] | map({"containerID": (. * 2), "hostID": (100000 + . * 2), "size": 1}))
		| .mounts |= map(if .options then .options -= ["gid=5"] else . end)'
	try_inside 'wc -l </proc/self/uid_map'
	if [[ $status == 0 ]]; then is 400; else one_line; fi
}

@test "S6 capabilities are never inheritable unless asked for (CVE-2022-29162)" {
	launch
	is "CapInh:	0000000000000000" "$(grep CapInh "/proc/$(pid_of)/status")"
	is "CapInh:	0000000000000000" "$(skiff exec --cap CAP_NET_RAW "$id" grep CapInh /proc/self/status)"
	run -0 skiff exec -p - "$id" <<<'{"cwd": "/", "args": ["/bin/grep", "CapInh", "/proc/self/status"],
		"capabilities": {"bounding": ["CAP_KILL"], "effective": ["CAP_KILL"], "permitted": ["CAP_KILL"]}}'
	is "CapInh:	0000000000000000"
	run -0 skiff spec -f -
	jq -e '.process.capabilities | has("inheritable") or has("ambient") | not' <<<"$output"
}

@test "S7 the host's cgroups cannot be written from inside (CVE-2023-25809)" {
	all_capabilities
	config '(.mounts[] | select(.type == "cgroup") | .options) -= ["ro"]'
	launch
	run in_container sh -c 'ls -d /sys/fs/cgroup/skiff; echo 1 >/sys/fs/cgroup/../cgroup.procs; echo 1 >/proc/1/root/sys/fs/cgroup/../x'
	[[ $output != *"cgroup/skiff"$'\n'* ]]
	is "0::/" "$(in_container grep ^0: /proc/self/cgroup)"
	skiff delete -f "$id"
	config 'del(.linux.namespaces[] | select(.type == "cgroup"))'
	try_inside 'mkdir /sys/fs/cgroup/x; echo 0 >/sys/fs/cgroup/cgroup.freeze'
	is 2 "$(grep -c 'Read-only file system' <<<"$output")"
}

@test "S8 a working directory that is a descriptor leads nowhere (CVE-2024-21626)" {
	all_capabilities
	exec 9</
	for n in {3..24}; do
		for cwd in "/proc/self/fd/$n" "/proc/1/fd/$n" "/proc/self/fd/$n/../.."; do
			config --arg c "$cwd" '.process.cwd = $c | .process.args = ["sh", "-c", "ls -d work usr home /proc/self/cwd/usr 2>/dev/null; pwd"]'
			run skiff run -b "$bundle" "$id"
			[[ $status != 0 || $output == /proc/* || $output == / ]] || { echo "$cwd: $output"; false; }
			[[ $output != *usr* ]]
		done
	done
	exec 9<&-
	nothing_left
}

@test "S8 the same through a link in the image, and with exec --cwd" {
	exec 9</
	for n in {3..16}; do
		ln -sfn "/proc/self/fd/$n" "$bundle/rootfs/link"
		config '.process.cwd = "/link" | .process.args = ["sh", "-c", "ls -d usr work 2>/dev/null; true"]'
		run skiff run -b "$bundle" "$id"
		[[ $output != *usr* ]]
	done
	config '.process.cwd = "/" | .process.args = ["sleep", "1000"]'
	launch
	for n in {3..16}; do
		for cwd in "/proc/self/fd/$n" "/proc/1/cwd/../../../.."; do
			run skiff exec --cwd "$cwd" "$id" sh -c 'ls -d usr work 2>/dev/null; true'
			[[ $output != *usr* ]]
		done
	done
	exec 9<&-
}

@test "S8 no descriptor of the host's reaches a program, a hook inside or an exec" {
	all_capabilities
	exec 9</ 8<"$cgroups"
	printf '#!/bin/sh\nprobe fds >/fds\n' >"$bundle/rootfs/bin/h"
	chmod 755 "$bundle/rootfs/bin/h"
	config '.hooks.startContainer = [{"path": "/bin/h"}]'
	args probe fds
	run -0 skiff run -b "$bundle" "$id"
	is "0 1 2" "$(cut -d' ' -f1 <<<"$output" | paste -sd' ')"
	is "0 1 2" "$(cut -d' ' -f1 "$bundle/rootfs/fds" | paste -sd' ')"
	args sleep 1000
	launch
	run -0 in_container probe fds
	is "0 1 2" "$(cut -d' ' -f1 <<<"$output" | paste -sd' ')"
	exec 9<&- 8<&-
}

@test "S9 folders for targets that are made while a link is swapped in stay inside (CVE-2024-45310)" {
	mkdir -p "$bundle/rootfs/volume/a"
	ln -s "$victim" "$bundle/rootfs/volume/b"
	config '.mounts += ([range(8)] | map({"destination": "/volume/a/d\(.)/e/f", "type": "tmpfs"})) | .process.args = ["true"]'
	swapping "$bundle/rootfs/volume/a" "$bundle/rootfs/volume/b"
	for _ in {1..30}; do
		run skiff run -b "$bundle" "$id"
	done
	kill -KILL $swapper
	untouched
}

@test "S10 masks are made of the host's null device, not of what the image calls so (CVE-2025-31133)" {
	config 'del(.mounts[] | select(.destination | startswith("/dev"))) | .linux.maskedPaths = ["/proc/cpuinfo"]'
	mkdir -p "$bundle/rootfs/dev"
	ln -s /proc/sys/kernel/core_pattern "$bundle/rootfs/dev/null"
	inside 'stat -c "%F %t %T" /proc/cpuinfo; wc -c </proc/cpuinfo'
	is "character special file 1 3" "${lines[0]}"
	is 0 "${lines[1]}"
	rm "$bundle/rootfs/dev/"*
	echo fake >"$bundle/rootfs/dev/null"
	inside 'stat -c "%F %t %T" /proc/cpuinfo'
	is "character special file 1 3"
}

@test "S11 a console that is a link in the image is not followed out of it (CVE-2025-52565)" {
	echo original >"$victim/file"
	config '.process.terminal = true | .mounts |= map(select(.destination != "/dev"))'
	mkdir -p "$bundle/rootfs/dev/pts"
	ln -s "$victim/file" "$bundle/rootfs/dev/console"
	ln -s /proc/sys/kernel/core_pattern "$bundle/rootfs/dev/pts/0"
	args sh -c 'tty; echo written >/dev/console; echo over'
	watch_victim
	run timeout -k 2 40 "$tools/terminal" "$SKIFF" --root "$root" run -b "$bundle" "$id" 3>&- 4>&- <<<end
	says "status 1 cooked" # there is no such file inside
	mkdir -p "$bundle/rootfs$victim"
	touch "$bundle/rootfs$victim/file"
	run timeout -k 2 40 "$tools/terminal" "$SKIFF" --root "$root" run -b "$bundle" "$id" 3>&- 4>&- <<<end
	says /dev/pts/0
	says "status 0 cooked"
	is "" "$(<"$BATS_TEST_TMPDIR/seen")"
	is original "$(<"$victim/file")"
}

@test "S13 a root whose /dev is a link gets no devices on the host" {
	rm -r "$bundle/rootfs/dev"
	for link in "$victim" "../../../../../../../../..$victim"; do
		ln -sfn "$link" "$bundle/rootfs/dev"
		for filter in . 'del(.mounts[] | select(.destination == "/dev"))' 'del(.mounts[] | select(.destination | startswith("/dev")))'; do
			run skiff run -b "$bundle" -f <(jq "$filter | .process.args = [\"true\"]" "$bundle/config.json") "$id"
			untouched
		done
	done
	nothing_left
}

@test "S13 S9 a /dev that is swapped for a link during the set-up gets no devices on the host" {
	ln -s "$victim" "$bundle/rootfs/other"
	config '.process.args = ["true"] | .linux.devices = [{"type": "p", "path": "/dev/deep/down/pipe"}]'
	swapping "$bundle/rootfs/dev" "$bundle/rootfs/other"
	for _ in {1..15}; do
		run skiff run -b "$bundle" "$id"
		run skiff run -b "$bundle" -f <(jq 'del(.mounts[] | select(.destination | startswith("/dev")))' "$bundle/config.json") "$id"
	done
	kill -KILL $swapper
	untouched
}

@test "S14 numbers of users are read strictly, never to become root (crun CVE-2026-30892, CVE-2024-40635)" {
	launch
	for bad in 4294967296 4294967295 18446744073709551616 -1 0x0 '1 ' 1a '' 00000000000000000000001 :0; do
		run skiff exec -u "$bad" "$id" id -u
		[[ $status == 255 && $output != 0 ]] || [[ $output == 1 ]] || { echo "$bad: $output"; false; }
	done
	skiff delete -f "$id"
	for bad in 4294967296 -1 1e3 1.0; do
		config '.process.user.uid = 4711'
		sed -i "s/4711/$bad/" "$bundle/config.json"
		run -1 skiff run -b "$bundle" "$id"
		one_line
	done
}

@test "S17 other users can neither read the states nor reach a socket (CVE-2020-15257)" {
	create
	config '.process.env += ["SECRET=1"]'
	chmod 755 "$BATS_TEST_TMPDIR" "${BATS_TEST_TMPDIR%/*}"
	for file in "" /config.json /state.json /start.sock; do
		run setpriv --reuid 65534 --regid 65534 --clear-groups ls "$root/$id$file"
		[[ $status != 0 ]] || { echo "$file"; false; }
	done
	run setpriv --reuid 65534 --regid 65534 --clear-groups ls "$root"
	[[ $status != 0 ]]
	run -1 grep '@' <(awk '$8 ~ /^@/ && $8 ~ /skiff|'"$id"'/' /proc/net/unix)
	run -1 grep '@' <(nsenter -t "$(pid_of)" -n cat /proc/net/unix | awk '$8 ~ /^@/')
}

@test "S19 hooks get nothing of the container's: not its environment, nor its folder (CVE-2025-23266)" {
	printf '#!/bin/bash\npwd >%s\ntr "\\0" "\\n" </proc/self/environ >>%s\n' "$victim/hook" "$victim/hook" >"$BATS_TEST_TMPDIR/h"
	chmod 755 "$BATS_TEST_TMPDIR/h"
	config --arg h "$BATS_TEST_TMPDIR/h" '.process.env += ["LD_PRELOAD=./evil.so", "LD_LIBRARY_PATH=."] |
		.hooks = {"createContainer": [{"path": $h}], "createRuntime": [{"path": $h}]} | .process.args = ["true"]'
	cd "$bundle/rootfs"
	run -0 env LD_BIND_NOW=secret "$SKIFF" --root "$root" run -b "$bundle" "$id"
	is / "$(<"$victim/hook")"
}

@test "S20 the default configuration leaves no way to the host's kernel knobs" {
	inside 'for f in /proc/sysrq-trigger /proc/sys/kernel/core_pattern /proc/sys/vm/drop_caches /sys/kernel/uevent_helper /proc/irq/default_smp_affinity; do
		(echo x >$f) 2>&1; done; mount -t tmpfs x /tmp 2>&1; mknod /tmp/x c 1 1 2>&1; true'
	is "" "$(grep -v -e 'Read-only' -e 'ermitted' -e 'denied' -e 'nonexistent' -e 'No such' <<<"$output")"
}

@test "S21 no read-only bind of the runtime can be remounted from inside" {
	all_capabilities
	inside 'cat /proc/self/mountinfo'
	run -1 grep -F -e skiff-init -e "${SKIFF##*/work}" <<<"$output"
}

@test "S22 commands that race for one container leave it whole or gone" {
	for _ in {1..6}; do
		skiff create -b "$bundle" "$id" >"$log" 2>&1 &
		skiff delete --force "$id" >/dev/null 2>&1 &
		skiff start "$id" >/dev/null 2>&1 &
		skiff exec "$id" true >/dev/null 2>&1 &
		skiff kill "$id" KILL >/dev/null 2>&1 &
		skiff state "$id" >/dev/null 2>&1 &
		skiff list >/dev/null 2>&1 || true
		wait
		skiff delete --force "$id"
		nothing_left
	done
}

@test "S22 a signal never goes to a process that took over the number" {
	launch
	skiff kill "$id" KILL
	eventually status_is stopped
	sleep 1000 &
	other=$!
	read -r _ start <"$root/$id/init"
	echo "$other $start" >"$root/$id/init"
	run -1 skiff kill "$id" KILL
	run -0 skiff delete --force "$id"
	kill -0 $other
	kill $other
}
