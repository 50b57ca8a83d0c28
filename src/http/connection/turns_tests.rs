//! Turns of connections that share an IO thread: a client that sends much ahead holds up nobody.

use super::*;

/// So many requests of one connection hyper would answer in one turn.
const AHEAD: usize = 16;

fn spawn(worker: &Rc<Worker<Writer>>) -> (Rc<ConnectionState>, DuplexStream) {
    let (client, server) = tokio::io::duplex(1024 * 1024);
    let heads = Rc::new(builder(&worker.limits.get()));
    let registration = worker.register(PEER, None).expect("a free place");
    let peer = registration.peer.clone();
    tokio::task::spawn_local(connection(server, registration, heads, |_| false));
    (peer, client)
}

/// Answers that are there, by their statuses.
async fn read(client: &mut DuplexStream) -> String {
    let mut bytes = vec![0; 64 * 1024];
    let count = client.read(&mut bytes).await.unwrap();
    statuses(std::str::from_utf8(&bytes[..count]).unwrap())
}

/// A connection that sent much ahead gives way to another behind each answer.
#[test]
fn one_that_sent_much_ahead_gives_way_behind_each_answer() {
    let refused = format!("GET /nothing HTTP/1.1\r\n{HOST}\r\n\r\n").repeat(AHEAD);
    for ahead in [refused, sized(BODY).repeat(AHEAD)] {
        locally(async {
            let worker = Worker::new(Arc::new(front()), Rc::new(Writer));
            let (eager, mut eager_client) = spawn(&worker);
            let (_modest, mut modest_client) = spawn(&worker);
            // All of it is there before either task has a turn.
            eager_client.write_all(ahead.as_bytes()).await.unwrap();
            modest_client.write_all(sized(BODY).as_bytes()).await.unwrap();
            assert_eq!((eager.requests.get(), worker.front.connections()), (0, 2));
            // A task like theirs: the test itself is not woken before they have nothing to do.
            let seen = eager.clone();
            let heard = tokio::task::spawn_local(async move {
                assert_eq!(read(&mut modest_client).await, "201");
                seen.requests.get()
            });
            // One is answered, and one has been read that waits for the next turn.
            assert_eq!(heard.await.unwrap(), 2);
            let mut answered = 0;
            while answered < AHEAD {
                answered += read(&mut eager_client).await.split(' ').count();
            }
            assert_eq!((answered, eager.requests.get()), (AHEAD, AHEAD as u64));
        });
    }
}

#[test]
fn one_that_is_alone_is_answered_without_a_pause() {
    locally(async {
        let worker = Worker::new(Arc::new(front()), Rc::new(Writer));
        let (peer, mut client) = spawn(&worker);
        client.write_all(sized(BODY).repeat(AHEAD).as_bytes()).await.unwrap();
        tokio::task::yield_now().await;
        assert_eq!(peer.requests.get(), AHEAD as u64, "all in one turn of its task");
    });
}

#[test]
fn a_large_body_gives_way_to_a_small_request() {
    locally(async {
        let worker = Worker::new(Arc::new(front()), Rc::new(Writer));
        let (slow, mut slow_client) = spawn(&worker);
        let (_modest, mut modest_client) = spawn(&worker);
        let body = format!("{{\"lines\":[{}]}}", ["[1.5]"; 4_000].join(","));
        slow_client.write_all(sized(&body).as_bytes()).await.unwrap();
        // One of these has its turn each time that the large one gives way.
        modest_client.write_all(sized(BODY).repeat(4).as_bytes()).await.unwrap();
        let seen = slow.clone();
        let heard = tokio::task::spawn_local(async move {
            let mut answered = 0;
            while answered < 4 {
                answered += read(&mut modest_client).await.split(' ').count();
            }
            (seen.requests.get(), seen.stage())
        });
        assert_eq!(heard.await.unwrap(), (1, Stage::Serving), "read, and not answered yet");
        assert_eq!(read(&mut slow_client).await, "400");
    });
}

#[test]
fn a_batch_gives_way_to_a_small_request() {
    const LINES: usize = 4_000;
    locally(async {
        let worker = Worker::new(Arc::new(front()), Rc::new(Writer));
        let (_eager, mut eager_client) = spawn(&worker);
        let (_modest, mut modest_client) = spawn(&worker);
        // Each line is refused, which takes no writer. All are there before either has a turn.
        let lines = "{}\n".repeat(LINES);
        let head = format!("POST /v1/batch HTTP/1.1\r\n{HOST}\r\n");
        let kind = "Content-Type: application/x-ndjson\r\n";
        let batch = format!("{head}{kind}Content-Length: {}\r\n\r\n{lines}", lines.len());
        eager_client.write_all(batch.as_bytes()).await.unwrap();
        // One of these has its turn each time that the batch gives way.
        modest_client.write_all(sized(BODY).repeat(4).as_bytes()).await.unwrap();
        let heard = tokio::task::spawn_local(async move {
            let mut heard = 0;
            while heard < 4 {
                heard += read(&mut modest_client).await.split(' ').count();
            }
            let mut bytes = vec![0; 1024 * 1024];
            let count = eager_client.read(&mut bytes).await.unwrap();
            let text = std::str::from_utf8(&bytes[..count]).unwrap().to_owned();
            text.matches("\"code\"").count()
        });
        let answered = heard.await.unwrap();
        assert!((1..LINES / 4).contains(&answered), "{answered} of {LINES} lines are answered");
    });
}
