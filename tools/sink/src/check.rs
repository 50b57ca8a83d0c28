//! `doorbuster-sink check`: configuration, reachability and rights, before anything is written.
//!
//! Owns what is printed. Next: `targets`.

use crate::config::Config;
use crate::source::Source;
use crate::targets;
use std::fmt::Write;

/// A line for the server and one for each sink; whether all is good.
pub(crate) async fn check(config: &Config) -> (String, bool) {
    let (mut text, mut good) = (String::new(), true);
    let mut tell = |name: &str, found: Result<String, String>| {
        good &= found.is_ok();
        let _ = match found {
            Ok(found) => writeln!(text, "good  {name}: {found}"),
            Err(told) => writeln!(text, "WRONG {name}: {told}"),
        };
    };
    let source = Source::new(config.source.clone());
    let now = source.now().await;
    let found = now.map(|now| format!("{} stands at {}", source.url(), now.id));
    tell("source", found.map_err(|failure| failure.to_string()));
    for settings in &config.sinks {
        tell(&settings.name, targets::check(config, settings).await);
    }
    (text, good)
}
