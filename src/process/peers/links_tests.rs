//! Links between two ends on loopback: in clear, under TLS, half-open, and such as nobody takes from.

use super::*;
use crate::config::{ReplicationSettings, Sources};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::future::Future;
use std::path::Path;
use tokio::io::AsyncReadExt;
use tokio::runtime::{Builder, LocalOptions};

fn run<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = Builder::new_current_thread();
    runtime.enable_all().build_local(LocalOptions::default()).unwrap().block_on(work)
}

/// Links that listen, and where.
async fn links(tls: Option<PeerTls>, nodes: usize) -> (Links, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (Links::new(listener, tls, nodes), address)
}

fn node() -> Node {
    Node::at(1).unwrap()
}

/// Both ends of a link, up.
async fn pair(one: &mut Links, (other, address): (&mut Links, &str)) {
    one.dial(100, node(), address);
    let (mut dialled, mut taken) = (false, false);
    while !(dialled && taken) {
        tokio::select! {
            event = one.next(|| 0) => {
                assert!(matches!(event, LinkEvent::Opened(100, Some(to)) if to == node()), "{event:?}");
                dialled = true;
            }
            event = other.next(|| 7) => {
                assert!(matches!(event, LinkEvent::Opened(7, None)), "{event:?}");
                taken = true;
            }
        }
    }
}

async fn carries_bytes(tls: [Option<PeerTls>; 2]) {
    let [first, second] = tls;
    let (mut one, _) = links(first, 2).await;
    let (mut other, address) = links(second, 2).await;
    pair(&mut one, (&mut other, &address)).await;
    // More than any buffer of the system holds.
    let sent: Vec<u8> = (0..4_000_000_u32).map(|number| number as u8).collect();
    one.send(100, sent.clone());
    other.send(7, b"answer".to_vec());
    let (mut received, mut answer, mut drained) = (Vec::new(), Vec::new(), false);
    while received.len() < sent.len() || answer.len() < 6 || !drained {
        tokio::select! {
            event = one.next(|| 0) => match event {
                LinkEvent::Received(100, bytes) => answer.extend(bytes),
                LinkEvent::Drained(100) => drained = true,
                event => panic!("{event:?}"),
            },
            event = other.next(|| 0) => match event {
                LinkEvent::Received(7, bytes) => received.extend(bytes),
                LinkEvent::Drained(7) => {}
                event => panic!("{event:?}"),
            },
        }
    }
    assert!(received == sent && answer == b"answer");
    // What was sent before a close arrives, and nothing is told where it was asked for.
    one.send(100, b"last".to_vec());
    assert!(one.close(100) && !one.close(100));
    let mut last = Vec::new();
    loop {
        match other.next(|| 0).await {
            LinkEvent::Received(7, bytes) => last.extend(bytes),
            LinkEvent::Closed(7, _) => break,
            event => panic!("{event:?}"),
        }
    }
    assert_eq!(last, b"last");
}

#[test]
fn a_link_carries_bytes_both_ways_and_ends_behind_the_last() {
    run(carries_bytes([None, None]));
}

/// A file of PEM for each of certificate, key and authority.
fn certified(folder: &Path, name: &str, issuer: &CertifiedIssuer<'_, KeyPair>) -> PeerTls {
    let key = KeyPair::generate().unwrap();
    let parameters = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let certificate = parameters.signed_by(&key, issuer).unwrap();
    let file = |end: &str, text: String| {
        let path = folder.join(format!("{name}.{end}"));
        std::fs::write(&path, text).unwrap();
        Some(path)
    };
    let replication = ReplicationSettings {
        tls_cert: file("cert", certificate.pem()),
        tls_key: file("key", key.serialize_pem()),
        tls_ca: file("ca", issuer.pem()),
        ..Sources::default().config().unwrap().replication
    };
    PeerTls::read(&replication).unwrap().unwrap()
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap()
}

