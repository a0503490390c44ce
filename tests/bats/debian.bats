# A whole Debian, made by debootstrap once and kept in build/test/debian.tar.
load helpers

setup_file() {
	export tar=$top/build/test/debian.tar
	no_debian=$("$tools/debian" "$tar" 3>&- 4>&-) || export no_debian
}

setup() {
	[[ -z ${no_debian-} ]] || skip "$no_debian"
	begin
	if [[ ! -d $BATS_FILE_TMPDIR/rootfs ]]; then
		mkdir "$BATS_FILE_TMPDIR/rootfs"
		chmod 755 "$BATS_FILE_TMPDIR" "$BATS_FILE_TMPDIR/rootfs"
		tar -C "$BATS_FILE_TMPDIR/rootfs" --numeric-owner -xf "$tar"
	fi
	config --arg r "$BATS_FILE_TMPDIR/rootfs" '.root.path = $r'
}

teardown() {
	[[ -n ${no_debian-} ]] || finish
}

@test "the configuration that spec prints starts Debian" {
	inside '. /etc/os-release; echo $ID; id -un; hostname; readlink /proc/1/exe'
	is "debian root skiff /usr/bin/dash" "$(paste -sd' ' <<<"$output")"
}

@test "programs with shared libraries and name services work" {
	inside 'getent passwd daemon | cut -d: -f1; perl -e "print 6 * 7, qq(\n)"; dpkg-query -W -f "\${Status}\n" dpkg'
	is $'daemon\n42\ninstall ok installed'
}

@test "a login shell on a terminal" {
	config '.process.terminal = true'
	args bash -il
	run -0 timeout -k 2 "${LIMIT:-40}" "$tools/terminal" "$SKIFF" --root "$root" run -b "$bundle" "$id" 3>&- 4>&- <<-'END'
		expect root@skiff
		send stty size; tty\n
		expect 24 80
		send exit 3\n
	END
	says /dev/pts/0
	says "status 3 cooked"
}

@test "run, list, exec, kill and delete: the whole life" {
	args bash -c 'trap "exit 5" TERM; while :; do sleep 0.05; done'
	launch
	run -0 skiff list -q
	is "$id"
	run -0 in_container bash -c 'ps --version >/dev/null 2>&1; echo $BASH_VERSION; ls /proc | grep -c "^[0-9]"'
	((${lines[1]} >= 2))
	skiff kill "$id"
	eventually status_is stopped
	run -0 skiff delete "$id"
	nothing_left
}

@test "switching users inside works when the capabilities are given" {
	config '.process.capabilities |= with_entries(.value += ["CAP_SETUID", "CAP_SETGID"]) | .process.noNewPrivileges = false'
	inside 'su daemon -s /bin/sh -c "id -un"'
	is daemon
}

@test "Debian in a user namespace with id-mapped files of its own" {
	config '.linux.namespaces += [{"type": "user"}] | .linux.uidMappings = [{"containerID": 0, "hostID": 300000, "size": 65536}]
		| .linux.gidMappings = .linux.uidMappings'
	chmod 755 "$BATS_TEST_TMPDIR" "${BATS_TEST_TMPDIR%/*}"
	inside 'id -u; cat /etc/debian_version >/dev/null && echo read; stat -c %u /etc'
	is "0 read 65534" "$(paste -sd' ' <<<"$output")"
}

@test "an ordinary user runs Debian" {
	chmod 755 "$BATS_TEST_TMPDIR" "${BATS_TEST_TMPDIR%/*}"
	args sh -c 'id -u; . /etc/os-release; echo $ID'
	cp "$SKIFF" "$BATS_TEST_TMPDIR/skiff"
	mkdir -m 777 "$BATS_TEST_TMPDIR/run"
	run -0 timeout -k 2 "${LIMIT:-20}" setpriv --reuid 65534 --regid 65534 --clear-groups env -i XDG_RUNTIME_DIR="$BATS_TEST_TMPDIR/run" PATH="$PATH" \
		"$BATS_TEST_TMPDIR/skiff" run -b "$bundle" "$id"
	is "0 debian" "$(paste -sd' ' <<<"$output")"
}

@test "a read-only Debian with room in /tmp and /run" {
	config '.root.readonly = true | .mounts += [{"destination": "/tmp", "type": "tmpfs"}, {"destination": "/run", "type": "tmpfs", "options": ["tmpcopyup"]}]'
	inside 'touch /x 2>&1; touch /tmp/x /run/x && ls -d /run/lock && echo fine'
	says "Read-only file system"
	says fine
}
