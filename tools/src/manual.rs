//! What other programs are told of the command line: completions for shells, pages for `man`.
//!
//! Both are made from `arguments` alone. Never reads a data directory.

use crate::arguments::Arguments;
use crate::inspect::Trouble;
use crate::{PROGRAM, show};
use clap::CommandFactory as _;
use clap_complete::Shell;
use std::path::Path;

pub(crate) fn completions(shell: Shell) -> Result<(), Trouble> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), PROGRAM, &mut text);
    show::print_bytes(&text)
}

/// The page of the whole, to standard output; or one of every command, into a directory.
pub(crate) fn pages(to: Option<&Path>) -> Result<(), Trouble> {
    let Some(to) = to else {
        let mut page = Vec::new();
        let rendered = clap_mangen::Man::new(Arguments::command()).render(&mut page);
        rendered.map_err(|cause| Trouble::Unreadable(format!("cannot make the page: {cause}")))?;
        return show::print_bytes(&page);
    };
    clap_mangen::generate_to(Arguments::command(), to).map_err(|cause| {
        Trouble::Unreadable(format!("cannot write the pages into {}: {cause}", to.display()))
    })
}
