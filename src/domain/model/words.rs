//! Enums whose variants are words that clients see.
//!
//! Owns that a variant stands once: with its number, where that is stored, and its word. Next:
//! `order`, `sku`, `draw`.

/// Declares an enum with its variants in the order of their numbers, from 0, and the word of each.
macro_rules! words {
    (
        $(#[$about:meta])*
        pub enum $name:ident {
            $($(#[$what:meta])* $variant:ident $(= $number:literal)? $word:literal,)*
        }
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum $name { $($(#[$what])* $variant $(= $number)?,)* }

        impl $name {
            /// All of them, in the order of their numbers.
            pub const ALL: [Self; [$($word),*].len()] = [$(Self::$variant,)*];

            /// The word that clients see.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }
    };
}

pub(super) use words;
