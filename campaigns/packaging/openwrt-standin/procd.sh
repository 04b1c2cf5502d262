# shellcheck shell=dash disable=SC2154 # initscript is rc.common's
# Stand-in for procd and its shell interface. A service is a directory /tmp/procd/NAME: one file per parameter of its
# instance, "running" while it runs; /tmp/procd/log has what was asked of procd.

procd_dir=/tmp/procd
mkdir -p "$procd_dir"

procd_note() { echo "$*" >>"$procd_dir/log"; }

procd_open_service() {
	procd_service="$1"
	rm -rf "$procd_dir/new"
	mkdir -p "$procd_dir/new"
}

procd_open_instance() { procd_instance=1; }
procd_close_instance() { : >"$procd_dir/new/running"; }

procd_set_param() {
	local type="$1"
	[ "$procd_instance" = 1 ] || echo "procd_set_param $type outside of an instance" >&2
	shift
	case "$type" in
	command | env | respawn | limits | stdout | stderr | term_timeout | pidfile | user | file | reload_signal) ;;
	*) echo "procd_set_param: unknown $type" >&2 ;;
	esac
	printf '%s\n' "$@" >"$procd_dir/new/$type"
}

procd_add_reload_trigger() {
	local file
	for file; do echo "config.change $file -> $initscript reload" >>"$procd_dir/new/triggers"; done
}

# As procd: an instance that is the same goes on, another one is started in its place, none at all ends it.
procd_close_service() {
	local dir="$procd_dir/$procd_service"
	service_triggers
	if [ -e "$procd_dir/new/running" ]; then
		if [ -e "$dir/running" ] && cmp -s "$procd_dir/new/command" "$dir/command" && cmp -s "$procd_dir/new/env" "$dir/env"; then
			procd_note "same $procd_service"
		else
			procd_note "start $procd_service"
		fi
	elif [ -e "$dir/running" ]; then
		procd_note "end $procd_service"
	fi
	rm -rf "$dir"
	mv "$procd_dir/new" "$dir"
	procd_instance=''
}

procd_kill() {
	[ ! -e "$procd_dir/$1/running" ] || procd_note "end $1"
	rm -rf "${procd_dir:?}/$1"
}

procd_running() { [ -e "$procd_dir/$1/running" ]; }

procd_send_signal() {
	[ -e "$procd_dir/$1/running" ] || return 1
	procd_note "signal $1 ${3:-HUP}"
}
