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
watcher_program() { # FILE
	musl-gcc -static -Os -Wall -Werror -o "$1" "$top/tests/data/attack.c"
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
				(exec 9<$exe && echo "opened" && echo x >/proc/self/fd/9 && echo "WRITTEN") 2>/dev/null
			done
		done
	END
	chmod 755 "$bundle/rootfs/bin/attack"
	args attack
	launch
	for _ in $(often 20); do
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
	for _ in $(often 30); do
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
	for _ in $(often 30); do
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
	for _ in $(often 15); do
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

@test "S1 what waits for start is a sealed copy, which cannot be written to even when nobody runs it" {
	before=$(sha256sum <"$SKIFF")
	all_capabilities
	create
	run -0 in_container sh -c 'readlink /proc/1/exe; echo evil >/proc/1/exe; true'
	says "/memfd:skiff-init (deleted)" "${lines[0]}"
	says "Text file busy" "${lines[1]}"
	python3 - "$(pid_of)" "$SKIFF" "$root" "$id" <<-'PYTHON'
		import fcntl, os, subprocess, sys
		pid, skiff, root, id = sys.argv[1:]
		fd = os.open(f"/proc/{pid}/exe", os.O_RDONLY)
		seals = fcntl.fcntl(fd, 1034)
		assert seals & 0xf == 0xf, seals
		subprocess.run([skiff, "--root", root, "start", id], check=True, timeout=20)
		try:
		    os.write(os.open(f"/proc/self/fd/{fd}", os.O_WRONLY), b"evil")
		    sys.exit("written")
		except PermissionError:
		    pass
	PYTHON
	is "$before" "$(sha256sum <"$SKIFF")"
}

@test "S1 S21 a watcher inside never sees the host's program while exec enters, nor can open what it sees" {
	watcher_program "$bundle/rootfs/bin/attack"
	all_capabilities
	mkfifo "$BATS_TEST_TMPDIR/stop"
	launch
	skiff exec "$id" attack <>"$BATS_TEST_TMPDIR/stop" >"$log.seen" 2>&1 &
	watcher=$!
	eventually holds "$log.seen" ready
	for _ in {1..40}; do in_container true; done
	echo >"$BATS_TEST_TMPDIR/stop"
	wait "$watcher"
	run cat "$log.seen"
	says "/memfd:skiff-init (deleted)"
	says "/bin/attack"
	[[ $output != *"$SKIFF"* && $output != *"build/skiff"* ]]
	run ! grep '^opened .*skiff' "$log.seen"
}

@test "S1 S21 a watcher in a pid namespace that another container joins never sees the host's program" {
	watcher_program "$bundle/rootfs/bin/attack"
	all_capabilities
	mkfifo "$BATS_TEST_TMPDIR/stop"
	launch
	skiff exec "$id" attack <>"$BATS_TEST_TMPDIR/stop" >"$log.seen" 2>&1 &
	watcher=$!
	eventually holds "$log.seen" ready
	config --arg ns "/proc/$(pid_of)/ns/pid" '(.linux.namespaces[] | select(.type == "pid")).path = $ns | .process.args = ["true"]'
	for _ in {1..15}; do skiff run -b "$bundle" "$id-2"; done
	echo >"$BATS_TEST_TMPDIR/stop"
	wait "$watcher"
	run cat "$log.seen"
	says "/memfd:skiff-init (deleted)"
	[[ $output != *"$SKIFF"* && $output != *"build/skiff"* ]]
	run ! grep '^opened .*skiff' "$log.seen"
}

@test "S2 S12 a volume over /proc does not receive what the runtime writes to the real one" {
	mkdir -p "$BATS_TEST_TMPDIR/fake/sys/net/ipv4" "$BATS_TEST_TMPDIR/fake/self/attr"
	echo fake >"$BATS_TEST_TMPDIR/fake/sys/net/ipv4/ip_default_ttl"
	echo fake >"$BATS_TEST_TMPDIR/fake/self/oom_score_adj"
	config --arg s "$BATS_TEST_TMPDIR/fake" '.mounts += [{destination: "/proc", source: $s, options: ["bind"]}]
		| .linux.sysctl = {"net.ipv4.ip_default_ttl": "77"} | .process.oomScoreAdj = 123 | .linux.maskedPaths = [] | .linux.readonlyPaths = []'
	launch
	is 77 "$(nsenter -t "$(pid_of)" -n cat /proc/sys/net/ipv4/ip_default_ttl)"
	is 123 "$(<"/proc/$(pid_of)/oom_score_adj")"
	is fake "$(<"$BATS_TEST_TMPDIR/fake/sys/net/ipv4/ip_default_ttl")"
	is fake "$(<"$BATS_TEST_TMPDIR/fake/self/oom_score_adj")"
}

@test "S2 S12 a sysctl file that the volume makes a link leads nowhere" {
	mkdir -p "$BATS_TEST_TMPDIR/fake/sys/net/ipv4"
	echo untouched >"$BATS_TEST_TMPDIR/secret"
	ln -s "$BATS_TEST_TMPDIR/secret" "$BATS_TEST_TMPDIR/fake/sys/net/ipv4/ip_default_ttl"
	config --arg s "$BATS_TEST_TMPDIR/fake" '.mounts += [{destination: "/proc", source: $s, options: ["bind"]}]
		| .linux.sysctl = {"net.ipv4.ip_default_ttl": "77"} | .linux.maskedPaths = [] | .linux.readonlyPaths = []'
	launch
	is 77 "$(nsenter -t "$(pid_of)" -n cat /proc/sys/net/ipv4/ip_default_ttl)"
	is untouched "$(<"$BATS_TEST_TMPDIR/secret")"
}

@test "S3 S4 the magic links of /proc do not lead a mount, a device or a working directory to the host" {
	n=0
	for link in /proc/self/root /proc/1/root /proc/self/cwd /proc/self/fd/{3..12}; do
		ln -sfn "$link" "$bundle/rootfs/magic"
		for d in "/magic$victim/x" "$link$victim/x" "/magic/x"; do
			config --arg d "$d" '.mounts[7:] = [{destination: $d, type: "tmpfs", source: "tmpfs"}]'
			try_inside true
			untouched
		done
		config --arg d "/magic$victim" '.mounts[7:] = [] | .process.cwd = ($d + "/cwd")
			| .linux.devices = [{type: "c", path: ($d + "/null"), major: 1, minor: 3}]'
		try_inside true
		untouched
		config '.process.cwd = "/" | .linux.devices = []'
		n=$((n + 1))
	done
	is 13 "$n"
}

@test "S5 configurations beyond 64 KiB arrive whole" {
	config '.process.env += ["BIG=" + ("x" * 100000), "BIGGER=" + ("y" * 120000)]'
	inside 'echo ${#BIG} ${#BIGGER}'
	is "100000 120000"
	config '.process.args = ["sh", "-c", "echo $#", "sh"] + [range(20000) | tostring]'
	run -0 skiff run -b "$bundle" "$id"
	is 20000
}

@test "S5 two hundred id maps arrive whole" {
	chmod 755 "$BATS_TEST_TMPDIR" "${BATS_TEST_TMPDIR%/*}"
	chown -hR 100000:100000 "$bundle/rootfs"
	config '.linux.namespaces += [{"type": "user"}] | .linux.uidMappings = [range(200) | {containerID: (. * 2), hostID: (100000 + . * 2), size: 1}]
		| .linux.gidMappings = .linux.uidMappings'
	config 'del(.mounts[] | select(.type == "devpts").options[] | select(startswith("gid=")))'
	inside 'wc -l </proc/self/uid_map; tail -n1 /proc/self/uid_map'
	is 200 "${lines[0]}"
	says 100398 "${lines[1]}"
}

@test "S7 with a user namespace and none for cgroups the host's cgroups cannot be written to" {
	users 100000
	config '.linux.namespaces |= map(select(.type != "cgroup")) | (.mounts[] | select(.type == "cgroup")).options = ["rw"]'
	inside 'cd /sys/fs/cgroup; mkdir x; echo $$ >cgroup.procs; mount -o remount,rw /sys/fs/cgroup; mkdir x; echo done'
	is 3 "$(grep -c 'Read-only' <<<"$output")"
}

@test "S8 a program through a descriptor of the caller's is not run" {
	printf '#!/bin/sh\necho ran the host\n' >"$BATS_TEST_TMPDIR/program"
	chmod 755 "$BATS_TEST_TMPDIR/program"
	for n in {3..20}; do
		args "/proc/self/fd/$n/program"
		run ! skiff run -b "$bundle" "$id" 8<"$BATS_TEST_TMPDIR"
		[[ $output != *"ran the host"* ]] || { echo "$n: $output"; false; }
	done
	args sleep 1000
	launch
	for n in {3..20}; do
		run ! skiff exec "$id" "/proc/self/fd/$n/program" 8<"$BATS_TEST_TMPDIR"
		[[ $output != *"ran the host"* ]] || { echo "$n: $output"; false; }
	done
}

@test "S8 what waits for start has no folder open" {
	create 8</etc 9<"$BATS_TEST_TMPDIR"
	for fd in "/proc/$(pid_of)/fd/"*; do
		[[ ! -d $fd ]] || { echo "$fd is $(readlink "$fd")"; false; }
	done
}

@test "S10 a volume at /dev with a null of its own masks nothing wrongly" {
	echo secret >"$bundle/rootfs/etc/hidden"
	mkdir -p "$BATS_TEST_TMPDIR/dev"/{pts,shm,mqueue}
	ln -s /proc/sys/kernel/core_pattern "$BATS_TEST_TMPDIR/dev/null"
	config --arg s "$BATS_TEST_TMPDIR/dev" '(.mounts[] | select(.destination == "/dev")) = {destination: "/dev", source: $s, options: ["bind"]}
		| .linux.maskedPaths = ["/etc/hidden"]'
	inside 'stat -c "%t %T" /etc/hidden'
	is "1 3"
}

@test "S11 a /dev/pts that is no devpts gives no terminal" {
	ln -s /dev/ptmx "$BATS_TEST_TMPDIR/ptmx"
	mkdir -p "$bundle/rootfs/dev/pts"
	mknod "$bundle/rootfs/dev/pts/ptmx" c 5 2
	config 'del(.mounts[] | select(.destination | startswith("/dev"))) | .process.terminal = true'
	"$tools/receive" "$BATS_TEST_TMPDIR/socket" terminal >"$log.tty" 2>&1 3>&- &
	eventually test -S "$BATS_TEST_TMPDIR/socket"
	run -1 skiff create -b "$bundle" --console-socket "$BATS_TEST_TMPDIR/socket" "$id"
	one_line
	says "/dev/pts"
	nothing_left
}

@test "S19 hooks have nothing of the container's: no environment, no folder, no descriptor" {
	config '.process.env += ["LD_PRELOAD=/evil.so", "EVIL=1"] | .process.cwd = "/tmp"'
	for kind in prestart createRuntime createContainer poststart poststop; do
		printf '#!/bin/sh\ntr "\\0" "\\n" </proc/self/environ >%s\npwd >%s\nls -l /proc/self/fd >%s\n' \
			"$BATS_TEST_TMPDIR/$kind".{env,cwd,fds} >"$BATS_TEST_TMPDIR/$kind"
		chmod 755 "$BATS_TEST_TMPDIR/$kind"
		config --arg k "$kind" --arg p "$BATS_TEST_TMPDIR/$kind" '.hooks[$k] = [{path: $p, env: ["ONLY=this", "PATH=/usr/bin:/bin"]}]'
	done
	printf '#!/bin/sh\nprobe fds >/trace/start.fds\n' >"$bundle/rootfs/bin/hook"
	chmod 755 "$bundle/rootfs/bin/hook"
	mkdir "$BATS_TEST_TMPDIR/trace"
	config --arg t "$BATS_TEST_TMPDIR/trace" '.mounts += [{"destination": "/trace", "source": $t, "options": ["bind"]}]
		| .hooks.startContainer = [{path: "/bin/hook", env: ["PATH=/bin"]}]'
	launch 8</etc
	skiff delete --force "$id"
	for kind in prestart createRuntime createContainer poststart poststop; do
		is $'ONLY=this\nPATH=/usr/bin:/bin' "$(grep -v -e ^PWD= -e ^SHLVL= -e ^_= -e ^OLDPWD= "$BATS_TEST_TMPDIR/$kind.env" | sort)"
		[[ $(<"$BATS_TEST_TMPDIR/$kind.cwd") =~ ^(/|"$bundle"|"$bundle/rootfs")$ ]] || { echo "$kind in $(<"$BATS_TEST_TMPDIR/$kind.cwd")"; false; }
		is "0 1 2 3" "$(awk 'NF > 2 { print $9 }' "$BATS_TEST_TMPDIR/$kind.fds" | paste -sd' ')"
		says "3 -> /proc/" "$(<"$BATS_TEST_TMPDIR/$kind.fds")"
	done
	is "0 1 2" "$(cut -d' ' -f1 "$BATS_TEST_TMPDIR/trace/start.fds" | paste -sd' ')"
}

@test "S22 a process that got the pid of a dead container is not signalled, not even by delete --force" {
	launch
	real=$(<"$root/$id/init")
	sleep 100 3>&- 4>&- &
	innocent=$!
	started=$(sed 's/.*) //' "/proc/$innocent/stat" | cut -d' ' -f20)
	echo "$innocent $((started + 1))" >"$root/$id/init"
	status_is stopped
	run -1 skiff kill "$id" KILL
	says "not running"
	run skiff exec "$id" true
	[[ $status != 0 ]]
	skiff kill --all "$id" TERM || true
	kill -0 "$innocent"
	echo "$real" >"$root/$id/init"
	skiff delete --force "$id"
	kill -0 "$innocent"
	kill -KILL "$innocent"
}

@test "S22 deletes that race each other and a create of the same id leave nothing and kill nobody else's" {
	for _ in $(often 12); do
		(create || true) >/dev/null 2>&1 3>&- 4>&- &
		(sleep 0.0$((RANDOM % 4)); skiff delete --force "$id") >/dev/null 2>&1 3>&- 4>&- &
		(sleep 0.0$((RANDOM % 4)); skiff delete --force "$id") >/dev/null 2>&1 3>&- 4>&- &
		(sleep 0.0$((RANDOM % 4)); create || true) >/dev/null 2>&1 3>&- 4>&- &
		wait
		skiff delete --force "$id"
		[[ ! -e $root/$id ]]
		eventually nothing_left
	done
}
