//! `token new`, and the server's reading of what it prints.

use crate::run::ctl;
use doorbuster::http::{Role, Tokens};
use std::path::Path;

#[test]
fn a_token_is_fresh_and_needs_no_directory() {
    let nowhere = Path::new("nowhere");
    let token = |arguments| {
        let made = ctl(nowhere, arguments, 0).object();
        let token = made["token"].as_str().unwrap().to_owned();
        let entry = made["entry"].as_str().unwrap().to_owned();
        assert!(token.len() == 64 && token.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert!(!entry.contains(&token));
        (token, entry)
    };
    let (one, entry) = token("token new --name shop --role buy --json");
    assert!(entry.starts_with("[[token]]\nname = \"shop\"\nrole = \"buy\"\nsha256 = \""));
    let (other, entry) = token("token new --name shop --role admin --class priority --json");
    assert!(entry.ends_with("class = \"priority\"\n"));
    assert_ne!(one, other);
    let text = ctl(nowhere, "token new --name shop --role fulfil", 0).out;
    assert!(text.contains("\n[[token]]\nname = \"shop\"\n"), "{text}");
    for bad in [
        "token new --name shop",
        "token new --name a/b --role buy",
        "token new --name a --role boss",
    ] {
        ctl(nowhere, bad, 2);
    }
}

#[test]
fn what_is_printed_is_what_the_server_reads() {
    let nowhere = Path::new("nowhere");
    let (mut file, mut made) = (String::new(), Vec::new());
    for (role, expected) in [
        ("buy", Role::Buy),
        ("fulfil", Role::Fulfil),
        ("metrics", Role::Metrics),
        ("admin", Role::Admin),
        ("buy --class priority", Role::Buy),
    ] {
        let object = ctl(nowhere, &format!("token new --name shop --role {role} --json"), 0);
        let object = object.object();
        file.push_str(object["entry"].as_str().unwrap());
        made.push((object["token"].as_str().unwrap().to_owned(), expected));
    }
    let tokens = Tokens::read("tokens.toml", &file).unwrap();
    assert_eq!(tokens.count(), made.len());
    for (token, role) in made {
        let found = tokens.find(token.as_bytes()).unwrap();
        assert_eq!((found.role(), found.principal().name.as_str()), (role, "shop"));
    }
}
