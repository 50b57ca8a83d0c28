//! Variables that begin like settings and are none.
//!
//! Owns which of them are left alone. kubelet sets variables for each Service of a namespace, so a
//! Service of the server's own name brings some that begin as its settings do; the tools read two.
//! Any other that names no setting is a mistake, and is told. Next: `sources`, which looks for a
//! setting first.

/// To whom a variable that is no setting belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// A Service named `doorbuster`, or the tools: left alone.
    Others,
    /// A Service whose name goes on after `doorbuster-`, most likely: not known for certain.
    Service,
    /// A setting was meant.
    Nobody,
}

/// What `doorbusterctl`, `doorbuster-bench` and their like read.
const TOOLS: [&str; 2] = ["DOORBUSTER_TOKEN", "DOORBUSTER_URL"];

pub(super) fn whose(variable: &str) -> Whose {
    let rest = variable.strip_prefix("DOORBUSTER_").unwrap_or_default();
    let own = rest == "PORT" || rest.starts_with("PORT_") || rest.starts_with("SERVICE_");
    if own || TOOLS.contains(&variable) {
        return Whose::Others;
    }
    let service = rest.ends_with("_PORT")
        || rest.contains("_SERVICE_HOST")
        || rest.contains("_SERVICE_PORT")
        || rest.contains("_PORT_");
    if service { Whose::Service } else { Whose::Nobody }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_kubelet_sets_for_a_service_of_this_name_is_left_alone() {
        for own in [
            "PORT",
            "PORT_7070_TCP",
            "PORT_7070_TCP_ADDR",
            "PORT_7070_TCP_PORT",
            "PORT_7070_TCP_PROTO",
            "SERVICE_HOST",
            "SERVICE_PORT",
            "SERVICE_PORT_HTTP",
            "TOKEN",
            "URL",
        ] {
            assert_eq!(whose(&format!("DOORBUSTER_{own}")), Whose::Others, "{own}");
        }
    }

    #[test]
    fn what_only_looks_like_it_is_told_apart() {
        for other in [
            "METRICS_PORT",
            "METRICS_PORT_9090_TCP_ADDR",
            "METRICS_SERVICE_HOST",
            "METRICS_SERVICE_PORT_HTTP",
        ] {
            assert_eq!(whose(&format!("DOORBUSTER_{other}")), Whose::Service, "{other}");
        }
        for typo in ["PORTS", "SERVICE", "TOKENS", "URLS", "HOLD_MAX", "", "LISTEN_PORTS"] {
            assert_eq!(whose(&format!("DOORBUSTER_{typo}")), Whose::Nobody, "{typo}");
        }
    }
}