#[test]
fn nodes_of_one_authority_speak_under_tls() {
    let (folder, issuer) = (tempfile::tempdir().unwrap(), authority());
    let ends = ["one", "other"].map(|name| Some(certified(folder.path(), name, &issuer)));
    run(carries_bytes(ends));
}

#[test]
fn a_stranger_is_let_in_by_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (authority(), authority());
    run(async {
        let stranger = certified(folder.path(), "stranger", &theirs);
        for (dialling, listening) in [
            (Some(stranger.clone()), Some(certified(folder.path(), "node", &ours))),
            (None, Some(certified(folder.path(), "node", &ours))),
            (Some(certified(folder.path(), "node", &ours)), Some(stranger)),
        ] {
            let is_in_clear = dialling.is_none();
            let (mut one, _) = links(dialling, 2).await;
            let (mut other, address) = links(listening, 2).await;
            one.dial(100, node(), &address);
            one.send(100, b"let me in".to_vec());
            let end = async {
                loop {
                    match one.next(|| 0).await {
                        LinkEvent::Closed(100, why) => return why,
                        // Under TLS 1.3 the one that dials is told only after its own part; in clear
                        // it sees the alert.
                        LinkEvent::Opened(..) | LinkEvent::Drained(_) => {}
                        LinkEvent::Received(100, alert) if is_in_clear => {
                            assert_eq!(alert.first(), Some(&21));
                        }
                        event => panic!("{event:?}"),
                    }
                }
            };
            let taken = async {
                match other.next(|| 7).await {
                    LinkEvent::Closed(7, why) => why,
                    event => panic!("a stranger came in: {event:?}"),
                }
            };
            tokio::join!(end, taken);
        }
    });
}

#[test]
fn of_links_that_say_nothing_there_are_as_many_as_nodes() {
    run(async {
        let (mut one, address) = links(None, 2).await;
        let mut number = 0;
        let mut sockets = Vec::new();
        for expected in 1..=5 {
            sockets.push(TcpStream::connect(&address).await.unwrap());
            loop {
                let taken = std::cell::Cell::new(number);
                let event = one
                    .next(|| {
                        taken.set(taken.get() + 1);
                        taken.get()
                    })
                    .await;
                number = taken.get();
                match event {
                    LinkEvent::Opened(link, None) if link == expected => break,
                    // The oldest goes.
                    LinkEvent::Closed(link, why) => {
                        assert_eq!(link + 2, expected);
                        assert!(why.contains("others came"), "{why}");
                    }
                    event => panic!("{event:?}"),
                }
            }
            // One that is answered is no longer among them.
            if expected == 1 {
                one.send(1, b"welcome".to_vec());
                assert!(matches!(one.next(|| 0).await, LinkEvent::Drained(1)));
            }
        }
        let mut welcome = [0; 7];
        sockets[0].read_exact(&mut welcome).await.unwrap();
        assert_eq!(&welcome, b"welcome");
    });
}

#[test]
fn a_link_that_takes_nothing_is_ended() {
    run(async {
        let (mut one, _) = links(None, 2).await;
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = silent.local_addr().unwrap().to_string();
        one.dial(100, node(), &address);
        let (_socket, _) = silent.accept().await.unwrap();
        assert!(matches!(one.next(|| 0).await, LinkEvent::Opened(100, _)));
        let piece = vec![0; 1 << 20];
        let closed = loop {
            one.send(100, piece.clone());
            let next = one.next(|| 0);
            tokio::select! {
                biased;
                event = next => match event {
                    LinkEvent::Closed(100, why) => break why,
                    LinkEvent::Drained(_) => {}
                    event => panic!("{event:?}"),
                },
                () = tokio::task::yield_now() => {}
            }
        };
        assert!(closed.contains("does not take"), "{closed}");
    });
}

#[test]
fn a_node_that_is_not_there_is_told() {
    run(async {
        let (mut one, _) = links(None, 2).await;
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        one.dial(100, node(), &gone.to_string());
        let event = one.next(|| 0).await;
        assert!(matches!(event, LinkEvent::Closed(100, _)), "{event:?}");
    });
}
