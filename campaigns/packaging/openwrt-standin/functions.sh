# shellcheck shell=dash
# Stand-in for OpenWrt's /lib/functions.sh: the documented calls that our scripts use, nothing more.

reset_cb() {
	config_cb() { return 0; }
	option_cb() { return 0; }
	list_cb() { return 0; }
}
reset_cb

package() { return 0; }

config() {
	uci_section="${2:-cfg_$1}"
	eval "uci_value_${uci_section}_TYPE=\$1"
	config_cb "$1" "$uci_section"
}

option() {
	local option="$1"
	shift
	eval "uci_value_${uci_section}_${option}=\$*"
	option_cb "$option" "$*"
}

list() {
	local option="$1"
	shift
	list_cb "$option" "$*"
}

config_load() {
	local text
	text="$(uci export "$1" 2>/dev/null)" || return 1
	eval "$text"
	config_cb
}

config_get() {
	eval "$1=\${uci_value_$2_$3:-\$4}"
}

config_get_bool() {
	local value
	config_get value "$2" "$3" "$4"
	case "$value" in
	1 | on | true | yes | enabled) eval "$1=1" ;;
	0 | off | false | no | disabled) eval "$1=0" ;;
	*) eval "$1=\$4" ;;
	esac
}

# The base system's part of installing and removing a package.
pkg_files() {
	if [ -f "/lib/apk/packages/$1.list" ]; then cat "/lib/apk/packages/$1.list"; else cat "/usr/lib/opkg/info/$1.list"; fi
}

pkg_name() {
	local file
	if [ -n "$pkgname" ]; then echo "$pkgname"; else file="${1##*/}" && echo "${file%.*}"; fi
}

add_group_and_user() { return 0; }

default_postinst() {
	local name file
	name="$(pkg_name "$1")"
	for file in $(pkg_files "$name" | grep '^/etc/uci-defaults/'); do
		[ ! -f "$file" ] || { (. "$file") && rm -f "$file"; }
	done
	for file in $(pkg_files "$name" | grep '^/etc/init.d/'); do
		[ "$PKG_UPGRADE" = 1 ] || "$file" enable
		"$file" start
	done
}

default_prerm() {
	local name file
	name="$(pkg_name "$1")"
	for file in $(pkg_files "$name" | grep '^/etc/init.d/'); do
		[ "$PKG_UPGRADE" = 1 ] || "$file" disable
		"$file" stop
	done
}
