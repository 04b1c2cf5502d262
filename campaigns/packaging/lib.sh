# shellcheck shell=bash
# What the packaging tests share: counting, skipping, a copy of the sources to build from.

set -uo pipefail
export LC_ALL=C

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
root=$(cd "$here/../.." && pwd -P)
name=netify-licensed
passed=0 failed=0 skipped=0
# Kept between runs, outside of the repository: trees that take a minute to make.
# shellcheck disable=SC2034 # for those who read this file in
cache=${XDG_CACHE_HOME:-$HOME/.cache}/netify-licensed-tests
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

pass() {
	passed=$((passed + 1))
	[ -z "${VERBOSE:-}" ] || echo "  ok      $1"
}

fail() {
	failed=$((failed + 1))
	echo "  FAILED  $1"
	[ $# -lt 2 ] || printf '%s\n' "$2" | sed 's/^/          /'
}

skip() {
	skipped=$((skipped + 1))
	echo "  SKIPPED: $1"
}

# check TITLE COMMAND...: passes when the command succeeds; shows its output when not.
check() {
	local title=$1 output
	shift
	if output=$("$@" 2>&1); then pass "$title"; else fail "$title" "$output"; fi
}

# same TITLE EXPECTED ACTUAL
same() {
	if [ "$2" = "$3" ]; then
		pass "$1"
	else
		fail "$1" "$(diff <(printf '%s\n' "$2") <(printf '%s\n' "$3") | sed 's/^</wanted:/;s/^>/got:   /')"
	fi
}

# contains TITLE TEXT PART
contains() {
	case "$2" in
	*"$3"*) pass "$1" ;;
	*) fail "$1" "'$3' is not in:
$2" ;;
	esac
}

# lacks TITLE TEXT PART
lacks() {
	case "$2" in
	*"$3"*) fail "$1" "'$3' is in:
$2" ;;
	*) pass "$1" ;;
	esac
}

need() { # need TOOL...: false, with a SKIPPED line, when one is missing
	local tool missing=''
	for tool; do command -v "$tool" >/dev/null || missing="$missing $tool"; done
	[ -z "$missing" ] && return 0
	skip "${group:-tests}: missing$missing"
	return 1
}

# Prints the program under test: $NETIFY_LICENSED_BINARY, a release build of this repository, or nothing.
real_binary() {
	local candidate
	for candidate in "${NETIFY_LICENSED_BINARY:-}" "$root/target/package/release/$name" "$root/target/release/$name"; do
		if [ -n "$candidate" ] && [ -x "$candidate" ]; then
			realpath "$candidate"
			return
		fi
	done
}

# Prints a test helper's program: NAME from $HUB_EMULATOR or $NETIFYD_STANDIN, or from the target directory.
helper_binary() {
	local candidate
	for candidate in "$2" "$root/target/release/$1" "$root/target/debug/$1"; do
		if [ -n "$candidate" ] && [ -x "$candidate" ]; then
			realpath "$candidate"
			return
		fi
	done
}

# A copy of what packaging/build reads, in $scratch/NAME. Sources that do not exist yet are stood in for, and named.
copy_sources() {
	local copy=$scratch/$1 source missing=''
	mkdir -p "$copy"
	cp -r "$root"/packaging "$root"/systemd "$root"/Cargo.toml "$copy"
	rm -rf "$copy/packaging/out"
	while read -r source; do
		mkdir -p "$copy/$(dirname "$source")"
		if [ -e "$root/$source" ]; then
			cp "$root/$source" "$copy/$source"
		elif [ ! -e "$copy/$source" ]; then
			case $source in
			*.[58]) printf '.TH X %s\n.SH NAME\n%s \\- stand-in\n' "${source##*.}" "$source" >"$copy/$source" ;;
			*) echo "# stand-in for $source" >"$copy/$source" ;;
			esac
			missing="$missing $source"
		fi
	done < <(awk '!/^#/ && NF == 5 && $4 !~ /^@/ && $3 !~ /^(link|dir|ghost)$/ { print $4 }' "$root/packaging/contents" | sort -u)
	[ -z "$missing" ] || echo "  note: stood in for:$missing" >&2
	echo "$copy"
}

# Makes the packages of version 0.1.0 out of the history of git, once, in $cache/0.1.0; false, with a SKIPPED line, when that
# cannot be done. $NETIFY_LICENSED_0_1_0 names a directory that has them already.
first_release=2f6d7a2
old_packages() { # old_packages: sets $old_deb and $old_rpm
	local place=${NETIFY_LICENSED_0_1_0:-$cache/0.1.0} build=$cache/0.1.0.build output
	old_deb=$(find "$place" -name '*.deb' 2>/dev/null | head -n 1)
	old_rpm=$(find "$place" -name '*.rpm' 2>/dev/null | head -n 1)
	[ -z "$old_deb" ] || [ -z "$old_rpm" ] || return 0
	if ! git -C "$root" cat-file -e "$first_release^{commit}" 2>/dev/null; then
		skip "${group:-tests}: UPGRADES FROM 0.1.0 ARE NOT TESTED: commit $first_release is not in this history (git fetch --unshallow, or NETIFY_LICENSED_0_1_0=DIRECTORY with its deb and rpm)"
		return 1
	fi
	echo "  building version 0.1.0 from commit $first_release into $cache/0.1.0 (once, some minutes)"
	rm -rf "$build" && mkdir -p "$build"
	if ! output=$(git -C "$root" archive "$first_release" | tar -x -C "$build" &&
		SOURCE_DATE_EPOCH=$(git -C "$root" log -1 --format=%ct "$first_release") \
			"$build/packaging/build" deb rpm --out "$cache/0.1.0" 2>&1); then
		rm -rf "$build" "$cache/0.1.0"
		skip "${group:-tests}: UPGRADES FROM 0.1.0 ARE NOT TESTED: it cannot be built: $(tail -n 1 <<<"$output")"
		return 1
	fi
	rm -rf "$build"
	old_deb=$(find "$cache/0.1.0" -name '*.deb') old_rpm=$(find "$cache/0.1.0" -name '*.rpm')
}

finish() {
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" = 0 ]
}
