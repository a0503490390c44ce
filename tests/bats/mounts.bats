# Mounts: what config.json's mounts, masks and propagation make of the file systems inside.
load helpers

# The options of a mount inside, from /proc/self/mountinfo: "mount options|optional fields|type source super options".
mount_of() { # MOUNTINFO DESTINATION
	awk -v at="$2" '$5 == at { line = $0 } END { if (line == "") exit 1
		split(line, halves, " - "); n = split(halves[1], left, " ")
		fields = ""; for (i = 7; i <= n; i++) fields = fields (i > 7 ? " " : "") left[i]
		print left[6] "|" fields "|" halves[2] }' <<<"$1"
}
add() { # JQ-OBJECT
	config ".mounts += [$1]"
}
# Mounts /data with these options, as JSON words, and puts the mount's line into $got.
with_options() { # TYPE|bind WORD...
	local words
	words=$(jq -nc '$ARGS.positional' --args -- "${@:2}")
	mkdir -p "$BATS_TEST_TMPDIR/source"
	config "del(.mounts[] | select(.destination == \"/data\"))"
	if [[ $1 == bind ]]; then
		config --arg s "$BATS_TEST_TMPDIR/source" ".mounts += [{destination: \"/data\", source: \$s, options: ([\"bind\"] + $words)}]"
	else
		config ".mounts += [{destination: \"/data\", type: \"$1\", source: \"none\", options: $words}]"
	fi
	inside 'cat /proc/self/mountinfo'
	got=$(mount_of "$output" /data)
}
has() { # WORD: among the mount's own options
	[[ ",${got%%|*}," == *",$1,"* ]] || { echo "want $1 in $got"; return 1; }
}
has_not() {
	[[ ",${got%%|*}," != *",$1,"* ]] || { echo "want no $1 in $got"; return 1; }
}

