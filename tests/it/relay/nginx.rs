//! The relay of packaging/relay on the distribution's nginx, set up by the commands of docs/relay.md, before the emulator.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use hub_emulator::{ApiKey, Endpoint, HubEmulator, LicenseSpec, Options, TlsOptions};
use test_bench::rig::{Outcome, PATIENCE, Rig, SERIAL, skipped, tool};
use test_support::{Proc, wait_until};

/// The key that must never reach a device or a log.
const KEY: &str = "integrator-key-marker-0001";
const MODULE: &str = "/usr/lib/nginx/modules/ngx_http_js_module.so";
const DAY: Duration = Duration::from_secs(86_400);

/// nginx as a relay, with the hub behind it.
struct Relay {
    hub: HubEmulator,
    bench: Rig,
    url: String,
    nginx: Proc,
}

impl Relay {
    /// Nothing where nginx or njs is not installed.
    fn start() -> Option<Self> {
        let (Some(nginx), true) = (tool("nginx"), Path::new(MODULE).exists()) else {
            skipped("the relay on nginx (apt install nginx-light libnginx-mod-http-js)");
            return None;
        };
        let mut options = Options::new().tls(TlsOptions::default());
        options.api_keys = vec![ApiKey::new(KEY)];
        let hub = HubEmulator::start(options);
        for (serial, duid) in [(SERIAL, "device-1"), ("S-2", "device-2"), ("S-3", "device-3")] {
            hub.add_license_of(KEY, LicenseSpec::new(serial).duid(duid).issued_ago(DAY).expires_in(DAY * 6));
        }
        let bench = Rig::new();
        let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port();
        set_up(&bench, &hub, port);
        let config = bench.write("nginx.conf", main_config(&bench));
        let check = Command::new(&nginx).arg("-t").arg("-c").arg(&config).output().expect("nginx starts");
        assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
        let nginx = Proc::spawn(Command::new(&nginx).arg("-c").arg(&config)).expect("nginx starts");
        let is_up = || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
        wait_until(is_up, PATIENCE, "nginx listens").expect("nginx");
        let url = format!("https://127.0.0.1:{port}/api/v2/integrator");
        Some(Self { hub, bench, url, nginx })
    }

    /// A device that shows the certificate of this name.
    fn device(&self, name: &str) -> Rig {
        let mut rig = self.stranger();
        self.shell(&format!(
            "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={name} -addext extendedKeyUsage=clientAuth -keyout {name}.key -out {name}.csr \
             && openssl x509 -req -in {name}.csr -CA netify-relay/devices-ca.pem -CAkey devices-ca.key -CAcreateserial -copy_extensions copy -out {name}.pem"
        ));
        let pem = |end: &str| fs::read_to_string(self.bench.path(&format!("{name}.{end}"))).expect("a file");
        let (cert, key) = (rig.write("device.pem", pem("pem")), rig.secret("device.key", &pem("key")));
        rig.set("hub.client-cert", cert.display());
        rig.set("hub.client-key", key.display());
        rig
    }

    /// A device without a certificate.
    fn stranger(&self) -> Rig {
        let mut rig = Rig::new();
        rig.write("keys.d/hub.pem", self.hub.public_key_pem());
        rig.set("hub.url", &self.url);
        rig.set("hub.ca-file", self.bench.path("netify-relay/server.pem").display());
        rig
    }

    fn shell(&self, line: &str) {
        run(&self.bench, line);
    }

    fn logs(&self) -> String {
        ["access.log", "error.log"].map(|name| fs::read_to_string(self.bench.path(name)).unwrap_or_default()).concat()
    }
}

fn run(bench: &Rig, line: &str) {
    let done = Command::new("sh").arg("-ec").arg(line).current_dir(bench.dir()).output().expect("sh");
    assert!(done.status.success(), "{line}: {}", String::from_utf8_lossy(&done.stderr));
}

/// The page's own commands, with the test's directory in the place of /etc/nginx.
fn set_up(bench: &Rig, hub: &HubEmulator, port: u16) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    bench.secret("api-key", KEY);
    run(
        bench,
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=relay \
         -addext subjectAltName=IP:127.0.0.1 -keyout server.key -out server.pem",
    );
    for name in ["relay.js", "netify-relay.conf"] {
        fs::copy(root.join("packaging/relay").join(name), bench.path(name)).expect("a file of the relay");
    }
    fs::create_dir(bench.path("conf.d")).expect("a directory");
    let page = fs::read_to_string(root.join("docs/relay.md")).expect("the page");
    let block = page.split("<!-- relay -->").nth(1).and_then(|rest| rest.split("```sh\n").nth(1)).expect("a block");
    let commands = block.split("```").next().expect("an end");
    assert_eq!(commands.lines().count(), 10, "from nothing to a first device in ten commands");
    for line in commands.lines().filter(|line| !line.starts_with("apt ") && !line.starts_with("nginx ")) {
        run(bench, &line.replace("/etc/nginx", &bench.dir().display().to_string()));
    }
    bench.write("netify-relay/duids.map", "by-duid device-2;\n");
    run(bench, "printf 'by-password:%s\n' \"$(openssl passwd -6 password-marker)\" > netify-relay/passwords");
    run(bench, "echo 'by-password S-3;' >> netify-relay/serials.map");
    let mut config = fs::read_to_string(bench.path("conf.d/netify-relay.conf")).expect("it was installed");
    for (from, to) in [
        ("/etc/nginx", bench.dir().display().to_string()),
        ("listen 443", format!("listen 127.0.0.1:{port}")),
        ("hub.netify.ai:443", hub.address().to_string()),
        ("proxy_ssl_name hub.netify.ai", "proxy_ssl_name localhost".to_owned()),
        ("/etc/ssl/certs/ca-certificates.crt", bench.path("hub-ca.pem").display().to_string()),
    ] {
        assert!(config.contains(from), "{from}");
        config = config.replace(from, &to);
    }
    bench.write("conf.d/netify-relay.conf", config);
    bench.write("hub-ca.pem", &hub.tls().expect("TLS").ca_pem);
}

