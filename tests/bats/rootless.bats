# Rootless: skiff run by an ordinary user, with nothing prepared for it but, perhaps, an entry in /etc/subuid.
load helpers

user=65534 # nobody

setup() {
	begin
	kept=$BATS_TEST_TMPDIR/kept
	mkdir "$kept"
	cp -p /etc/subuid /etc/subgid "$kept" 2>/dev/null || true
	home=$BATS_TEST_TMPDIR/home
	mkdir -p "$home/run"
	mv "$bundle" "$home/bundle"
	bundle=$home/bundle
	cp "$SKIFF" "$home/skiff"
	chown -R $user:$user "$home"
	chmod 755 "$BATS_TEST_TMPDIR" "${BATS_TEST_TMPDIR%/*}" "$home" "$bundle"
	# the sample configuration of the terminal group cannot be mapped by one user alone: skiff drops it
	sub none
}

teardown() {
	as_user "$home/skiff" delete --force "$id" 2>/dev/null || true
	for name in subuid subgid; do
		rm -f "/etc/$name"
		[[ ! -e $kept/$name ]] || cp -p "$kept/$name" "/etc/$name"
	done
	finish
}

# Entries for the user: none, or so many ids from 200000 on.
sub() { # none|N
	for name in subuid subgid; do
		grep -v -e '^nobody:' -e '^65534:' "$kept/$name" >"/etc/$name" 2>/dev/null || true
		[[ $1 == none ]] || echo "nobody:200000:$1" >>"/etc/$name"
		chmod 644 "/etc/$name"
	done
}

as_user() { # WORD...
	timeout -k 2 30 setpriv --reuid $user --regid $user --clear-groups --inh-caps=-all env -i HOME="$home" XDG_RUNTIME_DIR="$home/run" \
		PATH="$PATH" "$@" 3>&- 4>&-
}
run_as_user() { # SCRIPT
	args sh -c "$1"
	chown $user:$user "$bundle/config.json"
	run as_user "$home/skiff" run -b "$bundle" "$id"
	[[ $status == 0 ]] || { echo "status $status: $output"; return 1; }
}

@test "an ordinary user runs a container without any entry: one user, who is root inside" {
	run_as_user 'id -u; id -g; cat /proc/self/uid_map; touch /tmp/mine; stat -c %u /tmp/mine'
	is "0 0" "${lines[0]} ${lines[1]}"
	is "0 65534 1" "$(tr -s ' ' <<<"${lines[2]}" | sed 's/^ //')"
	is 0 "${lines[3]}"
	is 65534 "$(stat -c %u "$bundle/rootfs/tmp/mine")"
}

@test "with entries in /etc/subuid and /etc/subgid there are more users" {
	command -v newuidmap >/dev/null || skip "newuidmap is not installed"
	sub 65536
	run_as_user 'cat /proc/self/uid_map /proc/self/gid_map; touch /tmp/f; chown 7:8 /tmp/f 2>&1; stat -c "%u %g" /tmp/f'
	is "0 65534 1;1 200000 65536;0 65534 1;1 200000 65536" "$(head -4 <<<"$output" | tr -s ' ' | sed 's/^ //' | paste -sd';')"
}

@test "with entries the program may be another user" {
	command -v newuidmap >/dev/null || skip "newuidmap is not installed"
	sub 65536
	config '.process.user = {"uid": 1000, "gid": 1000, "additionalGids": [5]}'
	run_as_user 'id -u; id -g; id -G'
	is "1000 1000 1000 5" "$(paste -sd' ' <<<"$output")"
}

@test "a user that is not mapped is a clear error" {
	config '.process.user.uid = 1000'
	args true
	chown $user "$bundle/config.json"
	run as_user "$home/skiff" run -b "$bundle" "$id"
	is 1 "$status"
	one_line
	says ".process.user.uid"
}

@test "the usual mounts and devices are there" {
	run_as_user 'echo x >/dev/null; head -c3 /dev/zero | wc -c; ls /dev/pts /dev/mqueue >/dev/null && ls /proc/1 >/dev/null && ls /sys >/dev/null; hostname
		ls /sys/class/net; touch /dev/shm/x; echo all'
	is "3 skiff lo all" "$(paste -sd' ' <<<"$output")"
}

@test "what spec --rootless prints runs" {
	as_user "$home/skiff" spec --rootless -f - | jq '.process.terminal = false | .process.args = ["sh", "-c", "id -u; ls -d /sys/class"]' >"$bundle/config.json"
	chown $user "$bundle/config.json"
	run as_user "$home/skiff" run -b "$bundle" "$id"
	is "0 /sys/class" "$(paste -sd' ' <<<"$output")"
	is 0 "$status"
}

