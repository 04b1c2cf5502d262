# shellcheck shell=dash
# shellcheck disable=SC2034,SC2154,SC2317 # variables per table are made with eval; callbacks are called by config_load
# From /etc/config/netify-licensed to the TOML that the daemon reads. This file is the only place that knows both.
#
# A section's type is the TOML table, an option's name is the key with "_" for "-" (UCI names have no hyphens):
#   config hub 'hub'                          [hub]
#           option connect_timeout '10s'      connect-timeout = "10s"
# The section "service" belongs to the init script and is left out. Whatever is not known here is refused, by name, as
# the daemon refuses unknown keys. Needs /lib/functions.sh and a shell, nothing else.

# netify_licensed_toml: prints the TOML; says on stderr what is wrong and returns 1 when something is.
# netify_licensed_write FILE: the same into FILE, which appears whole or not at all.

# Sets nl_type for table $1 and option $2: string, number, boolean, list, skip, or nothing when unknown.
nl_lookup() {
	case "$1.$2" in
	service.enabled)
		nl_type=skip ;;
	license.path | license.serial | \
	device.duid | device.duid_file | \
	trust.mode | trust.scheme | \
	hub.kind | hub.url | hub.api_key_file | hub.username | hub.password_file | hub.bearer_token_file | hub.ca_file | \
	hub.client_cert | hub.client_key | hub.proxy | hub.connect_timeout | hub.timeout | \
	renewal.renew_before | renewal.min_retry | renewal.max_retry | renewal.accept_changes_after | renewal.active_file | \
	provision.issued_to | provision.description | provision.notes | \
	reload.method | reload.service | reload.pid_file | reload.socket | reload.timeout | \
	clock.trust | \
	status.file | status.socket | status.metrics_textfile | \
	log.level | log.format)
		nl_type=string ;;
	renewal.term_days | provision.term_days)
		nl_type=number ;;
	trust.require_device_binding | provision.enabled | provision.renewable | provision.transferable)
		nl_type=boolean ;;
	device.duid_command | device.sources | trust.keys | provision.entitlements | reload.command | hooks.on_change)
		nl_type=list ;;
	*)
		nl_type= ;;
	esac
}

nl_tables='license device trust hub renewal provision reload clock hooks status log'
nl_newline='
'

# One line for each mistake, whatever it quotes: it goes to the log and to a terminal.
nl_refuse() {
	local rest="$1" shown='' plain
	while plain="${rest%%[[:cntrl:]]*}" && [ "$plain" != "$rest" ]; do
		shown="$shown$plain?"
		rest="${rest#"$plain"}"
		rest="${rest#?}"
	done
	printf '%s\n' "/etc/config/netify-licensed: $shown$rest" >&2
	nl_refused=1
}

# Sets nl_quoted to $1 as a TOML basic string. From one special character to the next: character by character, a value of
# some kilobytes would keep a shell busy for minutes.
nl_quote() {
	local rest="$1" out='' plain
	while plain="${rest%%[\"\\[:cntrl:]]*}" && [ "$plain" != "$rest" ]; do
		out="$out$plain"
		rest="${rest#"$plain"}"
		case "$rest" in
		\"*) out="$out\\\"" ;;
		\\*) out="$out\\\\" ;;
		*) out="$out$(printf '\\u%04X' "'$rest")" ;;
		esac
		rest="${rest#?}"
	done
	nl_quoted="\"$out$rest\""
}

# Adds "key = value" to the current table. $1: option, $2: value as TOML has it.
nl_add() {
	local key="$1" left
	while left="${key%%_*}" && [ "$left" != "$key" ]; do
		key="$left-${key#*_}"
	done
	eval "nl_table_$nl_table=\"\${nl_table_$nl_table}\$key = \$2\$nl_newline\""
}

# Writes out the list that was being collected.
nl_list_end() {
	[ -n "$nl_list" ] || return 0
	nl_add "$nl_list" "[$nl_items]"
	nl_list=''
}

