//! What a node says of itself, and which starts are refused, each with its remedy.
//!
//! Next: `takeover`.

use crate::nodes::{Nodes, name};
use doorbuster::cluster::register::ClusterId;
use doorbuster_test_support::client::Ask;
use doorbuster_test_support::wait;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::json;
use std::fs;
use std::path::Path;

#[test]
fn a_node_that_follows_says_who_writes() {
    let Some(nodes) = Nodes::start(2, &[]) else { return };
    let mut client = nodes.client(1).expect("it takes a connection");
    assert_eq!(client.ask(&Ask::get("/livez")).status, 200);
    client.ask(&Ask::get("/readyz")).problem(503, "standby");
    let status = client.get("/v1/status");
    assert_eq!(status["role"], json!("standby"), "{status}");
    assert_eq!(status["writer"], json!(nodes.url(0)), "{status}");
    assert_eq!(client.ask(&Ask::get("/metrics")).status, 200);
    for ask in [Ask::order("k", "u", "shoe", 1), Ask::get("/v1/skus"), Ask::get("/v1/events")] {
        let refused = client.ask(&ask);
        assert_eq!(refused.header("Retry-After"), Some("1"), "{refused:?}");
        let problem = refused.problem(503, "not_writer");
        assert_eq!(problem["writer"], json!(nodes.url(0)), "{problem}");
    }
    let status = nodes.status(0).expect("the writer answers");
    assert_eq!(status["role"], json!("writer"), "{status}");
    assert_eq!(status["in_sync"], json!(["n1", "n2"]), "{status}");
    assert_eq!(status["copies"][0]["node"], json!("n2"), "{status}");
}

#[test]
fn a_node_that_follows_stops_in_order() {
    let Some(mut nodes) = Nodes::start(2, &[]) else { return };
    nodes.client(0).expect("it takes a connection").put_sku("a", &json!({"stock": 5}));
    nodes.wait_caught_up(1);
    let stopped = nodes.stop(1).stopped();
    assert!(stopped.sequence > 0, "{stopped:?}");
    nodes.wait_in_sync(1);
    assert_eq!(nodes.status(0).expect("it answers")["role"], json!("writer"));
}

/// Without the arbiter a node does not know whom to follow: it waits, and can be stopped.
#[test]
fn a_node_waits_for_the_arbiter() {
    let Some(mut nodes) = Nodes::prepare(2, &[]) else { return };
    nodes.members.kill(0);
    for node in 0..2 {
        nodes.run(node);
        let mut client = nodes.client(node).expect("it takes a connection");
        wait::until("it says what it waits for", || {
            let answer = client.ask(&Ask::get("/readyz"));
            (answer.json()["code"] == json!("no_arbiter")).then_some(())
        });
        assert_eq!(nodes.status(node).expect("it answers")["role"], json!("joining"));
    }
    let exit = nodes.stop(1);
    assert_eq!(exit.code, Some(0), "{exit:?}");
    nodes.members.restart(0);
    assert_eq!(nodes.writer(), 0);
}

/// What a start says that is refused.
fn refused(nodes: &Nodes, node: usize) -> String {
    let exit = nodes.launch(node).run();
    assert_eq!(exit.code, Some(1), "{exit:?}");
    exit.complaints
}

#[test]
fn a_register_that_has_forgotten_is_refused_with_the_remedy() {
    let Some(mut nodes) = Nodes::start(2, &[]) else { return };
    nodes.stop(1);
    nodes.wait_in_sync(1);
    nodes.stop(0);
    nodes.overwrite_register(|register| register.epoch = 1);
    for node in 0..2 {
        let told = refused(&nodes, node);
        assert!(told.contains("has forgotten") && told.contains("cluster restore"), "{told}");
    }
    nodes.overwrite_register(|register| register.cluster = ClusterId([8; 16]));
    for node in 0..2 {
        let told = refused(&nodes, node);
        assert!(told.contains("is that of the cluster") && told.contains("restore"), "{told}");
    }
    // Another etcd, which has nothing.
    nodes.forget_register();
    for node in 0..2 {
        let told = refused(&nodes, node);
        assert!(told.contains("now there is none") && told.contains("restore"), "{told}");
    }
}

#[test]
fn a_register_that_was_never_made_is_asked_for() {
    let Some(mut nodes) = Nodes::prepare(2, &[]) else { return };
    nodes.forget_register();
    let told = refused(&nodes, 1);
    assert!(told.contains("cluster init"), "{told}");
}

