//! What many of the commands ask of their values, and what other programs are told of the command
//! line: completions for shells, a page for `man`.

use crate::error::{BenchError, io_error};
use crate::out;
use clap::builder::RangedU64ValueParser;
use clap_complete::Shell;
use std::path::{Path, PathBuf};

/// A count of which none makes no sense.
pub(crate) fn at_least_one<T>() -> RangedU64ValueParser<T>
where
    T: TryFrom<u64> + Clone + Send + Sync + 'static,
    <T as TryFrom<u64>>::Error: Send + Sync + 'static + std::error::Error + ToString,
{
    RangedU64ValueParser::new().range(1..)
}

/// Prints what makes a shell complete these commands.
pub(crate) fn completions(mut command: clap::Command, shell: Shell) -> Result<(), BenchError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "doorbuster-bench", &mut script);
    out::text(&script);
    Ok(())
}

/// Prints the page of the whole, or writes one of every command into a directory.
pub(crate) fn pages(command: clap::Command, to: Option<&Path>) -> Result<(), BenchError> {
    if let Some(to) = to {
        let failed = io_error(format!("write the pages into {}", to.display()));
        return clap_mangen::generate_to(command, to).map_err(failed);
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page).map_err(io_error("make the page"))?;
    out::text(&page);
    Ok(())
}

/// The server that a command measures, and where it keeps its data.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct ServerOptions {
    /// The server's binary [default: beside this one]
    #[arg(long = "server", value_name = "SERVER")]
    pub(crate) binary: Option<PathBuf>,
    /// Where its data goes; on the disk that is to be measured [default: a new folder here]
    #[arg(long)]
    pub(crate) data: Option<PathBuf>,
}

impl ServerOptions {
    /// The same server with its data in this folder.
    pub(crate) fn with_data(&self, data: PathBuf) -> Self {
        Self { binary: self.binary.clone(), data: Some(data) }
    }
}