@test "create, start, exec, kill, list and delete work for a user" {
	args sleep 1000
	chown $user "$bundle/config.json"
	as_user "$home/skiff" create -b "$bundle" "$id" >"$log" 2>&1
	as_user "$home/skiff" start "$id"
	run -0 as_user "$home/skiff" list
	says "$id"
	says running
	run -0 as_user "$home/skiff" exec "$id" sh -c 'id -u; echo inside'
	is "0 inside" "$(paste -sd' ' <<<"$output")"
	run -0 as_user "$home/skiff" ps -f json "$id"
	run -0 as_user "$home/skiff" kill "$id" KILL
	is_stopped() { [[ $(as_user "$home/skiff" state "$id" | jq -r .status) == stopped ]]; }
	eventually is_stopped
	run -0 as_user "$home/skiff" delete "$id"
	is "" "$(ls "$home/run/skiff")"
}

@test "exec is another user of the container, with entries" {
	command -v newuidmap >/dev/null || skip "newuidmap is not installed"
	sub 65536
	args sleep 1000
	chown $user "$bundle/config.json"
	as_user "$home/skiff" run -d -b "$bundle" "$id" >"$log" 2>&1
	run -0 as_user "$home/skiff" exec -u 1000:1001 "$id" sh -c 'id -u; id -g'
	is "1000 1001" "$(paste -sd' ' <<<"$output")"
}

@test "the folder of states is the user's own, with the sticky bit that keeps it" {
	run_as_user true
	is "1700 $user" "$(stat -c '%a %u' "$home/run/skiff")"
}

@test "without XDG_RUNTIME_DIR there is a folder in /tmp that nobody else may own" {
	rm -rf "/tmp/skiff-$user"
	args echo ran
	chown $user "$bundle/config.json"
	run -0 as_user env -u XDG_RUNTIME_DIR "$home/skiff" run -b "$bundle" "$id"
	is ran
	is "$user" "$(stat -c %u "/tmp/skiff-$user")"
	rm -rf "/tmp/skiff-$user"
	mkdir -m 777 "/tmp/skiff-$user"
	run as_user env -u XDG_RUNTIME_DIR "$home/skiff" run -b "$bundle" "$id"
	rm -rf "/tmp/skiff-$user"
	is 1 "$status"
	one_line
	says "/tmp/skiff-$user"
}

@test "limits without a cgroup of one's own are a clear error, no limits are fine" {
	run_as_user 'echo fine'
	is fine
	config '.linux.resources.pids = {"limit": 5}'
	args true
	chown $user "$bundle/config.json"
	run as_user "$home/skiff" run -b "$bundle" "$id"
	is 1 "$status"
	one_line
	says "cgroup"
}

@test "pause without a cgroup says what is missing" {
	args sleep 1000
	chown $user "$bundle/config.json"
	as_user "$home/skiff" run -d -b "$bundle" "$id" >"$log" 2>&1
	run as_user "$home/skiff" pause "$id"
	is 1 "$status"
	one_line
	says "cgroup"
}

@test "a cgroup that is the user's is used" {
	[[ -w $cgroups ]] || skip "this host's cgroups cannot be written"
	own=$cgroups/$id.user
	mkdir -p "$own/sub"
	chown -R $user:$user "$own"
	config 'del(.linux.namespaces[] | select(.type == "cgroup"))'
	args grep ^0: /proc/self/cgroup
	chown $user "$bundle/config.json"
	run bash -c 'echo $$ >"$0/sub/cgroup.procs"; exec "$@"' "$own" \
		setpriv --reuid $user --regid $user --clear-groups env -i HOME="$home" XDG_RUNTIME_DIR="$home/run" PATH="$PATH" \
		"$home/skiff" run -b "$bundle" "$id"
	is 0 "$status"
	says "0::/$id.user/"
	says "skiff-$id"
	eventually rmdir "$own/sub"
	eventually rmdir "$own"
}

@test "files of the bundle that are root's cannot be written by root inside" {
	chown 0:0 "$bundle/rootfs/etc/passwd"
	run_as_user 'stat -c %u /etc/passwd; echo x >>/etc/passwd; true'
	is 65534 "${lines[0]}"
	says "Permission denied"
}