nl_section() {
	local known
	nl_list_end
	nl_table=''
	[ -n "$1" ] || return 0
	for known in service $nl_tables ''; do
		[ "$known" != "$1" ] || break
	done
	if [ -z "$known" ]; then
		nl_refuse "there is no section of type '$1'; known are service $nl_tables"
		return
	fi
	case " $nl_seen " in
	*" $1 "*)
		nl_refuse "section '$1' is there twice"
		return
		;;
	esac
	nl_seen="$nl_seen $1"
	nl_table="$1"
}

nl_option() {
	nl_list_end
	[ -n "$nl_table" ] || return 0
	nl_lookup "$nl_table" "$1"
	case "$nl_type" in
	skip) ;;
	string)
		nl_quote "$2"
		nl_add "$1" "$nl_quoted"
		;;
	# A list of one is often written as an option.
	list)
		nl_quote "$2"
		nl_add "$1" "[$nl_quoted]"
		;;
	number)
		case "$2" in
		'' | *[!0-9]* | 0?*) nl_refuse "$nl_table.$1 is '$2', not a whole number" ;;
		*) nl_add "$1" "$2" ;;
		esac
		;;
	boolean)
		case "$2" in
		1 | on | true | yes | enabled) nl_add "$1" true ;;
		0 | off | false | no | disabled) nl_add "$1" false ;;
		*) nl_refuse "$nl_table.$1 is '$2', neither 1 nor 0" ;;
		esac
		;;
	*) nl_refuse "section '$nl_table' has no option '$1'" ;;
	esac
}

nl_item() {
	[ -n "$nl_table" ] || return 0
	nl_lookup "$nl_table" "$1"
	case "$nl_type" in
	list) ;;
	'')
		nl_refuse "section '$nl_table' has no list '$1'"
		return
		;;
	*)
		nl_refuse "$nl_table.$1 takes one value: write 'option $1', not 'list $1'"
		return
		;;
	esac
	nl_quote "$2"
	if [ "$nl_list" = "$1" ]; then
		nl_items="$nl_items, $nl_quoted"
	else
		nl_list_end
		nl_list="$1"
		nl_items="$nl_quoted"
	fi
}

netify_licensed_toml() {
	local nl_table='' nl_list='' nl_items='' nl_seen='' nl_type='' nl_quoted='' nl_refused='' table body
	for table in $nl_tables; do eval "local nl_table_$table=''"; done

	# Called by config_load for each section, option and list item.
	config_cb() { nl_section "$1"; }
	option_cb() { nl_option "$1" "$2"; }
	list_cb() { nl_item "$1" "$2"; }
	if ! config_load netify-licensed; then
		reset_cb
		nl_refuse "cannot be read; 'uci export netify-licensed' says why"
		return 1
	fi
	reset_cb
	nl_list_end
	[ -z "$nl_refused" ] || return 1

	# /run is missing before OpenWrt 24.10; /var/run is there always.
	nl_table=status
	case "$nl_newline$nl_table_status" in
	*"${nl_newline}file = "*) ;;
	*) nl_add file '"/var/run/netify-licensed/status.json"' ;;
	esac
	case "$nl_newline$nl_table_status" in
	*"${nl_newline}socket = "*) ;;
	*) nl_add socket '"/var/run/netify-licensed/control.sock"' ;;
	esac

	echo "# Made from /etc/config/netify-licensed; changes here are lost."
	for table in $nl_tables; do
		eval "body=\$nl_table_$table"
		[ -z "$body" ] || printf '\n[%s]\n%s' "$table" "$body"
	done
}

netify_licensed_write() {
	local file="$1" temp="$1.$$"
	mkdir -p "${file%/*}" || return 1
	# In a subshell: the umask is for this file only. It may hold a proxy's password.
	if (umask 077 && netify_licensed_toml >"$temp") && mv -f "$temp" "$file"; then
		return 0
	fi
	rm -f "$temp"
	return 1
}
