//! Real servers, and what is said of them: each row has its exit code and its words, and no word of a library.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::Command;

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use test_bench::rig::{Outcome, PATIENCE, Rig, skipped, tool};
use test_support::{Proc, wait_until};

use super::proxy::free_port;

/// What no sentence may hold.
const FOREIGN: [&str; 12] =
    ["{", "}", "Other(", "Error(", "Some(", "Alert", "rustls", "webpki", "hyper", "[6, ", "::Error", "CaUsed"];

fn said(done: &Outcome, code: i32, words: &str) {
    let err = done.expect(code);
    assert!(err.contains(words), "wanted: {words}\n{err}");
    for foreign in FOREIGN {
        assert!(!err.contains(foreign), "{foreign}: {err}");
    }
    assert_eq!(err.lines().count(), 1, "{err}");
}

fn openssl(rig: &Rig, args: &[&str]) -> bool {
    let done = Command::new("openssl").args(args).current_dir(rig.dir()).output();
    done.is_ok_and(|done| done.status.success())
}

/// A device whose hub is at this port.
fn device(port: u16) -> Rig {
    let mut rig = Rig::new();
    let key = rig.secret("api-key", "integrator-key");
    rig.set("hub.api-key-file", key.display());
    rig.set("hub.url", format!("https://127.0.0.1:{port}/api"));
    rig.set("hub.timeout", "5s");
    rig
}

