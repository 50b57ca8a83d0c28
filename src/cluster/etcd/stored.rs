//! The register as JSON, as it stands under its key: some hundred bytes that an operator can read.
//!
//! Owns the stored form, version 1. A form that it does not know is refused whole: half of a
//! register is none. Next: `mod.rs`.

use crate::cluster::node::{NODES_MAX, Name, PLACE_BYTES_MAX};
use crate::cluster::register::{ClusterId, Forced, OperationId, Register};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const FORMAT: u32 = 1;
/// Bytes at most: sixteen nodes with the longest names and URLs fit.
const REGISTER_BYTES_MAX: usize = 16 << 10;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    format: u32,
    cluster: String,
    journal: String,
    epoch: u32,
    writer: String,
    in_sync: Vec<String>,
    operation: String,
    #[serde(default)]
    urls: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    forced: Option<StoredForced>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredForced {
    node: String,
    epoch: u32,
    lost_from: u64,
}

#[derive(Debug, Deserialize)]
struct Format {
    format: u32,
}

pub(super) fn text(register: &Register) -> String {
    let url = |(name, url): (&Name, &String)| (name.to_string(), url.clone());
    let stored = Stored {
        format: FORMAT,
        cluster: register.cluster.to_string(),
        journal: register.journal.clone(),
        epoch: register.epoch,
        writer: register.writer.to_string(),
        in_sync: register.in_sync.iter().map(Name::to_string).collect(),
        operation: register.operation.to_string(),
        urls: register.urls.iter().map(url).collect(),
        forced: register.forced.as_ref().map(|forced| StoredForced {
            node: forced.node.to_string(),
            epoch: forced.epoch,
            lost_from: forced.lost_from,
        }),
    };
    serde_json::to_string(&stored).expect("numbers and text are JSON")
}

/// Reads a register.
///
/// # Errors
/// What is wrong, in words.
pub(super) fn parse(bytes: &[u8]) -> Result<Register, String> {
    if bytes.len() > REGISTER_BYTES_MAX {
        return Err(format!("it has {} bytes, and at most {REGISTER_BYTES_MAX}", bytes.len()));
    }
    let Format { format } = serde_json::from_slice(bytes).map_err(|cause| cause.to_string())?;
    if format != FORMAT {
        return Err(format!("it is of format {format}, and this version knows format {FORMAT}"));
    }
    let stored: Stored = serde_json::from_slice(bytes).map_err(|cause| cause.to_string())?;
    register(stored)
}

