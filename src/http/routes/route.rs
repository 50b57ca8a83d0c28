//! The table of routes: paths, methods, and what each method asks for.
//!
//! Owns the one row that a route is: how its path is counted, 405 with `Allow`, and which
//! permission a method needs. Never looks at a body. Next: `parse`, whose match asks for each
//! route's parser; `roles`.

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
    HandOver,
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

/// What is said of a route once, in its row.
#[derive(Debug)]
struct Row {
    /// Its place in [`ROUTES`].
    number: usize,
    /// The methods as the header `Allow` lists them.
    allow: &'static str,
    /// Each of them but HEAD and OPTIONS, with what it asks for; none where no token is needed.
    methods: &'static [(Method, Option<Permission>)],
    /// A `POST` there needs an idempotency key, whatever its body says.
    needs_key: bool,
    /// A request there may come without a body, which is an empty one.
    may_lack_body: bool,
    /// A node answers there that does not write.
    of_any_node: bool,
}

impl Row {
    const fn new(
        number: usize,
        allow: &'static str,
        methods: &'static [(Method, Option<Permission>)],
    ) -> Self {
        Self { number, allow, methods, needs_key: false, may_lack_body: false, of_any_node: false }
    }

    const fn needs_key(self) -> Self {
        Self { needs_key: true, ..self }
    }

    const fn may_lack_body(self) -> Self {
        Self { may_lack_body: true, ..self }
    }

    const fn of_any_node(self) -> Self {
        Self { of_any_node: true, ..self }
    }
}

/// A segment of a path as it is counted.
macro_rules! segment_label {
    ({$name:ident}) => {
        concat!("/{", stringify!($name), "}")
    };
    ($text:literal) => {
        concat!("/", $text)
    };
}

/// A segment of a path as it is met; the id is told apart from nothing by `of_segments`.
macro_rules! segment_pattern {
    ({$name:ident}) => {
        _
    };
    ($text:literal) => {
        $text
    };
}

macro_rules! allowed {
    (GET) => {
        "GET, HEAD"
    };
    ($method:ident) => {
        stringify!($method)
    };
}

/// No permission: no token is needed.
macro_rules! permission {
    () => {
        None
    };
    ($permission:expr) => {
        Some($permission)
    };
}

/// Declares each route once: what it is, its path, and of each method the permission.
macro_rules! routes {
    ($id:ident: $(
        $route:ident $(($($part:tt)+))? =
            $(/ $segment:tt)+ { $($method:ident $($permission:ident $(($verb:path))?)?),+ }
            $($flag:ident)*;
    )*) => {
        /// All paths, as they are counted; the first stands for those that there are not.
        pub(in crate::http) const ROUTES: &[&str] =
            &["none", $(concat!($(segment_label!($segment)),+),)*];

        impl<'p> Route<'p> {
            #[allow(unused_variables, reason = "a route without an id is made without one")]
            fn of_segments(found: &[Cow<'p, str>]) -> Result<fn(Cow<'p, str>) -> Self, Refused> {
                let names: SmallVec<[&str; 5]> = found.iter().map(AsRef::as_ref).collect();
                if let ["v1", _, "", ..] = names.as_slice() {
                    return Err(nothing_here());
                }
                let place: fn(Cow<'p, str>) -> Self = match names.as_slice() {
                    $([$(segment_pattern!($segment)),+] => |$id| Self::$route $(($($part)+))?,)*
                    _ => return Err(nothing_here()),
                };
                Ok(place)
            }

            #[allow(unused_variables, reason = "a row is the same for all ids")]
            const fn row(&self) -> &'static Row {
                match self {
                    $(Self::$route $(($($part)+))? => {
                        const ROW: &Row = &Row::new(
                            number(concat!($(segment_label!($segment)),+)),
                            concat!($(allowed!($method), ", ",)+ "OPTIONS"),
                            &[$((
                                Method::$method,
                                permission!($(Permission::$permission $(($verb))?)?),
                            )),+],
                        )$(.$flag())*;
                        ROW
                    })*
                }
            }
        }
    };
}

