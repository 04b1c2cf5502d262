//! A proxy that is itself spoken to over TLS (`https://` in `hub.proxy`): TLS within TLS.

use std::sync::{Arc, Mutex};

use hub_emulator::{HubEmulator, LicenseSpec, Options, TlsOptions};
use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use test_bench::rig::{Rig, SERIAL};

/// The heads of the requests that a proxy saw, as text.
type Heads = Arc<Mutex<Vec<String>>>;

/// Certificates of a proxy at 127.0.0.1: its authority in PEM, and its side of TLS.
fn certificates() -> (String, rustls::ServerConfig) {
    let mut authority = CertificateParams::new(Vec::new()).expect("parameters");
    authority.distinguished_name.push(rcgen::DnType::CommonName, "Proxy authority");
    authority.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().expect("a key")).expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let server = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("parameters");
    let server = server.signed_by(&key, &authority).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("TLS versions")
        .with_no_client_auth()
        .with_single_cert(vec![server.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).expect("a key"))
        .expect("a certificate with its key");
    (authority.pem(), config)
}

/// Serves CONNECT until the test's process ends. Returns its port.
fn start(config: rustls::ServerConfig, heads: Heads) -> u16 {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("an event loop");
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            sender.send(listener.local_addr().expect("an address").port()).expect("the test waits");
            let acceptor = TlsAcceptor::from(Arc::new(config));
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, heads) = (acceptor.clone(), Arc::clone(&heads));
                // A client that does not trust the proxy ends its task, and nothing else.
                tokio::spawn(async move { serve(acceptor, stream, &heads).await });
            }
        });
    });
    receiver.recv().expect("the proxy listens")
}

async fn serve(acceptor: TlsAcceptor, stream: TcpStream, heads: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut client = acceptor.accept(stream).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
    heads.lock().expect("no panic before").push(head);
    let mut server = TcpStream::connect(target).await?;
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

#[test]
fn tls_within_tls() {
    let hub = HubEmulator::start(Options::new().tls(TlsOptions::default()));
    hub.add_license(LicenseSpec::new(SERIAL));
    let mut rig = Rig::api(&hub);
    let (authority, config) = certificates();
    let heads = Heads::default();
    let port = start(config, Arc::clone(&heads));
    rig.set("hub.proxy", format!("https://gateway:geheim@127.0.0.1:{port}"));
    let untrusted = rig.run(&["hub", "view", SERIAL]);
    assert!(untrusted.expect(1).contains("not signed by an authority that is trusted here"), "{untrusted:?}");
    assert_eq!(hub.connections(), 0);

    let both = hub.tls().expect("TLS").ca_pem.clone() + &authority;
    rig.write("ca.pem", both);
    rig.run(&["hub", "view", SERIAL]).expect(0);
    let heads = heads.lock().expect("no panic before").clone();
    assert_eq!(heads.len(), 1, "{heads:?}");
    assert!(heads[0].starts_with(&format!("CONNECT {} HTTP/1.1\r\n", hub.address())), "{heads:?}");
    assert!(heads[0].to_ascii_lowercase().contains("proxy-authorization: basic z2f0zxdhetpnzwhlaw0="), "{heads:?}");
    assert!(!heads[0].to_ascii_lowercase().contains("x-api-key"), "{heads:?}");
}
