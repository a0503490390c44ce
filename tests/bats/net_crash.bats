# Networks and what goes wrong: whatever is killed, and whenever, nothing of it is left.
load net_helpers

STEPS=${STEPS:-$top/build/steps/skiff}

net_program() {
	in_host timeout -k 2 20 "$top/build/libexec/skiff-net" --root "$root" "$@" 3>&- 4>&-
}
# A container as skiff would describe it to skiff-net; its namespace is a holder's.
pretend() { # NAME
	mkdir -p "$root/$1"
	touch "$root/$1/hosts"
	jq -nc --arg h "$root/$1/hosts" '{network: "bridge", hostname: "x", hosts: $h, ports: ["8080:80", "5353:53/udp"]}' >"$root/$1/network.json"
}

@test "every step fails once with a network: one line that names it, and nothing is left" {
	[[ -x $STEPS ]] || skip "no test build: make SAN=steps"
	SKIFF=$STEPS
	rows=0
	while read -r row; do
		rows=$((rows + 1))
		FAIL_STEP=$row run skiff run --net bridge -p 8080:80 -b "$bundle" "$id"
		[[ $status != 0 ]] || { echo "'$row' did not fail"; false; }
		one_line
		says "$row: failed on purpose"
		nothing_left_net || { echo "after '$row'"; false; }
	done < <("$STEPS" explain "$bundle/" | sed -n 's/^+ [a-z]* *//p' | grep -vE "wait for start|find the program again"; printf '%s\n' "write the files that name hosts" "connect it to the network")
	((rows >= 20))
	[[ -z $(skiff list -q) ]]
}

@test "skiff is killed at any moment: delete --force leaves nothing" {
	for n in $(seq 1 25); do
		in_host timeout -s KILL "0.0$(printf %02d "$n")" "$SKIFF" --root "$root" run -d --net bridge -p 8080:80 -b "$bundle" "$id" \
			>/dev/null 2>&1 3>&- 4>&- || true
		skiff delete --force "$id"
		nothing_left_net || { echo "killed after $n ms"; false; }
	done
}

@test "skiff-net is killed at any of its messages to the kernel: detach leaves nothing, and so does prune" {
	hold target
	ended=
	for n in $(seq 1 60); do
		pretend one
		status=0
		net_program ls >/dev/null
		in_host timeout -k 2 20 strace -qq -o /dev/null -e "inject=sendmsg,sendto:signal=KILL:when=$n" \
			"$top/build/libexec/skiff-net" --root "$root" attach one "/proc/$target/ns/net" >/dev/null 2>&1 3>&- 4>&- || status=$?
		if ((n % 2)); then
			net_program detach one
			rm -rf "${root:?}/one"
		else
			rm -rf "${root:?}/one" # even the folder of states is gone
			net_program prune >/dev/null
		fi
		nothing_left_net || { echo "killed at message $n"; false; }
		[[ $status != 0 ]] || { ended=$n; break; }
	done
	[[ -n $ended ]] && ((ended > 15)) || { echo "ended: $ended"; false; }
}

@test "any message to the kernel may fail: one clear line, and nothing is left" {
	hold target
	failed=0
	for n in $(seq 1 60); do
		pretend one
		run in_host timeout -k 2 20 strace -qq -o /dev/null -e "inject=sendmsg,sendto:error=ENOBUFS:when=$n" \
			"$top/build/libexec/skiff-net" --root "$root" attach one "/proc/$target/ns/net"
		if [[ $status == 0 ]]; then
			net_program detach one
		else
			failed=$((failed + 1))
			[[ -n $output ]]
			net_program detach one
		fi
		rm -rf "${root:?}/one"
		nothing_left_net || { echo "message $n failed"; false; }
	done
	((failed > 10))
}

@test "prune repairs what a crash left, says what, and leaves what is used" {
	up a --net bridge -p 8080:80
	serve a tcp 80
	hold target
	pretend lost
	net_program attach lost "/proc/$target/ns/net" && false || true # its ports are a's
	jq -c '.ports = ["9090:90"]' "$root/lost/network.json" >"$root/lost/new" && mv "$root/lost/new" "$root/lost/network.json"
	net_program attach lost "/proc/$target/ns/net"
	rm -rf "${root:?}/lost"
	in_host ip link add stray0 type veth peer name stray1
	in_host ip link set stray0 group "$(in_host ip -d -j link show skiff0 | jq -r '.[0].group')"
	run -0 skiff net prune
	says "which container lost had"
	says "removed device stray0"
	run ! in_host ip link show stray1
	is "$id.a" "$(skiff net inspect bridge | jq -r '.[0].containers[].id')"
	says "a " "$(ask world tcp 192.0.2.1 8080)"
	run -0 in_host nft list ruleset
	[[ $output != *9090* ]]
	run -0 skiff net prune
	is ""
}

@test "a container that was killed, or whose namespace is gone, is deleted as any other" {
	up a --net bridge -p 8080:80
	up b --net bridge
	skiff kill "$id.a" KILL
	eventually status_is stopped "$id.a"
	skiff delete "$id.a"
	is "" "$(lookup b "$id.a")"
	is 1 "$(in_host ip -o link show master skiff0 | wc -l)"
}

@test "deleted from another namespace of the host: the address is free, prune at home finds the rest" {
	up a --net bridge
	in_world timeout -k 2 20 "$SKIFF" --root "$root" delete --force "$id.a" 3>&- 4>&-
	is "" "$(find "$root/.net/leases" -type f ! -name .last)"
	run -0 skiff net prune
	says "removed bridge skiff0"
	nothing_left_net
}

@test "a full disk in the store is one clear line, and nothing is left" {
	mkdir -p "$root/.net"
	mount -t tmpfs -o size=64k,nr_inodes=12 tmpfs "$root/.net"
	skiff net ls
	while : >"$root/.net/filler$((n++))"; do :; done 2>/dev/null
	run -1 skiff run --net bridge -b "$bundle" "$id"
	one_line
	says "No space left on device"
	umount "$root/.net"
	nothing_left_net
}
