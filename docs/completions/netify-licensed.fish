# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_netify_licensed_global_optspecs
    string join \n c/config= h/help V/version
end

function __fish_netify_licensed_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_netify_licensed_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_netify_licensed_using_subcommand
    set -l cmd (__fish_netify_licensed_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c netify-licensed -n "__fish_netify_licensed_needs_command" -s c -l config -d 'Configuration file [default: /etc/netify-licensed/config.toml]' -r -F
complete -c netify-licensed -n "__fish_netify_licensed_needs_command" -s h -l help -d 'Print help'
complete -c netify-licensed -n "__fish_netify_licensed_needs_command" -s V -l version -d 'Print version'
complete -c netify-licensed -n "__fish_netify_licensed_needs_command" -f -a "run" -d 'Run the daemon in the foreground'
complete -c netify-licensed -n "__fish_netify_licensed_needs_command" -f -a "verify" -d 'Verify the installed license or FILE, offline'
complete -c netify-licensed -n "__fish_netify_licensed_needs_command" -f -a "renew" -d 'Renew now, due or not, and wait for the outcome'
complete -c netify-licensed -n "__fish_netify_licensed_needs_command" -f -a "install" -d 'Verify FILE, install it as a renewal would be installed, and reload netifyd'
complete -c netify-licensed -n "__fish_netify_licensed_needs_command" -f -a "status" -d 'Show the daemon\'s state, or the state on disk when none runs'
complete -c netify-licensed -n "__fish_netify_licensed_needs_command" -f -a "reload" -d 'Have the daemon read configuration, keys and license again, and wait for what comes of it'
complete -c netify-licensed -n "__fish_netify_licensed_needs_command" -f -a "check" -d 'Monitoring plugin: one line, performance data, exit code 0 to 3'
complete -c netify-licensed -n "__fish_netify_licensed_needs_command" -f -a "doctor" -d 'Find out what does not work, from the device to the hub'
complete -c netify-licensed -n "__fish_netify_licensed_needs_command" -f -a "duid" -d 'Print this device\'s id'
complete -c netify-licensed -n "__fish_netify_licensed_needs_command" -f -a "provision" -d 'Create a license for this device and install it'
complete -c netify-licensed -n "__fish_netify_licensed_needs_command" -f -a "retire" -d 'Delete this device\'s license at the hub, then remove the file'
complete -c netify-licensed -n "__fish_netify_licensed_needs_command" -f -a "hub" -d 'The Licensing API\'s endpoints as they are, for integrators'
complete -c netify-licensed -n "__fish_netify_licensed_needs_command" -f -a "config" -d 'Validate or show the configuration'
complete -c netify-licensed -n "__fish_netify_licensed_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand run" -s c -l config -d 'Configuration file [default: /etc/netify-licensed/config.toml]' -r -F
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand verify" -s c -l config -d 'Configuration file [default: /etc/netify-licensed/config.toml]' -r -F
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand verify" -l json -d 'Print JSON'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand renew" -s c -l config -d 'Configuration file [default: /etc/netify-licensed/config.toml]' -r -F
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand renew" -l if-due -d 'Do nothing while the license is not due'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand renew" -l dry-run -d 'Ask the hub what it has, but change nothing'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand renew" -l accept-changes -d 'Also take a license that entitles to less or to something else, or that ends earlier'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand renew" -l json -d 'Print JSON'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand renew" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand install" -s c -l config -d 'Configuration file [default: /etc/netify-licensed/config.toml]' -r -F
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand install" -l force -d 'Allow an older or different license; never a bad signature or a wrong device'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand install" -l json -d 'Print JSON'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand install" -s h -l help -d 'Print help'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand status" -l format -d 'How to print it' -r -f -a "text\t'One screen'
json\t'The status document'
openmetrics\t'`OpenMetrics` 1.0'"
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand status" -s c -l config -d 'Configuration file [default: /etc/netify-licensed/config.toml]' -r -F
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand status" -l json -d 'Print JSON; short for --format json'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand status" -l alive -d 'Ask only whether the daemon answers within 5 seconds: exit code 0, else 1, whatever the license is'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand reload" -s c -l config -d 'Configuration file [default: /etc/netify-licensed/config.toml]' -r -F
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand reload" -l json -d 'Print JSON'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand reload" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand check" -s w -l warning -d 'Days before the expiry at which to warn' -r
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand check" -s c -l critical -d 'Days before the expiry at which it is critical' -r
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand check" -l config -d 'Configuration file; before the command also -c' -r -F
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand check" -l json -d 'Print JSON'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand doctor" -l bundle -d 'Write these results, configuration, status and last log lines into a tar file, without secrets' -r -F
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand doctor" -s c -l config -d 'Configuration file [default: /etc/netify-licensed/config.toml]' -r -F
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand doctor" -l json -d 'Print JSON'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand duid" -s c -l config -d 'Configuration file [default: /etc/netify-licensed/config.toml]' -r -F
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand duid" -l all -d 'Show every source, its value, which one wins and why'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand duid" -l repin -d 'Choose the id anew and keep it: the first usable source of today'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand duid" -l json -d 'Print JSON'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand duid" -s h -l help -d 'Print help'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand provision" -s c -l config -d 'Configuration file [default: /etc/netify-licensed/config.toml]' -r -F
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand provision" -l json -d 'Print JSON'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand provision" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand retire" -s c -l config -d 'Configuration file [default: /etc/netify-licensed/config.toml]' -r -F
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand retire" -l keep-file -d 'Leave the license file in place'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand retire" -l json -d 'Print JSON'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand retire" -s h -l help -d 'Print help'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand hub; and not __fish_seen_subcommand_from list view create renew delete help" -s c -l config -d 'Configuration file [default: /etc/netify-licensed/config.toml]' -r -F
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand hub; and not __fish_seen_subcommand_from list view create renew delete help" -s h -l help -d 'Print help'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand hub; and not __fish_seen_subcommand_from list view create renew delete help" -f -a "list" -d 'List the licenses of the API key'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand hub; and not __fish_seen_subcommand_from list view create renew delete help" -f -a "view" -d 'View one license'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand hub; and not __fish_seen_subcommand_from list view create renew delete help" -f -a "create" -d 'Create a license'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand hub; and not __fish_seen_subcommand_from list view create renew delete help" -f -a "renew" -d 'Extend a license'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand hub; and not __fish_seen_subcommand_from list view create renew delete help" -f -a "delete" -d 'Delete a license for good'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand hub; and not __fish_seen_subcommand_from list view create renew delete help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand hub; and __fish_seen_subcommand_from list" -l duid -d 'Only licenses bound to this device' -r
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand hub; and __fish_seen_subcommand_from list" -l issued-to -d 'Only licenses issued to a name that contains this' -r
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand hub; and __fish_seen_subcommand_from list" -l expiring -d 'Only licenses that end within this many days, or have ended' -r
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand hub; and __fish_seen_subcommand_from list" -l entitlement -d 'Only licenses that entitle to this' -r
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand hub; and __fish_seen_subcommand_from list" -l sort -d 'Order; JSON is in the hub\'s order otherwise' -r -f -a "expires\t'Soonest expiry first'
serial\t'By serial number'
issued-to\t'By the name on the license'
duid\t'By device'"
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand hub; and __fish_seen_subcommand_from list" -l limit -d 'Show no more than this many' -r
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand hub; and __fish_seen_subcommand_from list" -l format -d 'Format to ask the hub for' -r -f -a "netifyd\t'What netifyd reads'
object\t'Structured metadata'"
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand hub; and __fish_seen_subcommand_from list" -s c -l config -d 'Configuration file [default: /etc/netify-licensed/config.toml]' -r -F
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand hub; and __fish_seen_subcommand_from list" -l json -d 'Print the hub\'s data as received'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand hub; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand hub; and __fish_seen_subcommand_from view" -l format -d 'Format to ask the hub for' -r -f -a "netifyd\t'What netifyd reads'
object\t'Structured metadata'"
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand hub; and __fish_seen_subcommand_from view" -s c -l config -d 'Configuration file [default: /etc/netify-licensed/config.toml]' -r -F
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand hub; and __fish_seen_subcommand_from view" -l json -d 'Print the hub\'s data as received'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand hub; and __fish_seen_subcommand_from view" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand hub; and __fish_seen_subcommand_from create" -l issued-to -d 'Name on the license' -r
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand hub; and __fish_seen_subcommand_from create" -l entitlement -d 'What it entitles to; may be given several times' -r
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand hub; and __fish_seen_subcommand_from create" -l duid -d 'Device to bind it to' -r
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand hub; and __fish_seen_subcommand_from create" -l description -d 'Description to store with it' -r
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand hub; and __fish_seen_subcommand_from create" -l notes -d 'Note to store with it' -r
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand hub; and __fish_seen_subcommand_from create" -l renewable -d 'Whether it may be renewed' -r -f -a "true\t''
false\t''"
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand hub; and __fish_seen_subcommand_from create" -l transferable -d 'Whether it may move to another device' -r -f -a "true\t''
false\t''"
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand hub; and __fish_seen_subcommand_from create" -l expire-at -d 'Expiry date' -r
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand hub; and __fish_seen_subcommand_from create" -l duration-days -d 'Days from today; the longest that the key allows, otherwise' -r
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand hub; and __fish_seen_subcommand_from create" -l format -d 'Format to ask the hub for' -r -f -a "netifyd\t'What netifyd reads'
object\t'Structured metadata'"
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand hub; and __fish_seen_subcommand_from create" -s c -l config -d 'Configuration file [default: /etc/netify-licensed/config.toml]' -r -F
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand hub; and __fish_seen_subcommand_from create" -l json -d 'Print the hub\'s data as received'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand hub; and __fish_seen_subcommand_from create" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand hub; and __fish_seen_subcommand_from renew" -l expire-at -d 'Expiry date' -r
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand hub; and __fish_seen_subcommand_from renew" -l duration-days -d 'Days from today; the longest that the key allows, otherwise' -r
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand hub; and __fish_seen_subcommand_from renew" -l format -d 'Format to ask the hub for' -r -f -a "netifyd\t'What netifyd reads'
object\t'Structured metadata'"
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand hub; and __fish_seen_subcommand_from renew" -s c -l config -d 'Configuration file [default: /etc/netify-licensed/config.toml]' -r -F
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand hub; and __fish_seen_subcommand_from renew" -l json -d 'Print the hub\'s data as received'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand hub; and __fish_seen_subcommand_from renew" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand hub; and __fish_seen_subcommand_from delete" -s c -l config -d 'Configuration file [default: /etc/netify-licensed/config.toml]' -r -F
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand hub; and __fish_seen_subcommand_from delete" -l json -d 'Print JSON'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand hub; and __fish_seen_subcommand_from delete" -s h -l help -d 'Print help'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand hub; and __fish_seen_subcommand_from help" -f -a "list" -d 'List the licenses of the API key'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand hub; and __fish_seen_subcommand_from help" -f -a "view" -d 'View one license'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand hub; and __fish_seen_subcommand_from help" -f -a "create" -d 'Create a license'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand hub; and __fish_seen_subcommand_from help" -f -a "renew" -d 'Extend a license'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand hub; and __fish_seen_subcommand_from help" -f -a "delete" -d 'Delete a license for good'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand hub; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand config; and not __fish_seen_subcommand_from check example show help" -s c -l config -d 'Configuration file [default: /etc/netify-licensed/config.toml]' -r -F
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand config; and not __fish_seen_subcommand_from check example show help" -s h -l help -d 'Print help'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand config; and not __fish_seen_subcommand_from check example show help" -f -a "check" -d 'Find mistakes: exit code 0 or 78'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand config; and not __fish_seen_subcommand_from check example show help" -f -a "example" -d 'Print the commented reference: every key with its meaning and default'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand config; and not __fish_seen_subcommand_from check example show help" -f -a "show" -d 'Print the effective configuration, secrets redacted'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand config; and not __fish_seen_subcommand_from check example show help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand config; and __fish_seen_subcommand_from check" -s c -l config -d 'Configuration file [default: /etc/netify-licensed/config.toml]' -r -F
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand config; and __fish_seen_subcommand_from check" -l json -d 'Print JSON'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand config; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand config; and __fish_seen_subcommand_from example" -s c -l config -d 'Configuration file [default: /etc/netify-licensed/config.toml]' -r -F
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand config; and __fish_seen_subcommand_from example" -s h -l help -d 'Print help'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand config; and __fish_seen_subcommand_from show" -s c -l config -d 'Configuration file [default: /etc/netify-licensed/config.toml]' -r -F
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand config; and __fish_seen_subcommand_from show" -l json -d 'Print JSON'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand config; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "check" -d 'Find mistakes: exit code 0 or 78'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "example" -d 'Print the commented reference: every key with its meaning and default'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "show" -d 'Print the effective configuration, secrets redacted'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand help; and not __fish_seen_subcommand_from run verify renew install status reload check doctor duid provision retire hub config help" -f -a "run" -d 'Run the daemon in the foreground'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand help; and not __fish_seen_subcommand_from run verify renew install status reload check doctor duid provision retire hub config help" -f -a "verify" -d 'Verify the installed license or FILE, offline'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand help; and not __fish_seen_subcommand_from run verify renew install status reload check doctor duid provision retire hub config help" -f -a "renew" -d 'Renew now, due or not, and wait for the outcome'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand help; and not __fish_seen_subcommand_from run verify renew install status reload check doctor duid provision retire hub config help" -f -a "install" -d 'Verify FILE, install it as a renewal would be installed, and reload netifyd'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand help; and not __fish_seen_subcommand_from run verify renew install status reload check doctor duid provision retire hub config help" -f -a "status" -d 'Show the daemon\'s state, or the state on disk when none runs'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand help; and not __fish_seen_subcommand_from run verify renew install status reload check doctor duid provision retire hub config help" -f -a "reload" -d 'Have the daemon read configuration, keys and license again, and wait for what comes of it'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand help; and not __fish_seen_subcommand_from run verify renew install status reload check doctor duid provision retire hub config help" -f -a "check" -d 'Monitoring plugin: one line, performance data, exit code 0 to 3'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand help; and not __fish_seen_subcommand_from run verify renew install status reload check doctor duid provision retire hub config help" -f -a "doctor" -d 'Find out what does not work, from the device to the hub'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand help; and not __fish_seen_subcommand_from run verify renew install status reload check doctor duid provision retire hub config help" -f -a "duid" -d 'Print this device\'s id'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand help; and not __fish_seen_subcommand_from run verify renew install status reload check doctor duid provision retire hub config help" -f -a "provision" -d 'Create a license for this device and install it'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand help; and not __fish_seen_subcommand_from run verify renew install status reload check doctor duid provision retire hub config help" -f -a "retire" -d 'Delete this device\'s license at the hub, then remove the file'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand help; and not __fish_seen_subcommand_from run verify renew install status reload check doctor duid provision retire hub config help" -f -a "hub" -d 'The Licensing API\'s endpoints as they are, for integrators'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand help; and not __fish_seen_subcommand_from run verify renew install status reload check doctor duid provision retire hub config help" -f -a "config" -d 'Validate or show the configuration'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand help; and not __fish_seen_subcommand_from run verify renew install status reload check doctor duid provision retire hub config help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand help; and __fish_seen_subcommand_from hub" -f -a "list" -d 'List the licenses of the API key'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand help; and __fish_seen_subcommand_from hub" -f -a "view" -d 'View one license'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand help; and __fish_seen_subcommand_from hub" -f -a "create" -d 'Create a license'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand help; and __fish_seen_subcommand_from hub" -f -a "renew" -d 'Extend a license'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand help; and __fish_seen_subcommand_from hub" -f -a "delete" -d 'Delete a license for good'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "check" -d 'Find mistakes: exit code 0 or 78'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "example" -d 'Print the commented reference: every key with its meaning and default'
complete -c netify-licensed -n "__fish_netify_licensed_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "show" -d 'Print the effective configuration, secrets redacted'
