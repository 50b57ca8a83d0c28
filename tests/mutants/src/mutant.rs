//! What a row of the table is.
//!
//! Owns the types and their short constructors. Never knows a mistake. Next: `table`.

/// The product with one mistake.
#[derive(Debug, Clone, Copy)]
pub struct Mutant {
    /// Its name.
    pub name: &'static str,
    /// The mistake, in a sentence.
    pub mistake: &'static str,
    /// How it is made.
    pub made: Made,
    /// It takes a second machine to find it.
    pub on_two_machines: bool,
}

impl Mutant {
    /// The same, where it takes a second machine to find it.
    pub(crate) const fn on_two_machines(self) -> Self {
        Self { on_two_machines: true, ..self }
    }
}

/// How a mistake is made.
#[derive(Debug, Clone, Copy)]
pub enum Made {
    /// Other source text.
    Edits(&'static [Edit]),
    /// The simulator's disk tells the lie of the same name; the source stays as it is.
    Lie,
}

/// One piece of source text, and what stands in its place.
#[derive(Debug, Clone, Copy)]
pub struct Edit {
    /// The file, from the root of the workspace.
    pub file: &'static str,
    /// What is there, once in the file. The piece that is replaced stands in `«…»`, or is all of
    /// it; nothing between them is a place where something is put in. It is an expression, or one
    /// or more whole statements that declare nothing.
    pub old: &'static str,
    /// An expression of the same type, or statements.
    pub new: &'static str,
}

/// A mutant with other source text.
pub const fn edited(name: &'static str, mistake: &'static str, edits: &'static [Edit]) -> Mutant {
    Mutant { name, mistake, made: Made::Edits(edits), on_two_machines: false }
}

/// A mutant by a lie of the disk.
pub const fn lied(name: &'static str, mistake: &'static str) -> Mutant {
    Mutant { name, mistake, made: Made::Lie, on_two_machines: false }
}

/// One replacement.
pub const fn edit(file: &'static str, old: &'static str, new: &'static str) -> Edit {
    Edit { file, old, new }
}