struct Nginx(#[allow(dead_code, reason = "it ends with this")] Proc);

impl Nginx {
    /// With `server.pem` and `server.key` of the device's directory.
    fn start(rig: &Rig, port: u16, more: &str) -> Option<Self> {
        let Some(program) = tool("nginx") else {
            skipped("nginx is not installed (apt install nginx-light)");
            return None;
        };
        let dir = rig.dir().display();
        let config = rig.write(
            "nginx.conf",
            format!(
                "daemon off; master_process off; pid {dir}/nginx.pid; error_log stderr;\nevents {{}}\nhttp {{ access_log off; \
                 client_body_temp_path {dir}/b; proxy_temp_path {dir}/p; fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;\n\
                 server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {dir}/server.pem; ssl_certificate_key {dir}/server.key;\n{more}\n\
                 location / {{ default_type application/json; return 200 '{{\"status_code\":0,\"data\":[]}}'; }}\n\
                 location /api/licenses/401 {{ return 401; }} location /api/licenses/403 {{ return 403; }}\n\
                 location /api/licenses/404 {{ return 404; }} location /api/licenses/502 {{ return 502; }} }} }}\n"
            ),
        );
        let process = Proc::spawn(Command::new(program).arg("-c").arg(config)).expect("nginx starts");
        let up = || !process.is_running() || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
        wait_until(up, PATIENCE, "nginx listens").expect("it listens or ends");
        if process.is_running() {
            return Some(Self(process));
        }
        skipped(&format!("nginx does not take this: {}", process.output()));
        None
    }
}

/// Makes `server.pem` and `server.key`.
fn self_signed(rig: &Rig, change: impl Fn(&mut CertificateParams)) {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    change(&mut params);
    rig.write("server.pem", params.self_signed(&key).expect("a certificate").pem());
    rig.secret("server.key", &key.serialize_pem());
}

#[test]
fn a_self_signed_certificate_is_taken_where_it_is_the_ca_file() {
    let port = free_port();
    let mut rig = device(port);
    let made = openssl(
        &rig,
        &[
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            "server.key",
            "-out",
            "server.pem",
            "-days",
            "2",
            "-subj",
            "/CN=hub",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
        ],
    );
    if !made {
        return skipped("openssl is not installed");
    }
    let Some(nginx) = Nginx::start(&rig, port, "") else { return };
    rig.set("hub.ca-file", rig.path("server.pem").display());
    rig.run(&["hub", "list"]).expect(0);
    // Another certificate of the same kind is none.
    drop(nginx);
    std::fs::copy(rig.path("server.pem"), rig.path("other.pem")).expect("copied");
    self_signed(&rig, |_| {});
    let Some(_nginx) = Nginx::start(&rig, port, "") else { return };
    rig.set("hub.ca-file", rig.path("other.pem").display());
    said(
        &rig.run(&["hub", "list"]),
        1,
        "the server's TLS certificate is an authority's own; set hub.ca-file to exactly this",
    );
}

#[test]
fn its_dates_and_names_count_all_the_same() {
    for (words, change) in [
        (
            "has expired (it ended 2001-01-01 00:00:00 UTC)",
            (|params: &mut CertificateParams| {
                params.not_before = rcgen::date_time_ymd(2000, 1, 1);
                params.not_after = rcgen::date_time_ymd(2001, 1, 1);
            }) as fn(&mut CertificateParams),
        ),
        ("is for another name (hub.example)", |params| {
            params.subject_alt_names = vec![rcgen::SanType::DnsName("hub.example".try_into().expect("a name"))];
        }),
    ] {
        let port = free_port();
        let mut rig = device(port);
        self_signed(&rig, change);
        let Some(_nginx) = Nginx::start(&rig, port, "") else { return };
        rig.set("hub.ca-file", rig.path("server.pem").display());
        said(&rig.run(&["hub", "list"]), 1, words);
    }
}

#[test]
fn a_page_of_nginx_is_not_the_hubs_word() {
    let port = free_port();
    let mut rig = device(port);
    self_signed(&rig, |_| {});
    let Some(_nginx) = Nginx::start(&rig, port, "") else { return };
    rig.set("hub.ca-file", rig.path("server.pem").display());
    for (serial, words) in [
        (
            "401",
            "HTTP 401 (Unauthorized) with an HTML page, which is not the hub's word; ask whoever runs the hub whether",
        ),
        ("403", "lets this device through, or check the API key in "),
        ("404", "HTTP 404 (Not Found) with an HTML page, which is not the hub's word"),
        ("502", "HTTP 502 (Bad Gateway) with an HTML page, which is not the hub's word; try again later"),
    ] {
        said(&rig.run(&["hub", "view", serial]), 1, words);
    }
}

#[test]
fn nginx_asks_for_a_client_certificate_in_a_page() {
    let port = free_port();
    let mut rig = device(port);
    self_signed(&rig, |_| {});
    let more = format!("ssl_client_certificate {}; ssl_verify_client on;", rig.path("server.pem").display());
    let Some(_nginx) = Nginx::start(&rig, port, &more) else { return };
    rig.set("hub.ca-file", rig.path("server.pem").display());
    let words = "HTTP 400 (Bad Request): the server in front of the hub asks for a client certificate, or does not take the one it got; set hub.client-cert and hub.client-key";
    said(&rig.run(&["hub", "list"]), 1, words);
}

#[test]
fn a_server_with_nothing_in_common_is_told_what_this_program_needs() {
    let in_common = "it finds no cipher, curve or signature in common; set up TLS 1.2 or 1.3 with AES-GCM";
    let unusable = "";
    for (name, key, more, words) in [
        (
            "cipher",
            &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"][..],
            "ssl_protocols TLSv1.2; ssl_ciphers ECDHE-ECDSA-AES128-SHA256;",
            in_common,
        ),
        (
            "curve",
            &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"][..],
            "ssl_ecdh_curve secp521r1;",
            in_common,
        ),
        ("P-521 key", &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"][..], "", in_common),
        (
            "RSA of 1024 bits",
            &["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"][..],
            "ssl_ciphers DEFAULT@SECLEVEL=0;",
            "the key of the server's TLS certificate cannot be used: it is too short or of another kind",
        ),
        (
            "a key for PSS alone",
            &["genpkey", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"][..],
            "",
            unusable,
        ),
    ] {
        let port = free_port();
        let mut rig = device(port);
        let made = openssl(&rig, &[key, &["-out", "server.key"]].concat())
            && openssl(
                &rig,
                &[
                    "req",
                    "-x509",
                    "-key",
                    "server.key",
                    "-out",
                    "server.pem",
                    "-days",
                    "2",
                    "-subj",
                    "/CN=hub",
                    "-addext",
                    "subjectAltName=IP:127.0.0.1",
                ],
            );
        if !made {
            skipped(&format!("openssl does not make {name}"));
            continue;
        }
        let Some(_nginx) = Nginx::start(&rig, port, more) else { continue };
        rig.set("hub.ca-file", rig.path("server.pem").display());
        let done = rig.run(&["hub", "list"]);
        said(&done, 1, words);
        assert!(!done.err.contains("offers no TLS 1.2"), "{name}: {done:?}");
    }
}

#[test]
fn haproxy_without_a_server_answers_for_itself() {
    let Some(program) = tool("haproxy") else { return skipped("haproxy is not installed (apt install haproxy)") };
    let port = free_port();
    let mut rig = device(port);
    rig.set("hub.url", format!("http://127.0.0.1:{port}/api"));
    let config = rig.write(
        "haproxy.cfg",
        format!("defaults\n mode http\n timeout connect 1s\n timeout client 5s\n timeout server 5s\nfrontend f\n bind 127.0.0.1:{port}\n http-request deny deny_status 403 if {{ path_end /403 }}\n default_backend b\nbackend b\n server s 127.0.0.1:1\n"),
    );
    let process = Proc::spawn(Command::new(program).arg("-db").arg("-f").arg(config)).expect("haproxy starts");
    let up = || !process.is_running() || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
    wait_until(up, PATIENCE, "haproxy listens").expect("it listens or ends");
    assert!(process.is_running(), "{}", process.output());
    said(
        &rig.run(&["hub", "list"]),
        1,
        "HTTP 503 (Service Unavailable) with an HTML page, which is not the hub's word; try again later",
    );
    said(
        &rig.run(&["hub", "view", "403"]),
        1,
        "HTTP 403 (Forbidden) with an HTML page, which is not the hub's word; ask whoever",
    );
}

/// A proxy that answers CONNECT with this.
fn proxy(answer: &'static str) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut head = [0; 2_048];
            let _ = stream.read(&mut head);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    port
}

#[test]
fn the_proxys_leg_is_the_proxys() {
    let refuse = |answer| format!("http://127.0.0.1:{}", proxy(answer));
    for (url, words) in [
        (
            refuse("HTTP/1.1 403 Filtered by policy\r\nContent-Length: 0\r\n\r\n"),
            "the proxy does not let us through (HTTP 403 Filtered by policy); check hub.proxy",
        ),
        (
            refuse("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"),
            "the proxy does not let us through (HTTP 503 Service Unavailable)",
        ),
        (
            refuse("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"),
            "the proxy asks for a user name and a password, or does not take those it got (HTTP 407); check them in hub.proxy",
        ),
        (
            refuse("SSH-2.0-x\r\n"),
            "the proxy closed the connection, or does not speak HTTP; check scheme and port in hub.proxy",
        ),
        (refuse(""), "the proxy closed the connection, or does not speak HTTP"),
        (
            refuse("HTTP/1.1 400 Bad\r\n\r\n").replace("http:", "https:"),
            "the proxy does not speak TLS at that port; check scheme and port in hub.proxy",
        ),
        ("http://proxy.invalid:3128".to_owned(), "the proxy's name proxy.invalid cannot be resolved: "),
    ] {
        let mut rig = device(1);
        rig.set("hub.proxy", &url);
        rig.set("hub.connect-timeout", "3s");
        said(&rig.run(&["hub", "list"]), 1, words);
    }
}

#[test]
fn a_proxy_of_the_environment_that_is_none_is_an_error() {
    let rig = device(1);
    for value in [
        "http://user:pa#geheim@proxy:3128",
        "http://u:1#geheim@p:3128",
        "socks5://127.0.0.1:1",
        "http://",
        "http://a b",
    ] {
        for (variable, exception) in [("HTTPS_PROXY", ""), ("https_proxy", "127.0.0.1:1"), ("ALL_PROXY", "*.0.0.1")] {
            let mut command = rig.command(&["hub", "list"]);
            let done = command.env(variable, value).env("NO_PROXY", exception).output().expect("it starts");
            let err = String::from_utf8_lossy(&done.stderr);
            assert_eq!(done.status.code(), Some(1), "{value}: {err}");
            assert!(
                err.contains(&format!("{variable} in the environment "))
                    && err.contains("; write \"http://proxy.example:3128\""),
                "{value}: {err}"
            );
            assert!(!err.contains("geheim"), "{err}");
        }
        let mut command = rig.command(&["hub", "list"]);
        let done = command.env("HTTPS_PROXY", value).env("no_proxy", "127.0.0.0/8").output().expect("it starts");
        assert!(String::from_utf8_lossy(&done.stderr).contains("connection refused"), "NO_PROXY goes before it");
    }
}