#[test]
fn a_directory_of_another_history_is_refused() {
    let Some(mut nodes) = Nodes::start(2, &[]) else { return };
    nodes.stop(1);
    nodes.wipe(1);
    // A server by itself made it.
    crate::TARGET.launch(nodes.data(1)).small().start().stop().stopped();
    let told = refused(&nodes, 1);
    assert!(told.contains("of another history"), "{told}");
}

#[test]
fn a_node_is_not_started_by_itself() {
    let Some(nodes) = Nodes::prepare(2, &[]) else { return };
    let exit = nodes.launch(0).variable("REPLICATION_MODE", "off").run();
    assert_eq!(exit.code, Some(1), "{exit:?}");
    assert!(exit.complaints.contains("would write by itself"), "{exit:?}");
    let exit = nodes.launch(0).variable("CLUSTER_NODE", "n2").run();
    assert!(exit.complaints.contains("is the node n1 of the cluster shop"), "{exit:?}");
}

#[test]
fn links_in_clear_beyond_loopback_are_refused() {
    let Some(nodes) = Nodes::prepare(2, &[("CLUSTER_LISTEN", "0.0.0.0:0")]) else { return };
    let told = refused(&nodes, 0);
    assert!(told.contains("cluster.listen is 0.0.0.0:0") && told.contains("tls"), "{told}");
}

/// Certificates of one authority, for addresses on loopback; of another, nobody is let in.
#[test]
fn nodes_speak_under_tls_and_let_no_stranger_in() {
    let files = crate::TARGET.directory();
    let [cert, key, ca] = certificates(files.path(), "ours");
    let settings = [
        ("CLUSTER_TLS_CERT_FILE", cert.as_str()),
        ("CLUSTER_TLS_KEY_FILE", key.as_str()),
        ("CLUSTER_TLS_CA_FILE", ca.as_str()),
    ];
    let Some(mut nodes) = Nodes::start(2, &settings) else { return };
    nodes.client(0).expect("it takes a connection").put_sku("a", &json!({"stock": 5}));
    nodes.wait_caught_up(1);
    nodes.stop(1);
    nodes.wait_in_sync(1);
    let [cert, key, ca] = certificates(files.path(), "theirs");
    let stranger = nodes
        .launch(1)
        .variable("CLUSTER_TLS_CERT_FILE", &cert)
        .variable("CLUSTER_TLS_KEY_FILE", &key)
        .variable("CLUSTER_TLS_CA_FILE", &ca)
        .start();
    wait::until("it says why", || stranger.complaints().contains("certificate").then_some(()));
    assert_eq!(nodes.status(0).expect("it answers")["in_sync"], json!(["n1"]));
    assert_eq!(stranger.stop().code, Some(0));
}

/// Files of PEM: a certificate, its key, and the authority that signed it.
fn certificates(folder: &Path, name: &str) -> [String; 3] {
    let mut authority = CertificateParams::new(Vec::new()).expect("no name");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let own = KeyPair::generate().expect("a key");
    let issuer = CertifiedIssuer::self_signed(authority, own).expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let parameters = CertificateParams::new(["127.0.0.1".to_owned()]).expect("an address");
    let certificate = parameters.signed_by(&key, &issuer).expect("it is signed");
    [("cert", certificate.pem()), ("key", key.serialize_pem()), ("ca", issuer.pem())].map(
        |(end, text)| {
            let path = folder.join(format!("{name}.{end}"));
            fs::write(&path, text).expect("a file is written");
            path.display().to_string()
        },
    )
}

/// The copies are gone: the writer says that it is alone, and goes on or does not.
#[test]
fn a_writer_alone_does_as_it_was_told() {
    for (setting, sells) in [("serve", true), ("refuse", false)] {
        let settings = &[("CLUSTER_WHEN_ALONE", setting)];
        let Some(mut nodes) = Nodes::start(2, settings) else { return };
        nodes.client(0).expect("it takes a connection").put_sku("a", &json!({"stock": 5}));
        nodes.kill(1);
        nodes.wait_in_sync(1);
        let mut client = nodes.client(0).expect("it takes a connection");
        if sells {
            client.ask(&Ask::order("k", "u", "a", 1)).expect(201);
        } else {
            wait::until("a refusal", || {
                let answer = client.ask(&Ask::order("k", "u", "a", 1));
                (answer.status == 503).then(|| answer.problem(503, "unreplicated"))
            });
            nodes.run(1);
            nodes.wait_in_sync(2);
            wait::until("an order", || {
                let answer = client.ask(&Ask::order("k2", "u", "a", 1));
                (answer.status == 201).then_some(())
            });
        }
        assert_eq!(nodes.register().register.writer, name(0));
    }
}
