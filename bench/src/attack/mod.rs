//! Attacks, each beside an honest client: what it met alone, what it met meanwhile, and a bar.
//!
//! Table of contents. What all share: `shop`, a server with its operator; `honest`, the client that
//! counts; `storm`, requests without a pause; `silent`, connections that say nothing; `stage`, what
//! an attack may use; `found`, what came of it. The attacks: places (`silent_tls`, `silence`),
//! memory (`bodies`), the writer's turns (`holds`), rows of tables (`tables`), the directory
//! (`lock`), tokens that were taken back (`revoked`), buckets (`users`), turns of an IO thread
//! (`refusals`), metrics (`labels`), disk (`journal`). Each file says what a server that falls for
//! it does. Never asserts a time at the short scale.

mod bodies;
mod found;
mod holds;
mod honest;
mod journal;
mod labels;
mod lock;
mod refusals;
mod revoked;
mod shop;
mod silence;
mod silent;
mod silent_tls;
mod stage;
mod storm;
mod tables;
mod users;

use crate::error::BenchError;
use crate::load::now;
use crate::peers;
use crate::report::conditions::{machine, today};
use found::Found;
pub(crate) use stage::Options;
use stage::{Attack, Stage};

pub(crate) fn run(options: &Options) -> Result<(), BenchError> {
    let folder = peers::data_folder(options.server.data.as_deref())?;
    let stage = Stage { options, folder: folder.path() };
    let conditions = format!("{}, {}", today(), machine());
    println!("{conditions}");
    println!("durability group; the honest client, the attackers and the server share the cores");
    let asked = |attack: &Attack| options.only.is_empty() || options.only.contains(attack);
    let attacks: Vec<Attack> = Attack::ALL.into_iter().filter(asked).collect();
    let mut all = Vec::new();
    for (number, attack) in attacks.iter().enumerate() {
        println!("\n{} of {}: {}", number + 1, attacks.len(), attack.name());
        // One that fails does not take away what the others found.
        let begun = now();
        let found = attack_by(*attack, &stage).unwrap_or_else(|error| Found::failed(&error));
        found.print_told();
        println!("   took {:.1} s", begun.elapsed().as_secs_f64());
        all.push((attack.name(), found));
    }
    println!("\n{conditions}");
    let missed = found::print(&all);
    if options.strict && missed > 0 { Err(BenchError::BarsMissed { missed }) } else { Ok(()) }
}

fn attack_by(attack: Attack, stage: &Stage<'_>) -> Result<Found, BenchError> {
    match attack {
        Attack::SilentTls => silent_tls::run(stage),
        Attack::Bodies => bodies::run(stage),
        Attack::Silence => silence::run(stage),
        Attack::Holds => holds::run(stage),
        Attack::Tables => tables::run(stage),
        Attack::Lock => lock::run(stage),
        Attack::Revoked => revoked::run(stage),
        Attack::Users => users::run(stage),
        Attack::Refusals => refusals::run(stage),
        Attack::Labels => labels::run(stage),
        Attack::Journal => journal::run(stage),
    }
}