@test "a bundle that the user may not enter is an error that names it" {
	chmod 700 "$home"
	chown 0 "$home"
	chmod 755 "$home/skiff"
	cp "$home/skiff" "$BATS_TEST_TMPDIR/skiff"
	run as_user "$BATS_TEST_TMPDIR/skiff" --root "$BATS_TEST_TMPDIR/x" run -b "$bundle" "$id"
	chown $user "$home"
	is 1 "$status"
	one_line
	says "Permission denied"
}

@test "a terminal and signals work for a user" {
	config '.process.terminal = true'
	args sh -c 'tty; echo ready; read x; echo "<$x>"'
	chown $user "$bundle/config.json"
	run -0 timeout -k 2 40 "$tools/terminal" setpriv --reuid $user --regid $user --clear-groups env -i HOME="$home" \
		XDG_RUNTIME_DIR="$home/run" PATH="$PATH" "$home/skiff" run -b "$bundle" "$id" 3>&- 4>&- <<-'END'
		expect ready
		send typed\n
		expect <typed>
	END
	says /dev/pts/0
	says "status 0"
}

@test "an ordinary user has sandboxes too, with the kernels of its own" {
	fetch_kernel
	mkdir -p "$home/.local/share/skiff"
	cp -rL "$SKIFF_KERNELS" "$home/.local/share/skiff/kernels"
	cp -r "${SKIFF%/*}/libexec" "$home"
	sub 65536
	chown -R $user:$user "$home"
	args sh -c 'id -u; touch /file; stat -c %u /file; uname -r'
	chown $user:$user "$bundle/config.json"
	run -0 as_user "$home/skiff" run --sandbox qemu -b "$bundle" "$id"
	is "0 0" "${lines[0]} ${lines[1]}"
	[[ ${lines[2]} != "$(uname -r)" ]]
	is $user "$(stat -c %u "$bundle/rootfs/file")"
	[[ -c /dev/kvm && ! $(stat -c %a /dev/kvm) == *[67] ]] || return 0
	run -1 as_user "$home/skiff" run --sandbox kvm -b "$bundle" "$id"
	says "/dev/kvm: this user may not open it: become a member of its group"
}

@test "an ordinary user's sandbox: the files are the user's, and others' where there are entries" {
	command -v newuidmap >/dev/null || skip "newuidmap is not installed"
	[[ -z ${SKIFF_SANDBOX-} ]] || skip "it asks for one itself"
	fetch_kernel
	cp -r "${SKIFF%/*}/libexec" "$home/libexec"
	cp -rL "$SKIFF_KERNELS" "$home/kernels"
	args sh -c 'id -u; touch /tmp/mine; stat -c %u:%g /tmp/mine; chown 7:8 /tmp/mine; stat -c %u:%g /tmp/mine; mkdir /tmp/d; rm -r /tmp/d'
	config '.process.capabilities[] = ["CAP_CHOWN"]'
	chown $user "$bundle/config.json"
	run as_user SKIFF_KERNELS="$home/kernels" "$home/skiff" run --sandbox qemu -b "$bundle" "$id"
	is 0 "$status"
	is 0 "${lines[0]}"
	is 0:0 "${lines[1]}"
	says "Invalid argument"
	is 65534:65534 "$(stat -c %u:%g "$bundle/rootfs/tmp/mine")"
	sub 65536
	run as_user SKIFF_KERNELS="$home/kernels" "$home/skiff" run --sandbox qemu -b "$bundle" "$id"
	is 0 "$status"
	is 7:8 "${lines[2]}"
	is 200006:200007 "$(stat -c %u:%g "$bundle/rootfs/tmp/mine")"
}

@test "an ordinary user's sandbox: the root is an image that only the user may read" {
	[[ -z ${SKIFF_SANDBOX-} ]] || skip "it asks for one itself"
	fetch_kernel
	cp -r "${SKIFF%/*}/libexec" "$home/libexec"
	cp -rL "$SKIFF_KERNELS" "$home/kernels"
	mkfs.erofs --all-root "$bundle/root.image" "$bundle/rootfs" >/dev/null 2>&1
	chown $user "$bundle/root.image"
	chmod 600 "$bundle/root.image"
	args sh -c 'stat -c %u /bin/busybox; touch /new; stat -c %u /new; grep -c erofs /proc/filesystems'
	config '.root.path = "root.image"'
	chown $user "$bundle/config.json"
	run as_user SKIFF_KERNELS="$home/kernels" "$home/skiff" run --sandbox qemu -b "$bundle" "$id"
	is $'0\n0\n1' "$output"
}
