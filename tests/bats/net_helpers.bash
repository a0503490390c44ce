# shellcheck shell=bash
# For tests of networks: every test has a network namespace of its own that plays the host, with another one behind it
# that plays the world. The machine's own namespace is never touched, and no packet leaves it.
load helpers

setup() { begin_net; }
teardown() { finish_net; }

begin_net() {
	begin
	hold host
	hold world
	in_host ip link set lo up
	in_world ip link set lo up
	in_host ip link add up0 type veth peer name eth0 netns "/proc/$world/ns/net"
	in_host ip address add 192.0.2.1/24 dev up0
	in_host ip address add 2001:db8::1/64 dev up0 nodad
	in_host ip link set up0 up
	in_world ip address add 192.0.2.2/24 dev eth0
	in_world ip address add 2001:db8::2/64 dev eth0 nodad
	in_world ip link set eth0 up
	args sleep 1000
}

hold() { # NAME: $NAME is then a process in a network namespace of its own
	local -n holder=$1
	unshare -n sleep 1000 3>&- 4>&- &
	holder=$!
	eventually grep -q sleep "/proc/$holder/comm"
}

in_host() { # COMMAND...
	nsenter --net="/proc/$host/ns/net" "$@"
}
in_world() { # COMMAND...
	nsenter --net="/proc/$world/ns/net" "$@"
}
in_net_of() { # ID COMMAND...: the machine's programs in the container's network
	nsenter --net="/proc/$(pid_of "$1")/ns/net" "${@:2}"
}

skiff() {
	in_host timeout -k 2 "${LIMIT:-30}" "$SKIFF" --root "$root" "$@" 3>&- 4>&-
}

# A container NAME-of-this-test in the background.
up() { # NAME OPTION...
	skiff run -d -b "$bundle" --name "$id.$1" "${@:2}" >"$log" 2>&1 || { cat "$log"; return 1; }
}
down() { # NAME...
	local name
	for name in "$@"; do skiff delete --force "$id.$name"; done
}
# Something in a container that answers with its text.
serve() { # NAME PROTOCOL PORT [TEXT]
	nsenter --net="/proc/$(pid_of "$id.$1")/ns/net" "$tools/talk" serve "$2" "$3" "${4:-$1}" >/dev/null 2>&1 3>&- 4>&- &
	eventually in_net_of "$id.$1" "$tools/talk" ask "$2" 127.0.0.1 "$3"
}
# The same on the host and in the world, in their names.
serve_outside() { # host|world PROTOCOL PORT
	local -n holder_of=$1
	nsenter --net="/proc/$holder_of/ns/net" "$tools/talk" serve "$2" "$3" "$1" >/dev/null 2>&1 3>&- 4>&- &
	eventually nsenter --net="/proc/$holder_of/ns/net" "$tools/talk" ask "$2" 127.0.0.1 "$3"
}
ask() { # WHERE PROTOCOL ADDRESS PORT: WHERE is host, world or a container's name
	case $1 in
	host | world) "in_$1" "$tools/talk" ask "${@:2}" ;;
	*) in_net_of "$id.$1" "$tools/talk" ask "${@:2}" ;;
	esac
}
no_answer() { # as ask
	! ask "$@" 2>/dev/null
}
# The address of a container: ip or ip6.
address() { # NAME [KIND [NETWORK]]
	skiff net inspect "${3:-bridge}" | jq -r --arg id "$id.$1" --arg kind "${2:-ip}" '.[0].containers[] | select(.id == $id)[$kind]'
}
lookup() { # NAME WHO: the address of WHO in the /etc/hosts of a container
	skiff exec "$id.$1" cat /etc/hosts | awk -v who="$2" '{ for (i = 2; i <= NF; i++) if ($i == who) { print $1; exit } }'
}

# What is in the host's namespace that was not there before skiff came.
net_left() {
	in_host ip -o link | grep -vE '^[0-9]+: (lo|up0)[@:]'
	in_host nft list tables
	find "$root/.net/leases" -type f ! -name .last 2>/dev/null
	pgrep -f "slirp4netns.*$root|pasta.*$root|skiff-net.*--root $root"
	return 0
}
nothing_left_net() {
	local left
	left=$(net_left)
	[[ -z $left ]] && return
	printf 'left behind in the network:\n%s\n' "$left"
	return 1
}

finish_net() {
	local at failed=0
	for at in "$root"/*; do
		[[ ! -e $at ]] || skiff delete --force "${at##*/}" || failed=1
	done
	for at in {1..50}; do
		[[ -n $(net_left) ]] || break
		sleep 0.05
	done
	nothing_left_net || failed=1
	rm -rf "$root/.net"
	finish && ((failed == 0))
}
