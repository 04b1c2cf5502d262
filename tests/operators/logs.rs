#[test]
fn look() {
    for format in ["text", "json"] {
        let mut gateway = crate::gateway::Gateway::new();
        gateway.set("log.format", format);
        gateway.install_due();
        gateway.start_netifyd("ok");
        let daemon = gateway.daemon();
        gateway.wait_for("reloaded", |status| status.reload.last_outcome.as_deref() == Some("confirmed"));
        gateway.hub.set_down(true);
        gateway.run(&["renew"]);
        gateway.run(&["renew"]);
        gateway.write("etc/netifyd/license.json", "{}");
        gateway.wait_for("healed", |status| status.reload.reloads.get("confirmed") == Some(&2));
        daemon.signal(test_support::Signal::TERM).expect("x");
        daemon.wait_exit(crate::gateway::PATIENCE).expect("x");
        println!("{}", daemon.output());
    }
}
