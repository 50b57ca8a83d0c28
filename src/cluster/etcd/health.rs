//! What an operator asks of etcd itself: who answers, who leads, what alarms there are.
//!
//! Owns these questions. Decides nothing: the register is what counts. Next: `mod.rs`.

use super::gateway::{CallError, Gateway};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;

/// An endpoint, as it answers now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointHealth {
    /// Its host and port.
    pub endpoint: String,
    /// Its version; why it does not answer otherwise.
    pub version: Result<String, String>,
    /// It knows a leader.
    pub has_leader: bool,
}

/// The etcd cluster, as far as it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EtcdHealth {
    /// Each endpoint of the setting.
    pub endpoints: Vec<EndpointHealth>,
    /// Alarms that are raised, such as `NOSPACE`; why that is not known otherwise.
    pub alarms: Result<Vec<String>, String>,
    /// Members of the cluster; why that is not known otherwise.
    pub members: Result<usize, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct StatusAnswer {
    version: String,
    leader: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AlarmAnswer {
    alarms: Vec<AlarmMember>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AlarmMember {
    alarm: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct MembersAnswer {
    members: Vec<serde_json::Value>,
}

impl EtcdHealth {
    /// What an operator must look at, in words; nothing where all is well.
    #[must_use]
    pub fn troubles(&self) -> Vec<String> {
        let mut troubles = Vec::new();
        for EndpointHealth { endpoint, version, has_leader } in &self.endpoints {
            match version {
                Err(cause) => troubles.push(format!("etcd at {endpoint} does not answer: {cause}")),
                Ok(_) if !has_leader => troubles.push(format!(
                    "etcd at {endpoint} knows no leader: a majority of its members must be up and \
                     see one another"
                )),
                Ok(_) => {}
            }
        }
        if let Ok(alarms) = &self.alarms {
            troubles.extend(alarms.iter().map(|alarm| {
                format!(
                    "etcd has raised the alarm {alarm}: it takes no change until that is mended"
                )
            }));
        }
        troubles
    }
}

/// Asks each endpoint, and one of them for the rest.
pub(super) async fn ask(gateway: &Gateway) -> EtcdHealth {
    let mut endpoints = Vec::new();
    for (number, origin) in gateway.origins().iter().enumerate() {
        let answer = gateway.call_one(number, "/v3/maintenance/status", &json!({})).await;
        let answer = read::<StatusAnswer>(answer);
        let has_leader =
            answer.as_ref().is_ok_and(|answer| !matches!(answer.leader.as_str(), "" | "0"));
        let version = answer.map(|answer| answer.version);
        let endpoint = origin.place().to_owned();
        endpoints.push(EndpointHealth { endpoint, version, has_leader });
    }
    let get = json!({ "action": "GET" });
    let alarms = read::<AlarmAnswer>(gateway.call("/v3/maintenance/alarm", &get).await);
    let alarms =
        alarms.map(|answer| answer.alarms.into_iter().map(|member| member.alarm).collect());
    let members = gateway.call("/v3/cluster/member/list", &json!({})).await;
    let members = read::<MembersAnswer>(members).map(|answer| answer.members.len());
    EtcdHealth { endpoints, alarms, members }
}

fn read<T: for<'a> Deserialize<'a>>(answer: Result<Bytes, CallError>) -> Result<T, String> {
    let body = answer.map_err(|error| error.cause().to_owned())?;
    serde_json::from_slice(&body).map_err(|cause| cause.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_with_its_endpoint() {
        let endpoint = |name: &str, version, has_leader| EndpointHealth {
            endpoint: name.to_owned(),
            version,
            has_leader,
        };
        let health = EtcdHealth {
            endpoints: vec![
                endpoint("a:1", Ok("3.4.23".to_owned()), true),
                endpoint("b:1", Ok("3.4.23".to_owned()), false),
                endpoint("c:1", Err("cannot connect".to_owned()), false),
            ],
            alarms: Ok(vec!["NOSPACE".to_owned()]),
            members: Ok(1),
        };
        let told = health.troubles().join("\n");
        for part in ["b:1 knows no leader", "c:1 does not answer", "NOSPACE"] {
            assert!(told.contains(part), "{told}");
        }
        assert!(!told.contains("a:1"), "{told}");
    }
}