/// What a distribution's nginx.conf has around conf.d, in the test's directory and in the foreground.
fn main_config(bench: &Rig) -> String {
    let dir = bench.dir().display();
    let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {dir}/{kind};"))
        .join("\n");
    format!(
        "load_module {MODULE};\n{user}\ndaemon off;\nworker_processes 1;\npid {dir}/nginx.pid;\nerror_log {dir}/error.log info;\n\
         events {{}}\nhttp {{\naccess_log {dir}/access.log;\n{temporary}\ninclude {dir}/conf.d/*.conf;\n}}\n"
    )
}

#[track_caller]
fn is_refused(done: &Outcome, words: &str) {
    assert_eq!(done.code, Some(5), "{done:?}");
    assert!(done.err.contains(words), "{done:?}");
}

#[test]
fn each_device_reaches_its_own_license_and_nothing_else() {
    let Some(relay) = Relay::start() else { return };
    // By certificate: no API key on the device, and a whole renewal through the relay.
    let mut own = relay.device("gateway-1");
    own.set("device.duid", "device-1");
    own.set("license.serial", SERIAL);
    own.run(&["renew"]).expect(0);
    assert_eq!(own.installed_serial(), SERIAL);
    own.run(&["hub", "renew", SERIAL]).expect(0);
    assert_eq!(relay.hub.count(Endpoint::Renew), 1);
    for args in [&["hub", "view", "S-2"][..], &["hub", "renew", "S-2"]] {
        is_refused(&own.run(args), "not of this device");
    }
    is_refused(&own.run(&["hub", "delete", SERIAL]), "may view and renew");
    is_refused(&own.run(&["hub", "list"]), "may not list or create");

    // By DUID: its own license, its own list, its own creations.
    let by_duid = relay.device("by-duid");
    by_duid.run(&["hub", "view", "S-2"]).expect(0);
    is_refused(&by_duid.run(&["hub", "view", SERIAL]), "not of this device");
    let list = by_duid.run(&["hub", "list", "--json"]);
    assert!(list.out.contains("S-2") && !list.out.contains(SERIAL), "{list:?}");
    let create = ["hub", "create", "--issued-to", "A", "--entitlement", "netify-proc-lua", "--duid"];
    by_duid.run(&[&create[..], &["device-2"]].concat()).expect(0);
    is_refused(&by_duid.run(&[&create[..], &["device-1"]].concat()), "the DUID is not of this device");

    // By password; nobody else's name opens anything.
    let mut by_password = relay.stranger();
    by_password.set("hub.username", "by-password");
    let file = by_password.secret("password", "password-marker");
    by_password.set("hub.password-file", file.display());
    by_password.run(&["hub", "view", "S-3"]).expect(0);
    is_refused(&by_password.run(&["hub", "view", "S-2"]), "not of this device");
    by_password.secret("password", "wrong");
    let refused = by_password.run(&["hub", "view", "S-3"]);
    assert!(refused.expect(1).contains("hub.username and the password"), "{refused:?}");
    is_refused(&relay.device("nobody").run(&["hub", "view", SERIAL]), "not of this device");

    // The hub got the key and nothing of the devices; the key is in no log.
    for request in relay.hub.requests() {
        assert_eq!(request.request.header("x-api-key"), Some(KEY), "{request:?}");
        assert_eq!(request.request.header("authorization"), None, "{request:?}");
    }
    let logs = relay.logs();
    assert!(logs.contains("/licenses/") && !logs.contains(KEY) && !logs.contains("password-marker"), "{logs}");
    drop(relay.nginx);
}

#[test]
fn a_device_that_asks_too_often_is_told_when_to_come_back() {
    let Some(relay) = Relay::start() else { return };
    let own = relay.device("gateway-1");
    let refused = (0..15).map(|_| own.run(&["hub", "view", SERIAL])).find(|done| done.code != Some(0));
    let refused = refused.expect("eleven at once are too many");
    assert!(refused.err.contains("429") && refused.err.contains("too many requests from this device"), "{refused:?}");
    let curl = "curl --silent --insecure --dump-header head --output body --cert gateway-1.pem --key gateway-1.key";
    if tool("curl").is_some() {
        relay.shell(&format!("{curl} {}/licenses/{SERIAL}", relay.url));
        let head = fs::read_to_string(relay.bench.path("head")).expect("a head");
        assert!(head.contains("429") && head.contains("Retry-After: 120"), "{head}");
    }
}

#[test]
fn the_configuration_is_as_short_as_it_is_said_to_be() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/relay");
    let config = fs::read_to_string(root.join("netify-relay.conf")).expect("the configuration");
    assert!(config.lines().count() <= 60, "{}", config.lines().count());
    let places = config.lines().filter(|line| line.trim_start().starts_with("proxy_set_header")).count();
    assert_eq!(places, 2, "all in one location: another one would lose them");
}