fn register(stored: Stored) -> Result<Register, String> {
    let name = |text: &String| Name::parse(text).map_err(|cause| cause.to_string());
    let writer = name(&stored.writer)?;
    let in_sync: Vec<Name> = stored.in_sync.iter().map(name).collect::<Result<_, _>>()?;
    let twice = (1..in_sync.len()).find(|place| in_sync[..*place].contains(&in_sync[*place]));
    if let Some(place) = twice {
        return Err(format!("{} is in sync twice", in_sync[place]));
    }
    if !in_sync.contains(&writer) {
        return Err(format!("its writer {writer} is not in sync"));
    }
    if in_sync.len() > NODES_MAX || stored.urls.len() > NODES_MAX {
        return Err(format!("it names more than {NODES_MAX} nodes"));
    }
    if stored.epoch == 0 {
        return Err("its epoch is 0, and the first is 1".to_owned());
    }
    if stored.journal.is_empty() || stored.journal.len() > 64 {
        return Err(format!("{:?} is no id of a journal", stored.journal));
    }
    let url = |(text, url): (&String, &String)| {
        let plain = url.len() <= PLACE_BYTES_MAX && url.bytes().all(|byte| byte.is_ascii_graphic());
        let told = || format!("{url:?} is no URL");
        name(text).and_then(|name| plain.then(|| (name, url.clone())).ok_or_else(told))
    };
    let forced = |stored: StoredForced| {
        let StoredForced { node, epoch, lost_from } = stored;
        name(&node).map(|node| Forced { node, epoch, lost_from })
    };
    Ok(Register {
        cluster: ClusterId::parse(&stored.cluster)
            .ok_or_else(|| format!("{:?} is no id of a cluster", stored.cluster))?,
        journal: stored.journal,
        epoch: stored.epoch,
        writer,
        in_sync,
        operation: OperationId::parse(&stored.operation)
            .ok_or_else(|| format!("{:?} is no id of an operation", stored.operation))?,
        urls: stored.urls.iter().map(url).collect::<Result<_, _>>()?,
        forced: stored.forced.map(forced).transpose()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Register {
        let name = |text| Name::parse(text).unwrap();
        Register {
            cluster: ClusterId([0xab; 16]),
            journal: "00112233445566778899aabbccddeeff".to_owned(),
            epoch: 17,
            writer: name("n1"),
            in_sync: vec![name("n1"), name("n2")],
            operation: OperationId { process: 5, number: 6 },
            urls: [(name("n1"), "https://10.0.0.1:7070".to_owned())].into(),
            forced: None,
        }
    }

    fn refused(change: impl Fn(&mut serde_json::Value)) -> String {
        let mut value = serde_json::from_str(&text(&sample())).unwrap();
        change(&mut value);
        parse(value.to_string().as_bytes()).unwrap_err()
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(parse(text(&sample()).as_bytes()), Ok(sample()));
        let node = Name::parse("n2").unwrap();
        let forced = Some(Forced { node, epoch: 17, lost_from: 1_234 });
        let forced = Register { forced, ..sample() };
        assert_eq!(parse(text(&forced).as_bytes()), Ok(forced));
    }

    #[test]
    fn the_form_is_the_one_of_version_1() {
        let expected = "{\"format\":1,\"cluster\":\"abababababababababababababababab\",\
            \"journal\":\"00112233445566778899aabbccddeeff\",\"epoch\":17,\"writer\":\"n1\",\
            \"in_sync\":[\"n1\",\"n2\"],\"operation\":\"00000000000000050000000000000006\",\
            \"urls\":{\"n1\":\"https://10.0.0.1:7070\"}}";
        assert_eq!(text(&sample()), expected);
    }

    #[test]
    fn another_format_is_told_before_anything_else() {
        let told = refused(|value| *value = serde_json::json!({ "format": 2, "sync": 1 }));
        assert_eq!(told, "it is of format 2, and this version knows format 1");
    }

    #[test]
    fn an_unknown_or_missing_member_is_refused_by_its_name() {
        assert!(refused(|value| value["more"] = 1.into()).contains("more"));
        let less = |value: &mut serde_json::Value| {
            value.as_object_mut().unwrap().remove("epoch");
        };
        assert!(refused(less).contains("epoch"));
        assert!(parse(b"").is_err() && parse(b"[]").is_err());
        assert!(parse(&[b' '; REGISTER_BYTES_MAX + 1]).unwrap_err().contains("bytes"));
    }

    #[test]
    fn a_value_that_cannot_be_is_refused_with_it() {
        assert!(refused(|value| value["writer"] = "n3".into()).contains("n3 is not in sync"));
        let twice = serde_json::json!(["n1", "n1"]);
        assert!(refused(|value| value["in_sync"] = twice.clone()).contains("n1 is in sync twice"));
        assert!(refused(|value| value["writer"] = "a/b".into()).contains("\"a/b\" is no name"));
        assert!(refused(|value| value["epoch"] = 0.into()).contains("epoch is 0"));
        assert!(refused(|value| value["cluster"] = "xy".into()).contains("no id of a cluster"));
        assert!(refused(|value| value["operation"] = "1".into()).contains("no id of an operation"));
        assert!(refused(|value| value["urls"]["n1"] = "a b".into()).contains("no URL"));
        assert!(refused(|value| value["journal"] = "".into()).contains("no id of a journal"));
    }
}