routes! { id:
    Live = /"livez" { GET } of_any_node;
    Ready = /"readyz" { GET } of_any_node;
    Status = /"v1"/"status" { GET ViewMetrics } of_any_node;
    Latency = /"v1"/"latency" { GET ViewMetrics } of_any_node;
    Percentiles = /"v1"/"latency.hgrm" { GET ViewMetrics } of_any_node;
    Metrics = /"metrics" { GET ViewMetrics } of_any_node;
    TakeSnapshot = /"v1"/"admin"/"snapshot" { POST Administer } may_lack_body;
    Skus = /"v1"/"skus" { GET ReadSkus };
    Sku(id) = /"v1"/"skus"/{sku}
        { GET ReadSkus, PUT ChangeSku, PATCH ChangeSku, DELETE ChangeSku };
    Adjust(id) = /"v1"/"skus"/{sku}/"adjust" { POST ChangeSku } needs_key may_lack_body;
    Orders = /"v1"/"orders" { GET ListOrders, POST CreateOrder } needs_key;
    Order(id) = /"v1"/"orders"/{order} { GET ReadOrder };
    Act(id, Verb::Confirm) = /"v1"/"orders"/{order}/"confirm"
        { POST OrderAction(Verb::Confirm) } may_lack_body;
    Act(id, Verb::Cancel) = /"v1"/"orders"/{order}/"cancel"
        { POST OrderAction(Verb::Cancel) } may_lack_body;
    Act(id, Verb::Extend) = /"v1"/"orders"/{order}/"extend"
        { POST OrderAction(Verb::Extend) } may_lack_body;
    Act(id, Verb::Ship) = /"v1"/"orders"/{order}/"ship"
        { POST OrderAction(Verb::Ship) } may_lack_body;
    Act(id, Verb::Complete) = /"v1"/"orders"/{order}/"complete"
        { POST OrderAction(Verb::Complete) } may_lack_body;
    Act(id, Verb::Refund) = /"v1"/"orders"/{order}/"refund"
        { POST OrderAction(Verb::Refund) } may_lack_body;
    UserOrders(id) = /"v1"/"users"/{user}/"orders" { GET ListUserOrders };
    Remembered(id) = /"v1"/"requests"/{key} { GET ReadRequest };
    Contract = /"openapi.json" { GET } of_any_node;
    Root = /"" { GET };
    Batch = /"v1"/"batch" { POST AnyRole };
    Events = /"v1"/"events" { GET ReadFeed };
    Draw(id) = /"v1"/"draws"/{draw} { GET ReadDraws, PUT ChangeDraw, DELETE ChangeDraw };
    Entries(id) = /"v1"/"draws"/{draw}/"entries" { GET ReadDraws, POST EnterDraw } needs_key;
    CloseDraw(id) = /"v1"/"draws"/{draw}/"close" { POST ChangeDraw } may_lack_body;
    Mode(Change::Drain) = /"v1"/"admin"/"drain" { POST Administer } may_lack_body;
    Mode(Change::ReadOnly) = /"v1"/"admin"/"read-only" { POST Administer } may_lack_body;
    Mode(Change::ReadWrite) = /"v1"/"admin"/"read-write" { POST Administer } may_lack_body;
    HandOver = /"v1"/"admin"/"handover" { POST Administer } may_lack_body;
}

/// The place of a path in [`ROUTES`], found when this is compiled.
const fn number(path: &str) -> usize {
    let mut at = ROUTES.len();
    while at > 0 {
        at -= 1;
        let (known, path) = (ROUTES[at].as_bytes(), path.as_bytes());
        let mut same = known.len();
        while same > 0 && known.len() == path.len() && known[same - 1] == path[same - 1] {
            same -= 1;
        }
        if same == 0 {
            return at;
        }
    }
    panic!("every path of a row is a route");
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

    /// Its place in [`ROUTES`].
    pub(in crate::http) const fn number(&self) -> usize {
        self.row().number
    }

    /// The methods there are, as the header `Allow` lists them.
    pub(in crate::http) const fn allow(&self) -> &'static str {
        self.row().allow
    }

    /// What such a request asks for; none for a place that needs no token. A method that is not
    /// listed, and is refused later, counts as the last that is.
    pub(in crate::http) fn permission(&self, method: &Method) -> Option<Permission> {
        let asked = if *method == Method::HEAD { &Method::GET } else { method };
        let methods = self.row().methods;
        let found = methods.iter().find(|(listed, _)| listed == asked).or(methods.last());
        let permission = found.and_then(|(_, permission)| *permission)?;
        Some(if *method == Method::OPTIONS { Permission::AnyRole } else { permission })
    }

    /// A `POST` there needs an idempotency key, whatever its body says.
    pub(in crate::http) const fn needs_key(&self) -> bool {
        self.row().needs_key
    }

    /// A request there may come without a body, which is an empty one.
    pub(in crate::http) const fn may_lack_body(&self) -> bool {
        self.row().may_lack_body
    }

    /// A node answers there that does not write.
    pub(in crate::http) const fn is_of_any_node(&self) -> bool {
        self.row().of_any_node
    }

    /// Refuses a method that is not listed.
    pub(in crate::http) fn check(&self, method: &Method) -> Result<(), Refused> {
        let Row { allow, methods, .. } = *self.row();
        let is_listed = |method: &Method| methods.iter().any(|(listed, _)| listed == method);
        let is_allowed = match *method {
            Method::OPTIONS => true,
            Method::HEAD => is_listed(&Method::GET),
            _ => is_listed(method),
        };
        if is_allowed {
            return Ok(());
        }
        let mut refused = Problem::new(Code::MethodNotAllowed, format!("there are {allow}"));
        refused.allow = Some(allow);
        Err(refused)
    }
}
