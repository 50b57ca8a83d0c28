//! The table of paths and methods: what a path names, and what may be done there.
//!
//! Owns the places and how they are counted, 405 with `Allow`, and which permission a method is at a
//! place. Never looks at a body. Next: the families beside this file; `roles`.

use crate::domain::model::order::Verb;
use crate::http::auth::roles::Permission;
use crate::http::handlers::mode::Change;
use crate::http::request::target::{nothing_here, segments};
use crate::http::response::problem::{Code, Problem, Refused};
use hyper::Method;
use smallvec::SmallVec;
use std::borrow::Cow;

/// What a path names. Ids are as given, decoded but unchecked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http) enum Route<'p> {
    Live,
    Ready,
    Status,
    Latency,
    Percentiles,
    Metrics,
    Contract,
    Root,
    TakeSnapshot,
    Mode(Change),
    Skus,
    Sku(Cow<'p, str>),
    Adjust(Cow<'p, str>),
    Orders,
    Order(Cow<'p, str>),
    Act(Cow<'p, str>, Verb),
    UserOrders(Cow<'p, str>),
    Remembered(Cow<'p, str>),
    Batch,
    Events,
    Draw(Cow<'p, str>),
    Entries(Cow<'p, str>),
    CloseDraw(Cow<'p, str>),
}

/// All paths, as they are counted; the first stands for those that there are not.
pub(in crate::http) const ROUTES: &[&str] = &[
    "none",
    "/livez",
    "/readyz",
    "/v1/status",
    "/v1/latency",
    "/v1/latency.hgrm",
    "/metrics",
    "/v1/admin/snapshot",
    "/v1/skus",
    "/v1/skus/{sku}",
    "/v1/skus/{sku}/adjust",
    "/v1/orders",
    "/v1/orders/{order}",
    "/v1/orders/{order}/confirm",
    "/v1/orders/{order}/cancel",
    "/v1/orders/{order}/extend",
    "/v1/orders/{order}/ship",
    "/v1/orders/{order}/complete",
    "/v1/orders/{order}/refund",
    "/v1/users/{user}/orders",
    "/v1/requests/{key}",
    "/openapi.json",
    "/",
    "/v1/batch",
    "/v1/events",
    "/v1/draws/{draw}",
    "/v1/draws/{draw}/entries",
    "/v1/draws/{draw}/close",
    "/v1/admin/drain",
    "/v1/admin/read-only",
    "/v1/admin/read-write",
];

/// The methods of a place.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct Methods {
    /// As the header of this name lists them.
    pub(in crate::http) allow: &'static str,
    each: &'static [Method],
}

macro_rules! methods {
    ($first:ident $(, $other:ident)*) => {
        &Methods {
            allow: concat!(stringify!($first) $(, ", ", stringify!($other))*),
            each: &[Method::$first $(, Method::$other)*],
        }
    };
}

impl<'p> Route<'p> {
    /// The place of a path.
    pub(in crate::http) fn find(path: &'p str) -> Result<Self, Refused> {
        // The one that is worth a shortcut.
        if path == "/v1/orders" {
            return Ok(Self::Orders);
        }
        let mut found = segments(path)?;
        let place = Self::of_segments(&found)?;
        // A place with an id has it as its third segment.
        let id = if found.len() > 2 { found.swap_remove(2) } else { Cow::Borrowed("") };
        Ok(place(id))
    }

    fn of_segments(found: &[Cow<'p, str>]) -> Result<fn(Cow<'p, str>) -> Self, Refused> {
        let names: SmallVec<[&str; 5]> = found.iter().map(AsRef::as_ref).collect();
        let place: fn(Cow<'p, str>) -> Self = match names.as_slice() {
            ["livez"] => |_| Self::Live,
            ["readyz"] => |_| Self::Ready,
            ["v1", "status"] => |_| Self::Status,
            ["v1", "latency"] => |_| Self::Latency,
            ["v1", "latency.hgrm"] => |_| Self::Percentiles,
            ["metrics"] => |_| Self::Metrics,
            ["openapi.json"] => |_| Self::Contract,
            [""] => |_| Self::Root,
            ["v1", "admin", "snapshot"] => |_| Self::TakeSnapshot,
            ["v1", "admin", "drain"] => |_| Self::Mode(Change::Drain),
            ["v1", "admin", "read-only"] => |_| Self::Mode(Change::ReadOnly),
            ["v1", "admin", "read-write"] => |_| Self::Mode(Change::ReadWrite),
            ["v1", "skus"] => |_| Self::Skus,
            ["v1", "orders"] => |_| Self::Orders,
            ["v1", "batch"] => |_| Self::Batch,
            ["v1", "events"] => |_| Self::Events,
            ["v1", _, "", ..] => return Err(nothing_here()),
            ["v1", "skus", _] => Self::Sku,
            ["v1", "skus", _, "adjust"] => Self::Adjust,
            ["v1", "orders", _] => Self::Order,
            ["v1", "orders", _, "confirm"] => |id| Self::Act(id, Verb::Confirm),
            ["v1", "orders", _, "cancel"] => |id| Self::Act(id, Verb::Cancel),
            ["v1", "orders", _, "extend"] => |id| Self::Act(id, Verb::Extend),
            ["v1", "orders", _, "ship"] => |id| Self::Act(id, Verb::Ship),
            ["v1", "orders", _, "complete"] => |id| Self::Act(id, Verb::Complete),
            ["v1", "orders", _, "refund"] => |id| Self::Act(id, Verb::Refund),
            ["v1", "users", _, "orders"] => Self::UserOrders,
            ["v1", "requests", _] => Self::Remembered,
            ["v1", "draws", _] => Self::Draw,
            ["v1", "draws", _, "entries"] => Self::Entries,
            ["v1", "draws", _, "close"] => Self::CloseDraw,
            _ => return Err(nothing_here()),
        };
        Ok(place)
    }

    /// Its place in [`ROUTES`].
    pub(in crate::http) const fn number(&self) -> usize {
        match self {
            Self::Live => 1,
            Self::Ready => 2,
            Self::Status => 3,
            Self::Latency => 4,
            Self::Percentiles => 5,
            Self::Metrics => 6,
            Self::TakeSnapshot => 7,
            Self::Skus => 8,
            Self::Sku(_) => 9,
            Self::Adjust(_) => 10,
            Self::Orders => 11,
            Self::Order(_) => 12,
            Self::Act(_, Verb::Confirm) => 13,
            Self::Act(_, Verb::Cancel) => 14,
            Self::Act(_, Verb::Extend) => 15,
            Self::Act(_, Verb::Ship) => 16,
            Self::Act(_, Verb::Complete) => 17,
            Self::Act(_, Verb::Refund) => 18,
            Self::UserOrders(_) => 19,
            Self::Remembered(_) => 20,
            Self::Contract => 21,
            Self::Root => 22,
            Self::Batch => 23,
            Self::Events => 24,
            Self::Draw(_) => 25,
            Self::Entries(_) => 26,
            Self::CloseDraw(_) => 27,
            Self::Mode(Change::Drain) => 28,
            Self::Mode(Change::ReadOnly) => 29,
            Self::Mode(Change::ReadWrite) => 30,
        }
    }

    /// The methods there are.
    pub(in crate::http) const fn methods(&self) -> &'static Methods {
        match self {
            Self::Live | Self::Ready | Self::Status | Self::Skus => methods!(GET, HEAD, OPTIONS),
            Self::Latency | Self::Percentiles | Self::Metrics => methods!(GET, HEAD, OPTIONS),
            Self::Contract | Self::Root | Self::Events => methods!(GET, HEAD, OPTIONS),
            Self::Order(_) | Self::UserOrders(_) | Self::Remembered(_) => {
                methods!(GET, HEAD, OPTIONS)
            }
            Self::Sku(_) => methods!(GET, HEAD, PUT, PATCH, DELETE, OPTIONS),
            Self::Draw(_) => methods!(GET, HEAD, PUT, DELETE, OPTIONS),
            Self::Orders | Self::Entries(_) => methods!(GET, HEAD, POST, OPTIONS),
            Self::Adjust(_) | Self::Act(..) => methods!(POST, OPTIONS),
            Self::TakeSnapshot | Self::Mode(_) => methods!(POST, OPTIONS),
            Self::Batch | Self::CloseDraw(_) => methods!(POST, OPTIONS),
        }
    }

    /// What such a request does; none for a place that needs no token. The method is a listed one.
    pub(in crate::http) fn permission(&self, method: &Method) -> Option<Permission> {
        let reads = matches!(*method, Method::GET | Method::HEAD);
        let permission = match self {
            Self::Live | Self::Ready | Self::Contract | Self::Root => return None,
            _ if *method == Method::OPTIONS => Permission::AnyRole,
            Self::Status | Self::Latency | Self::Percentiles | Self::Metrics => {
                Permission::ViewMetrics
            }
            Self::TakeSnapshot | Self::Mode(_) => Permission::Administer,
            Self::Events => Permission::ReadFeed,
            Self::Batch => Permission::AnyRole,
            Self::Skus => Permission::ReadSkus,
            Self::Sku(_) if reads => Permission::ReadSkus,
            Self::Sku(_) | Self::Adjust(_) => Permission::ChangeSku,
            Self::Orders if reads => Permission::ListOrders,
            Self::Orders => Permission::CreateOrder,
            Self::Order(_) => Permission::ReadOrder,
            Self::Act(_, verb) => Permission::OrderAction(*verb),
            Self::UserOrders(_) => Permission::ListUserOrders,
            Self::Remembered(_) => Permission::ReadRequest,
            Self::Draw(_) | Self::Entries(_) if reads => Permission::ReadDraws,
            Self::Draw(_) | Self::CloseDraw(_) => Permission::ChangeDraw,
            Self::Entries(_) => Permission::EnterDraw,
        };
        Some(permission)
    }

    /// A `POST` there needs an idempotency key, whatever its body says.
    pub(in crate::http) const fn needs_key(&self) -> bool {
        matches!(self, Self::Orders | Self::Entries(_) | Self::Adjust(_))
    }

    /// A request there may come without a body, which is an empty one.
    pub(in crate::http) const fn may_lack_body(&self) -> bool {
        matches!(
            self,
            Self::Act(..)
                | Self::Adjust(_)
                | Self::CloseDraw(_)
                | Self::TakeSnapshot
                | Self::Mode(_)
        )
    }

    /// Refuses a method that is not listed.
    pub(in crate::http) fn check(&self, method: &Method) -> Result<(), Refused> {
        let Methods { allow, each } = *self.methods();
        if each.contains(method) {
            return Ok(());
        }
        let mut refused = Problem::new(Code::MethodNotAllowed, format!("there are {allow}"));
        refused.allow = Some(allow);
        Err(refused)
    }
}
