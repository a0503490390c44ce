# linux.netDevices: devices of the host that a container is given, and namespaces that somebody has prepared.
load net_helpers

give() { # DEVICE NAME
	in_host ip link add "$1" type veth peer name "$1-far" netns "/proc/$world/ns/net"
	in_world ip link set "$1-far" up
	in_host ip address add 198.51.100.1/24 dev "$1"
	in_host ip address add 2001:db8:5::1/64 dev "$1" nodad
	in_host ip link set "$1" mtu 1400 up
	in_host ip route add 203.0.113.0/24 via 198.51.100.2
	in_host ip route add 203.0.113.77 via 203.0.113.1 onlink dev "$1"
	in_host ip route add 10.77.0.0/16 dev "$1"
	config --arg d "$1" --arg n "$2" '.linux.netDevices = {($d): {"name": $n}}'
}
has_all() { # WHERE DEVICE: in_host or in_container's network
	run -0 "$1" ip -o address show "$2"
	says 198.51.100.1/24
	says 2001:db8:5::1/64
	run -0 "$1" ip route show dev "$2"
	says "203.0.113.0/24 via 198.51.100.2"
	says "203.0.113.77 via 203.0.113.1"
	says "10.77.0.0/16"
	run -0 "$1" ip -o link show "$2"
	says "mtu 1400"
	says "UP"
}
inside_net() {
	in_net_of "$id" "$@"
}

@test "a device moves in under its new name, with addresses, routes and MTU, and the host has it no more" {
	give dev0 inner0
	launch
	has_all inside_net inner0
	run ! in_host ip link show dev0
	skiff delete -f "$id"
}

@test "the start fails: the device is back, with all that it had" {
	give dev0 inner0
	args /no/such/program
	run ! skiff run -b "$bundle" "$id"
	has_all in_host dev0
	in_host ip link del dev0
}

@test "one of two cannot be moved: the first is back, and the error names the second" {
	give dev0 inner0
	config '.linux.netDevices += {"absent0": {}}'
	run -1 skiff run -b "$bundle" "$id"
	one_line
	says ".linux.netDevices.absent0"
	has_all in_host dev0
	in_host ip link del dev0
}

@test "a name that is taken inside: an error, and the device is back" {
	give dev0 lo
	run -1 skiff run -b "$bundle" "$id"
	one_line
	says ".linux.netDevices.dev0"
	has_all in_host dev0
	in_host ip link del dev0
}

@test "any message to the kernel may fail on the way in: the device is back" {
	give dev0 inner0
	hold target
	for n in $(seq 1 20); do
		status=0
		in_host timeout -k 2 20 strace -qq -o /dev/null -e "inject=sendmsg:error=ENOBUFS:when=$n" \
			"$top/build/libexec/skiff-net" "move" "/proc/$target/ns/net" dev0 inner0 >/dev/null 2>&1 3>&- 4>&- || status=$?
		[[ $status != 0 ]] || break
		run -0 in_host ip -o link show dev0
		has_all in_host dev0
	done
	((n > 6))
	nsenter --net="/proc/$target/ns/net" ip link del inner0
}

@test "a namespace that was prepared is joined as it is" {
	hold target
	nsenter --net="/proc/$target/ns/net" ip link set lo up
	nsenter --net="/proc/$target/ns/net" ip link add br7 type bridge
	config --arg p "/proc/$target/ns/net" '.linux.namespaces |= map(select(.type != "network")) + [{"type": "network", "path": $p}]'
	launch
	run -0 inside_net ip -o link
	says br7
	skiff delete -f "$id"
	run -0 nsenter --net="/proc/$target/ns/net" ip -o link show br7
}
