# shellcheck shell=bash
# What the tests of images share: images made by hand, a store of their own, and something outside that must not change.
bats_require_minimum_version 1.5.0

top=$(realpath "${BASH_SOURCE[0]%/*}/../..")
IMAGE=${SKIFF_IMAGE:-$top/build/libexec/skiff-image}

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	store=$PWD/store
	export OUTSIDE=$PWD/outside
	mkdir -p "$OUTSIDE/folder"
	echo precious >"$OUTSIDE/file"
	echo precious >"$OUTSIDE/folder/file"
	touch -d 2001-01-01 "$OUTSIDE/file" "$OUTSIDE/folder/file" "$OUTSIDE/folder" "$OUTSIDE"
	before=$(outside_now)
}

outside_now() {
	find "$OUTSIDE" -printf '%P %y %m %U:%G %s %T@ %l\n' -type f -exec sha256sum {} + | sort
}

untouched() {
	[[ $(outside_now) == "$before" ]] || { diff <(echo "$before") <(outside_now); return 1; }
}

image() { # ARGUMENT...
	timeout -k 1 "${LIMIT:-20}" "$IMAGE" "$1" --root "$store" "${@:2}" 3>&- 4>&-
}

make() { # DIR < RECIPE
	rm -rf "$1"
	python3 "$top/tests/bats/image_make.py" "$1"
}

# The recipe on standard input must be refused by import and by a flat unpack, each with a text that matches, and leave
# nothing behind.
refused() { # TEXT
	make evil
	rm -rf store
	run image import --quiet oci:evil
	[[ $status == 1 && $output =~ $1 ]] || { echo "import: $status: $output"; return 1; }
	[[ -z $(ls store/images) && -z $(ls store/refs) ]] || { find store; return 1; }
	[[ -z $(ls store/tmp) ]] || { find store/tmp; return 1; }
	refused_flat "$1"
}

refused_flat() { # TEXT
	run image unpack --quiet --flat oci:evil bundle
	[[ $status == 1 && $output =~ $1 ]] || { echo "flat: $status: $output"; return 1; }
	[[ ! -e bundle ]] || { find bundle; return 1; }
	untouched
}

# It unpacks, in both forms, to the same tree, which is then flat/rootfs, and touches nothing outside.
contained() {
	make evil
	rm -rf store flat merged
	image import --quiet oci:evil
	image unpack --quiet --flat oci:evil flat
	image unpack --quiet --flat t merged
	same_tree flat/rootfs merged/rootfs
	untouched
}

same_tree() { # [--no-root] DIR DIR
	python3 "$top/tests/bats/image_tree.py" "$@"
}

xattrs() { # FILE
	python3 -c 'import os, sys; print({n: os.getxattr(sys.argv[1], n, follow_symlinks=False) for n in os.listxattr(sys.argv[1], follow_symlinks=False)})' "$1"
}

lower() { # NAME: the folders of its layers, topmost first
	image prepare --quiet "$1" | jq -r '.lower[]'
}

is() { # WANT [GOT]
	local got=${2-$output}
	[[ $got == "$1" ]] || { printf 'want: %s\ngot:  %s\n' "$1" "$got"; return 1; }
}

teardown() {
	cd / && chmod -R u+rwx "$BATS_TEST_TMPDIR" 2>/dev/null || :
}
