# shellcheck shell=dash
# shellcheck disable=SC1090,SC1091 # the mapping is named by an argument, the case is written by the target
# The router's side of the fuzz target "uci": maps one case after the other with the real script, $1, in this directory.
# A line on standard input starts a case; a line with the code of netify_licensed_write ends it.

. "$1"

# The part of /lib/functions.sh that the mapping uses. Here it gives names away as they are; uci would refuse most of
# the hostile ones before, and the mapping must not depend on it.
reset_cb() {
	config_cb() { return 0; }
	option_cb() { return 0; }
	list_cb() { return 0; }
}
config() { config_cb "$1" "$2"; }
option() { option_cb "$1" "$2"; }
list() { list_cb "$1" "$2"; }
config_load() {
	. ./case || return 1
	config_cb
}
reset_cb

# What the values try to run.
canary() { : >"$here/executed"; }

here=$PWD
trap 'cd / && rm -rf "$here"' EXIT
while read -r number; do
	code=0
	netify_licensed_write ./out/config.toml 2>errors || code=$?
	echo "$number $code"
done
