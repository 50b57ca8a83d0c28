//! Why clients are not let in, as it is counted.
//!
//! Owns the reasons and their labels. Never refuses: `control` and `permit` do.

/// Declares each reason once, with its label.
macro_rules! reasons {
    ($($name:ident $label:literal,)*) => {
        /// Why a client was not let in, as it is counted.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(in crate::http) enum Reason { $($name,)* }

        /// The labels of reasons, in their order.
        pub(in crate::http) const REASONS: &[&str] = &[$($label,)*];
    };
}

reasons! {
    PeerAddress "peer_address",
    ClientAddress "client_address",
    Connections "connections",
    ConnectionsOfAddress "connections_of_address",
    PrincipalRate "principal_rate",
    UserRate "user_rate",
    AddressRate "address_rate",
    Shed "shed",
    RingFull "ring_full",
    ProxyHeader "proxy_header",
    HandshakeTimeout "handshake_timeout",
    IdleReplaced "idle_replaced",
}