@test "every option word of a mount does what it says: bind" {
	while read -r words want unwanted; do
		# shellcheck disable=SC2086
		with_options bind ${words//,/ }
		for word in ${want//,/ }; do [[ $word == - ]] || has "$word" || { echo "with $words"; false; }; done
		for word in ${unwanted//,/ }; do has_not "$word" || { echo "with $words"; false; }; done
	done <<-'END'
		ro ro rw
		rw rw ro
		ro,rw rw ro
		rw,ro ro rw
		nosuid nosuid
		nosuid,suid - nosuid
		nodev nodev
		nodev,dev - nodev
		noexec noexec
		noexec,exec - noexec
		ro,nosuid,nodev,noexec,defaults rw ro,nosuid,nodev,noexec
		nodiratime nodiratime
		nodiratime,diratime - nodiratime
		nosymfollow nosymfollow
		nosymfollow,symfollow - nosymfollow
		noatime noatime relatime
		noatime,atime relatime noatime
		noatime,relatime relatime noatime
		noatime,norelatime - noatime,relatime
		noatime,strictatime - noatime,relatime
		strictatime,nostrictatime relatime noatime
		rro ro rw
		rro,rrw rw ro
		rnosuid nosuid
		rnosuid,rsuid - nosuid
		rnodev nodev
		rnodev,rdev - nodev
		rnoexec noexec
		rnoexec,rexec - noexec
		rnodiratime nodiratime
		rnodiratime,rdiratime - nodiratime
		rnosymfollow nosymfollow
		rnosymfollow,rsymfollow - nosymfollow
		rnoatime noatime relatime
		rnoatime,ratime relatime noatime
		rnoatime,rrelatime relatime noatime
		rnoatime,rnorelatime - noatime,relatime
		rstrictatime - noatime,relatime
		rstrictatime,rnostrictatime relatime noatime
	END
}

@test "every option word of a mount does what it says: a new file system" {
	while read -r words want unwanted; do
		# shellcheck disable=SC2086
		with_options tmpfs ${words//,/ }
		for word in ${want//,/ }; do [[ $word == - ]] || has "$word" || { echo "with $words"; false; }; done
		for word in ${unwanted//,/ }; do has_not "$word" || { echo "with $words"; false; }; done
	done <<-'END'
		ro ro rw
		ro,rw rw ro
		nosuid,nodev,noexec nosuid,nodev,noexec
		nosymfollow nosymfollow
		noatime noatime relatime
		strictatime - noatime,relatime
		nodiratime nodiratime
		rro,rnosuid ro,nosuid rw
		silent rw
		loud rw
		acl rw
	END
}

@test "options of the file system itself reach it" {
	with_options tmpfs size=64k mode=750
	says "size=64k,mode=750" "$got"
	with_options tmpfs sync
	says ",sync" "${got##*|}"
	with_options tmpfs dirsync
	says ",dirsync" "${got##*|}"
	with_options tmpfs sync async
	[[ ${got##*|} != *sync* ]]
	with_options tmpfs lazytime
	says ",lazytime" "${got##*|}"
	with_options tmpfs lazytime nolazytime
	[[ ${got##*|} != *lazytime* ]]
	with_options tmpfs iversion
	with_options tmpfs noiversion nomand
	with_options tmpfs silent mode=700
	says "mode=700" "$got"
}

@test "an option that the file system does not know is an error that names it" {
	add '{"destination": "/data", "type": "tmpfs", "options": ["nonsense"]}'
	run -1 skiff run -b "$bundle" "$id"
	one_line
	says "nonsense"
	says "mounts[7] (/data)"
	nothing_left
}

@test "an option that means nothing to a bind mount is an error, not silence" {
	add '{"destination": "/data", "source": "/etc", "options": ["bind", "nonsense"]}'
	run -1 skiff run -b "$bundle" "$id"
	one_line
	says "nonsense"
}

@test "option words change what can be done inside" {
	with_options bind ro
	try_inside 'touch /data/x'
	says "Read-only file system"
	cp /bin/busybox "$BATS_TEST_TMPDIR/source/echo"
	ln -s echo "$BATS_TEST_TMPDIR/source/link"
	with_options bind noexec
	try_inside '/data/echo hello'
	says "Permission denied"
	with_options bind nosymfollow
	try_inside 'cat /data/link'
	says "symbolic link"
	inside '/data/echo hello'
	is hello
}

@test "a bind mount shows the host's folder, both ways" {
	with_options bind rw
	echo host >"$BATS_TEST_TMPDIR/source/a"
	inside 'cat /data/a; echo guest >/data/b'
	is host
	is guest "$(<"$BATS_TEST_TMPDIR/source/b")"
}

@test "a file can be bound, and its place is made" {
	add '{"destination": "/deep/down/hostname", "source": "/etc/hostname", "options": ["bind", "ro"]}'
	inside 'cat /deep/down/hostname'
	is "$(</etc/hostname)"
	[[ -f $bundle/rootfs/deep/down/hostname && ! -s $bundle/rootfs/deep/down/hostname ]]
}

@test "a relative source begins at the bundle, a relative destination at the root" {
	mkdir "$bundle/beside"
	echo here >"$bundle/beside/a"
	add '{"destination": "data", "source": "beside", "options": ["bind"]}'
	inside 'cat /data/a'
	is here
}

@test "type bind without the option binds as well" {
	echo here >"$BATS_TEST_TMPDIR/a"
	config --arg s "$BATS_TEST_TMPDIR/a" '.mounts += [{"destination": "/data", "type": "bind", "source": $s}]'
	inside 'cat /data'
	is here
}

@test "a source that is missing is named" {
	add '{"destination": "/data", "source": "/no/such", "options": ["bind"]}'
	run -1 skiff run -b "$bundle" "$id"
	one_line
	says "/no/such"
	nothing_left
}

@test "bind takes one mount, rbind what is below too; r-words reach what is below" {
	mkdir -p "$BATS_TEST_TMPDIR/tree/below"
	mount -t tmpfs tmpfs "$BATS_TEST_TMPDIR/tree/below"
	touch "$BATS_TEST_TMPDIR/tree/below/file"
	config --arg s "$BATS_TEST_TMPDIR/tree" '.mounts += [
		{"destination": "/one", "source": $s, "options": ["bind"]},
		{"destination": "/all", "source": $s, "options": ["rbind"]},
		{"destination": "/ro", "source": $s, "options": ["rbind", "ro"]},
		{"destination": "/rro", "source": $s, "options": ["rbind", "rro"]}]'
	inside 'ls /one/below; echo -; ls /all/below; cat /proc/self/mountinfo'
	is "- file" "$(head -2 <<<"$output" | paste -sd' ')"
	[[ $(mount_of "$output" /ro) == ro,* ]]
	[[ $(mount_of "$output" /ro/below) == rw,* ]]
	[[ $(mount_of "$output" /rro) == ro,* ]]
	[[ $(mount_of "$output" /rro/below) == ro,* ]]
	umount "$BATS_TEST_TMPDIR/tree/below"
}

@test "a bind mount is a slave unless it is told otherwise, and each propagation word works" {
	mkdir -p "$BATS_TEST_TMPDIR/peer"
	mount -t tmpfs tmpfs "$BATS_TEST_TMPDIR/peer"
	mount --make-shared "$BATS_TEST_TMPDIR/peer"
	config --arg s "$BATS_TEST_TMPDIR/peer" '.mounts += (["none", "private", "rprivate", "shared", "rshared", "slave", "rslave",
		"unbindable", "runbindable"] | map({"destination": ("/" + .), "source": $s,
		"options": (["bind"] + (if . == "none" then [] else [.] end))}))'
	inside 'cat /proc/self/mountinfo'
	umount "$BATS_TEST_TMPDIR/peer"
	[[ $(mount_of "$output" /none) == *"|master:"* ]]
	[[ $(mount_of "$output" /none) != *"|shared:"* ]]
	[[ $(mount_of "$output" /private) == *"||"* ]]
	[[ $(mount_of "$output" /rprivate) == *"||"* ]]
	[[ $(mount_of "$output" /shared) == *"|shared:"* ]]
	[[ $(mount_of "$output" /rshared) == *"|shared:"* ]]
	[[ $(mount_of "$output" /slave) == *"|master:"* ]]
	[[ $(mount_of "$output" /rslave) == *"|master:"* ]]
	[[ $(mount_of "$output" /unbindable) == *"|unbindable|"* ]]
	[[ $(mount_of "$output" /runbindable) == *"|unbindable|"* ]]
}

@test "a mount on the host shows inside a slave and one inside does not show on the host" {
	config '.process.capabilities.bounding += ["CAP_SYS_ADMIN"] | .process.capabilities.effective += ["CAP_SYS_ADMIN"] |
		.process.capabilities.permitted += ["CAP_SYS_ADMIN"]'
	mkdir -p "$BATS_TEST_TMPDIR/peer"
	mount -t tmpfs tmpfs "$BATS_TEST_TMPDIR/peer"
	mount --make-shared "$BATS_TEST_TMPDIR/peer"
	mkdir "$BATS_TEST_TMPDIR/peer/"{in,out}
	config --arg s "$BATS_TEST_TMPDIR/peer" '.mounts += [{"destination": "/data", "source": $s, "options": ["rbind", "rslave"]}]'
	launch
	mount -t tmpfs tmpfs "$BATS_TEST_TMPDIR/peer/in"
	touch "$BATS_TEST_TMPDIR/peer/in/seen"
	run -0 in_container ls /data/in
	is seen
	in_container mount -t tmpfs tmpfs /data/out
	in_container touch /data/out/hidden
	is "" "$(ls "$BATS_TEST_TMPDIR/peer/out")"
	umount -l "$BATS_TEST_TMPDIR/peer/in" "$BATS_TEST_TMPDIR/peer"
}

@test "rootfsPropagation is the root's propagation inside" {
	for how in private slave shared unbindable rprivate rslave rshared runbindable; do
		config --arg how $how '.linux.rootfsPropagation = $how'
		inside 'cat /proc/self/mountinfo'
		got=$(mount_of "$output" /)
		case $how in
		*shared) says "|shared:" "$got" ;;
		*unbindable) says "|unbindable|" "$got" ;;
		*private) says "||" "$got" ;;
		*) [[ $got != *shared:* ]] ;;
		esac
	done
	config '.linux.rootfsPropagation = "nonsense"'
	run -1 skiff run -b "$bundle" "$id"
	says ".linux.rootfsPropagation"
}

@test "root.readonly makes the root read-only and leaves the mounts in it alone" {
	config '.root.readonly = true | .mounts += [{"destination": "/tmp", "type": "tmpfs"}]'
	try_inside 'touch /x'
	says "Read-only file system"
	inside 'touch /tmp/x /dev/shm/x; echo fine'
	is fine
	[[ ! -e $bundle/rootfs/x ]]
}

@test "remount changes a mount that is there" {
	add '{"destination": "/dev/shm", "options": ["remount", "ro"]}'
	try_inside 'touch /dev/shm/x'
	says "Read-only file system"
	inside 'cat /proc/self/mountinfo'
	[[ $(mount_of "$output" /dev/shm) == ro,nosuid,nodev,noexec* ]]
}

@test "tmpcopyup brings what was there, with modes, owners and links" {
	mkdir -p "$bundle/rootfs/data/sub"
	echo text >"$bundle/rootfs/data/sub/file"
	chmod 4755 "$bundle/rootfs/data/sub/file"
	chown 5:6 "$bundle/rootfs/data/sub/file"
	chmod 4755 "$bundle/rootfs/data/sub/file"
	chmod 1770 "$bundle/rootfs/data"
	ln -s sub/file "$bundle/rootfs/data/link"
	mkfifo "$bundle/rootfs/data/fifo"
	touch -d 2001-02-03T04:05:06Z "$bundle/rootfs/data/sub/file"
	add '{"destination": "/data", "type": "tmpfs", "source": "none", "options": ["tmpcopyup"]}'
	inside 'cat /data/link; stat -c "%a %u %g %h %Y" /data/sub/file; stat -c %a /data; readlink /data/link
		stat -c %F /data/fifo; echo new >/data/link2; ls /data'
	is $'text\n4755 5 6 1 981173106\n1770\nsub/file\nfifo\nfifo\nlink\nlink2\nsub'
	is "fifo link sub" "$(ls "$bundle/rootfs/data" | paste -sd' ')"
}

@test "copy-symlink copies a link as a link, src-nofollow and dest-nofollow do not follow" {
	echo target >"$BATS_TEST_TMPDIR/file"
	ln -s "$BATS_TEST_TMPDIR/file" "$BATS_TEST_TMPDIR/link"
	config --arg s "$BATS_TEST_TMPDIR/link" '.mounts += [{"destination": "/copied", "source": $s, "options": ["bind", "copy-symlink"]}]'
	inside 'readlink /copied'
	is "$BATS_TEST_TMPDIR/file"
	rm "$bundle/rootfs/copied"
	config --arg s "$BATS_TEST_TMPDIR/link" 'del(.mounts[7]) | .mounts += [{"destination": "/followed", "source": $s, "options": ["bind"]}]'
	inside 'cat /followed'
	is target
	ln -s /etc/passwd "$bundle/rootfs/l"
	config --arg s "$BATS_TEST_TMPDIR/file" 'del(.mounts[7]) | .mounts += [{"destination": "/l", "source": $s, "options": ["bind"]}]'
	inside 'cat /etc/passwd'
	is target
	config '.mounts[7].options += ["dest-nofollow"]'
	run -1 skiff run -b "$bundle" "$id"
	one_line
	says "/l"
}

@test "the mounts' order is the configuration's" {
	add '{"destination": "/data", "type": "tmpfs"}'
	config --arg s "$bundle/rootfs/etc/passwd" '.mounts += [{"destination": "/data/x/passwd", "source": $s, "options": ["bind"]}]'
	inside 'head -c4 /data/x/passwd; echo; ls -A /data'
	is $'root\nx'
	# the other way round the file system hides it
	config '.mounts |= (.[0:7] + [.[8], .[7]])'
	inside 'ls -A /data; echo .'
	is .
}

@test "a link in the way of a destination stays inside the root" {
	ln -s / "$bundle/rootfs/up"
	ln -s ../../../../../.. "$bundle/rootfs/far"
	config --arg t "$BATS_TEST_TMPDIR" '.mounts += [{"destination": "/up/made", "type": "tmpfs"},
		{"destination": ("/far" + $t + "/made"), "type": "tmpfs"}]'
	inside "grep -c -e ' /made ' -e ' $BATS_TEST_TMPDIR/made ' /proc/self/mountinfo"
	is 2
	[[ ! -e $BATS_TEST_TMPDIR/made && ! -e /made ]]
	[[ -d $bundle/rootfs/made ]]
}

@test "the cgroup mount shows the container's own cgroup as its root" {
	inside 'grep ^0: /proc/self/cgroup; cat /proc/self/mountinfo; cat /sys/fs/cgroup/cgroup.procs'
	is 0::/ "${lines[0]}"
	[[ $(mount_of "$output" /sys/fs/cgroup) == ro,*cgroup2* ]]
	[[ ${lines[-1]} =~ ^[0-9]+$ ]]
	try_inside 'mkdir /sys/fs/cgroup/x'
	says "Read-only file system"
}

@test "without a cgroup namespace the container's own part of the host's tree is there, read-only" {
	config 'del(.linux.namespaces[] | select(.type == "cgroup")) | (.mounts[] | select(.type == "cgroup") | .options) -= ["ro"]'
	inside 'grep ^0: /proc/self/cgroup; cat /proc/self/mountinfo'
	is "0::/skiff/$id" "${lines[0]}"
	says " /skiff/$id /sys/fs/cgroup ro,"
	try_inside 'mkdir /sys/fs/cgroup/x'
	says "Read-only file system"
}

@test "proc is the container's own, and sysfs fits the network namespace" {
	inside 'echo $(($(ls -d /proc/[0-9]* | wc -l) < 5)); ls /sys/class/net'
	is "1 lo" "$(paste -sd' ' <<<"$output")"
}

@test "hidepid and subset reach procfs" {
	config '(.mounts[] | select(.destination == "/proc") | .options) = ["hidepid=2", "subset=pid"]
		| .linux.maskedPaths = [] | .linux.readonlyPaths = []'
	inside 'ls /proc | grep -v "^[0-9]" | sort | paste -sd" "; cat /proc/self/mountinfo'
	is "self thread-self" "${lines[0]}"
	says "hidepid=" "$output"
}

@test "masked files are empty, masked folders are empty and read-only" {
	mkdir "$bundle/rootfs/secret" "$bundle/rootfs/also"
	echo secret >"$bundle/rootfs/secret/file"
	echo secret >"$bundle/rootfs/word"
	config '.linux.maskedPaths += ["/secret", "/word", "/also", "/no/such", "/proc/cpuinfo"]'
	inside 'ls -A /secret /also; cat /word; wc -c </proc/cpuinfo; touch /secret/x 2>&1; echo x >/word; stat -c %F /word'
	says "Read-only file system"
	says $'0\n'
	says "character special file"
	is secret "$(<"$bundle/rootfs/word")"
}

@test "read-only paths can be read and not written, with what is mounted below" {
	mkdir "$bundle/rootfs/data"
	config '.linux.readonlyPaths += ["/data", "/tmp", "/no/such"] | .mounts += [{"destination": "/data/below", "type": "tmpfs"}]'
	inside 'for at in /data /data/below /tmp; do touch $at/x 2>&1; done; true'
	is 3 "$(grep -c 'Read-only file system' <<<"$output")"
	inside 'cat /proc/sys/kernel/ostype; echo 1 >/proc/sys/net/ipv4/ip_forward'  || true
	says Linux
}

@test "a masked path that leads through a link hides what is inside the root" {
	echo secret >"$bundle/rootfs/real"
	ln -s /real "$bundle/rootfs/alias"
	config '.linux.maskedPaths += ["/alias"]'
	inside 'wc -c </real'
	is 0
}

@test "id-mapped mounts show the owners of the other side" {
	mkdir "$BATS_TEST_TMPDIR/source"
	touch "$BATS_TEST_TMPDIR/source/"{root,seven}
	chown 7:7 "$BATS_TEST_TMPDIR/source/seven"
	config --arg s "$BATS_TEST_TMPDIR/source" '.mounts += [{"destination": "/data", "source": $s, "options": ["bind"],
		"uidMappings": [{"containerID": 0, "hostID": 1000, "size": 100}],
		"gidMappings": [{"containerID": 0, "hostID": 2000, "size": 100}]}]'
	inside 'stat -c "%n %u %g" /data/*'
	is $'/data/root 1000 2000\n/data/seven 1007 2007'
}

@test "idmap with a user namespace follows the container's maps" {
	users 100000
	mkdir "$BATS_TEST_TMPDIR/source"
	touch "$BATS_TEST_TMPDIR/source/"{root,seven}
	chown 7:7 "$BATS_TEST_TMPDIR/source/seven"
	config --arg s "$BATS_TEST_TMPDIR/source" '.mounts += [{"destination": "/data", "source": $s, "options": ["bind", "idmap"]},
		{"destination": "/plain", "source": $s, "options": ["bind"]}]'
	inside 'stat -c "%n %u %g" /data/*; stat -c "%u %g" /plain/root; touch /data/new'
	is $'/data/root 0 0\n/data/seven 7 7\n65534 65534'
	is "0 0" "$(stat -c '%u %g' "$BATS_TEST_TMPDIR/source/new")"
}

@test "ridmap reaches the mounts below" {
	users 100000
	mkdir -p "$BATS_TEST_TMPDIR/tree/below"
	mount -t tmpfs tmpfs "$BATS_TEST_TMPDIR/tree/below"
	touch "$BATS_TEST_TMPDIR/tree/below/file"
	config --arg s "$BATS_TEST_TMPDIR/tree" '.mounts += [{"destination": "/one", "source": $s, "options": ["rbind", "idmap"]},
		{"destination": "/all", "source": $s, "options": ["rbind", "ridmap"]}]'
	inside 'stat -c %u /one/below/file /all/below/file'
	is "65534 0" "$(paste -sd' ' <<<"$output")"
	umount "$BATS_TEST_TMPDIR/tree/below"
}

@test "nothing of the host's mounts is seen inside" {
	inside 'cat /proc/self/mountinfo'
	run -1 grep -E " /(home|usr|work|run|var|oldroot|\.pivot)" <<<"$output"
	inside 'ls -A /'
	is "bin dev etc proc root sys tmp" "$(paste -sd' ' <<<"$output")"
}

@test "nothing of the container's mounts is seen on the host" {
	launch
	run -1 grep "$bundle" /proc/self/mountinfo
}
